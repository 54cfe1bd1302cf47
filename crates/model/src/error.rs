use std::path::PathBuf;

/// What can go wrong with models and weight files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Sizes that a kernel cannot work with.
    #[error(transparent)]
    Ops(#[from] relata_ops::Error),
    /// A failure inside candle.
    #[error("candle: {0}")]
    Candle(String),
    /// A batch or gradient whose size is not what the net expects.
    #[error("{what}: expected {expected}, got {got}")]
    Size {
        /// What was given.
        what: &'static str,
        /// What it should have been.
        expected: String,
        /// What it was.
        got: String,
    },
    /// Weights lack a tensor that the model has.
    #[error("tensor {name} of shape {shape:?} is missing from the weights")]
    MissingTensor {
        /// Its state-dict name.
        name: String,
        /// The shape that the model has.
        shape: Vec<usize>,
    },
    /// A tensor of the weights has another shape than the model's.
    #[error("tensor {name} has shape {found:?} in the weights, but {expected:?} in the model")]
    TensorShape {
        /// Its state-dict name.
        name: String,
        /// The model's shape.
        expected: Vec<usize>,
        /// The weights' shape.
        found: Vec<usize>,
    },
    /// Parameters that are laid out as another net's.
    #[error("the parameters are not laid out as those of {backbone}")]
    OtherParameters {
        /// The net.
        backbone: String,
    },
    /// A weight file that cannot be read.
    #[error("cannot read weights from {}: {reason}", path.display())]
    WeightFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Weights that were read but are not this model's.
    #[error("the weights in {} do not fit", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: Box<Error>,
    },
    /// A weight file's metadata that are not understood.
    #[error("metadata {key}: expected {expected}, got {}", value.as_deref().unwrap_or("nothing"))]
    Metadata {
        /// The entry.
        key: &'static str,
        /// What it should have been.
        expected: &'static str,
        /// What it was; `None` where it is absent.
        value: Option<String>,
    },
    /// A weight file that cannot be written.
    #[error("cannot write weights to {}", path.display())]
    WriteWeights {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A list of layers that does not fit together.
    #[error("{backbone}: {what}")]
    Layers {
        /// The net.
        backbone: String,
        /// What does not fit.
        what: String,
    },
    /// A list of layers that the fused executor cannot run.
    #[error("the fused executor cannot run {what}")]
    Unsupported {
        /// What it cannot run.
        what: String,
    },
    /// A tap of an activation that the net does not have.
    #[error("{backbone} has no activation {name}; it has {}", listed(known))]
    NoActivation {
        /// The name that was given.
        name: String,
        /// The net.
        backbone: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A backward pass without the forward pass that it belongs to.
    #[error("backward was called without a forward pass in training mode before it")]
    NoForward,
}

/// What sort of thing went wrong, for a caller that answers by sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A net, a batch or a name that does not fit: the caller's code or settings.
    Input,
    /// A weight file that cannot be read, or is not this model's.
    Weights,
    /// Threads, the disk or candle failed.
    Failure,
}

impl Error {
    /// What sort of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Candle(_) | Self::WriteWeights { .. } | Self::Ops(relata_ops::Error::Threads { .. }) => ErrorKind::Failure,
            Self::MissingTensor { .. }
            | Self::TensorShape { .. }
            | Self::OtherParameters { .. }
            | Self::WeightFile { .. }
            | Self::Weights { .. }
            | Self::Metadata { .. } => ErrorKind::Weights,
            Self::Ops(_)
            | Self::Size { .. }
            | Self::Layers { .. }
            | Self::Unsupported { .. }
            | Self::NoActivation { .. }
            | Self::NoForward => ErrorKind::Input,
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error.to_string())
    }
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
