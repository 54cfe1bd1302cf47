use std::path::PathBuf;

/// What can go wrong with data on disk. Every variant says what, where, and carries what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be opened or read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// An image file that no decoder understands, or that is cut short.
    #[error("broken image {}: {reason}", path.display())]
    BrokenImage {
        /// The image file.
        path: PathBuf,
        /// The decoder's words.
        reason: String,
    },
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
