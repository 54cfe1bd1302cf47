//! What can go wrong with a report.

use relata_artifact::ErrorKind;

/// Shorthand for this crate's results.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong while a page is made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The run folder could not be read, or the page not be written.
    #[error(transparent)]
    Artifact(#[from] relata_artifact::Error),
    /// A chart could not be drawn.
    #[error("cannot draw the chart of {chart}: {reason}")]
    Chart {
        /// Its title.
        chart: String,
        /// The drawing library's words.
        reason: String,
    },
    /// A comparison of no runs was requested.
    #[error("a comparison needs at least one run")]
    NoRuns,
}

impl Error {
    /// Whether the request was wrong or its execution failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Artifact(error) => error.kind(),
            Self::NoRuns => ErrorKind::Usage,
            Self::Chart { .. } => ErrorKind::Failure,
        }
    }
}
