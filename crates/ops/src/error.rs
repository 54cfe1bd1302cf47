/// What can be wrong with a request to an operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Sizes that do not fit together.
    #[error("{operator}: {what}")]
    Shape {
        /// The operator.
        operator: &'static str,
        /// What does not fit, with what was expected.
        what: String,
    },
    /// The worker threads could not be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many were requested.
        threads: usize,
        /// The operating system's reason.
        reason: String,
    },
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
