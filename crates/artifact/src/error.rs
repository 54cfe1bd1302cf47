//! What can go wrong with a run folder.

use std::io;
use std::path::{Path, PathBuf};

/// Shorthand for this crate's results.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong. `Display` names path and action; the operating system's or parser's reason is the
/// `source`, for a caller that prints the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused: full disk, missing rights, a folder in a file's place.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done, as in "cannot *write* ...".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A new run was to be created in a folder that already holds something.
    #[error("{} is not empty", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Another process trains in the folder, or writes there.
    #[error("{} is in use: another process is at work there", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// An overwrite was requested, but the folder is no run, so nothing was removed.
    #[error("{} does not look like a run folder ({reason}), so it is not overwritten", path.display())]
    NotOverwritten {
        /// The folder.
        path: PathBuf,
        /// What gave it away: the first entry that no run has, or what is missing.
        reason: String,
    },
    /// A run was to be opened where there is none.
    #[error("no run at {}: expected a folder with config.toml", path.display())]
    NoRun {
        /// Where it was looked for.
        path: PathBuf,
        /// The runs that there are nearby: beside that place, and in a folder `runs` there.
        known: Vec<PathBuf>,
    },
    /// A name for a checkpoint, probe or figure that would not stay inside its folder.
    #[error("{name:?} cannot name a {what}: use letters, digits, '-', '_', '.', '=' and '+', not starting with '.'")]
    Name {
        /// Checkpoint, probe or figure.
        what: &'static str,
        /// The name given.
        name: String,
    },
    /// A file's text is not valid TOML.
    #[error("{} is not valid TOML", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// The parser's reason.
        source: Box<toml::de::Error>,
    },
    /// A file's text is not the JSON that was expected.
    #[error("{}{} is not the JSON expected", path.display(), at_line(*line))]
    Json {
        /// The file.
        path: PathBuf,
        /// Line in a file of many objects, from 1.
        line: Option<usize>,
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// A metrics line that is not a flat object with a whole number `step`.
    #[error("a metrics line must be a flat object with a whole number `step`: {reason}")]
    MetricsLine {
        /// The field that broke the rule and how.
        reason: String,
    },
    /// A checkpoint or feature file is damaged: truncated, half copied, or no safetensors file at all.
    #[error("{} is damaged or no safetensors file ({reason}); use another checkpoint or copy it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What did not fit.
        reason: String,
    },
    /// A tensor has another element type than the one that is read here.
    #[error("{}: tensor {tensor} is {got}, expected {expected}: convert it, or take another file", path.display())]
    DType {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is read.
        expected: &'static str,
        /// What the file holds.
        got: String,
    },
    /// A tensor's data do not fill its shape, or two tensors share a name.
    #[error("tensor {tensor} of shape {shape:?}: {reason}")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What does not fit.
        reason: String,
    },
}

/// Whose turn it is: the user's (another path or flag), or the machine's (disk, damaged file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A wrong path, name or flag; exit code 2 in the command line.
    Usage,
    /// Something failed on the way; exit code 1.
    Failure,
}

impl Error {
    /// Whether the request was wrong or its execution failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. }
            | Self::InUse { .. }
            | Self::NotOverwritten { .. }
            | Self::NoRun { .. }
            | Self::Name { .. }
            | Self::Toml { .. } => ErrorKind::Usage,
            Self::Io { .. }
            | Self::Json { .. }
            | Self::MetricsLine { .. }
            | Self::Damaged { .. }
            | Self::DType { .. }
            | Self::Tensor { .. } => ErrorKind::Failure,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Json { path: path.to_owned(), line: None, source }
    }
}

fn at_line(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line},")).unwrap_or_default()
}
