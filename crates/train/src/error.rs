use crate::batch::{BatchShape, FEWEST_TO_TRAIN_ON};

/// What can go wrong during training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting outside its range.
    #[error("{key} = {value} is not allowed: expected {allowed}")]
    Setting {
        /// The setting's dotted path, as in the configuration file.
        key: &'static str,
        /// The value found.
        value: String,
        /// What would have been allowed.
        allowed: &'static str,
    },
    /// A name that the setting does not know.
    #[error("{key} = {name:?} is not allowed: expected one of {}", known.join(", "))]
    UnknownName {
        /// The setting's dotted path, as in the configuration file.
        key: &'static str,
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<&'static str>,
    },
    /// A weight decay by which a step would turn the weights' signs.
    #[error("train.weight_decay = {decay} is not allowed: expected less than 1 / {lr_key}, which is {lr}")]
    WeightDecay {
        /// The decay.
        decay: f64,
        /// The setting of the learning rate: [`crate::Needs::lr_key`].
        lr_key: &'static str,
        /// That learning rate.
        lr: f64,
    },
    /// Too few images for one batch: no method trains on a single image.
    #[error("{images} images are too few to train on: expected at least 2, since no batch may hold fewer")]
    TooFewImages {
        /// How many there are.
        images: usize,
    },
    /// More clusters than images.
    #[error("method.deepcluster.clusters = {clusters} is not allowed: expected no more than the {images} images that there are")]
    TooManyClusters {
        /// The clusters of the setting.
        clusters: usize,
        /// Images that there are.
        images: usize,
    },
    /// Training with labels on images that have none, or all the same.
    #[error("training with labels needs images of two classes or more, these have {classes}; take another method.kind")]
    TooFewClasses {
        /// Classes of the data; 0 where it has no labels.
        classes: usize,
    },
    /// An image without a label among labelled ones.
    #[error("image {image} ({origin}) has no label; training with labels needs one for each")]
    NoLabel {
        /// Its index in the data set.
        image: usize,
        /// Where it comes from, in the data set's words.
        origin: String,
    },
    /// A label that is none of the classes.
    #[error("image {image} ({origin}) has label {label}, expected one below {classes}: that is how many classes there are")]
    LabelOutOfRange {
        /// Its index in the data set; in the batch, where a method was given that alone.
        image: usize,
        /// Where it comes from, in the data set's words.
        origin: String,
        /// The label.
        label: usize,
        /// Classes, or clusters.
        classes: usize,
    },
    /// A step of a method with a target network, without that target's view of the same batch.
    #[error("a step on {expected:?} came with a target of {got:?}; take_target comes before each step, with the same batch")]
    Target {
        /// The step's batch.
        expected: BatchShape,
        /// The target's batch, if any.
        got: Option<BatchShape>,
    },
    /// A step of a method that taps the backbone, without the activations that it named.
    #[error("a step wants {expected}, it came with {got}; the backbone hands them out once set_taps names them")]
    Taps {
        /// What the method wants.
        expected: String,
        /// What there was.
        got: String,
    },
    /// Data or a batch of other sizes than they must have.
    #[error("{what}: expected {expected}, got {got}")]
    Size {
        /// What was given.
        what: &'static str,
        /// What it should have been.
        expected: String,
        /// What it was.
        got: String,
    },
    /// A row of numbers with one that is none.
    #[error("column {column} of row {row} is {value}; leave out the rows that lack a number, or fill it in")]
    RowValue {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// All images in one cluster.
    #[error(
        "the features of all {images} images fell into one cluster at the start of epoch {epoch}, so there is nothing left to predict: \
         the backbone has collapsed, or the images are all alike"
    )]
    OneCluster {
        /// Images that could be read.
        images: usize,
        /// The epoch; the first is 1.
        epoch: u32,
    },
    /// The loss or a weight became NaN or infinite.
    #[error(
        "{what} became {value} in step {step} (epoch {epoch}): train a new run with a smaller {lr_key}; the checkpoints from before are kept"
    )]
    NotFinite {
        /// The loss or a parameter's name.
        what: String,
        /// NaN or an infinity.
        value: f64,
        /// The step.
        step: u64,
        /// The epoch; the first is 1.
        epoch: u32,
        /// The setting of the learning rate: [`crate::Needs::lr_key`].
        lr_key: &'static str,
    },
    /// A checkpoint that does not fit this run.
    #[error("checkpoint {checkpoint} does not fit this run: {reason}")]
    Checkpoint {
        /// Its name.
        checkpoint: String,
        /// What does not fit.
        reason: String,
    },
    /// A failure of what an observer measures after an epoch.
    #[error("what is measured after each epoch failed")]
    Observer(#[source] crate::ObserverError),
    /// A failure of a method that is not one of this crate's.
    #[error("the method failed")]
    Method(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A failure of the model.
    #[error(transparent)]
    Model(#[from] relata_model::Error),
    /// A failure while views were made.
    #[error(transparent)]
    Augment(#[from] relata_augment::Error),
    /// A failure of the run folder.
    #[error(transparent)]
    Artifact(#[from] relata_artifact::Error),
}

/// Whose turn it is: the user's (another setting or other data), or the machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, or data that the method cannot work on.
    Usage,
    /// Something failed on the way.
    Failure,
}

impl Error {
    /// Whether the request was wrong or its execution failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        let wrong_request = match self {
            Self::Setting { .. }
            | Self::UnknownName { .. }
            | Self::WeightDecay { .. }
            | Self::TooFewImages { .. }
            | Self::TooFewClasses { .. }
            | Self::TooManyClusters { .. }
            | Self::NoLabel { .. } => true,
            Self::Augment(error) => error.kind() == relata_augment::ErrorKind::Usage,
            Self::Artifact(error) => error.kind() == relata_artifact::ErrorKind::Usage,
            _ => false,
        };
        if wrong_request { ErrorKind::Usage } else { ErrorKind::Failure }
    }
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// [`Error::Setting`] where a value does not fit.
pub(crate) fn check(fits: bool, key: &'static str, value: impl ToString, allowed: &'static str) -> Result<()> {
    if fits { Ok(()) } else { Err(Error::Setting { key, value: value.to_string(), allowed }) }
}

/// [`Error::Setting`] for the width of a layer that no machine would have room for; the memory of smaller ones can be estimated.
pub(crate) fn check_width(key: &'static str, width: usize) -> Result<()> {
    check((1..=65536).contains(&width), key, width, "1 to 65536")
}

/// [`Error::TooFewImages`] for a batch whose images have no others to be told from.
pub(crate) fn check_others(batch: BatchShape) -> Result<()> {
    if batch.images < FEWEST_TO_TRAIN_ON { Err(Error::TooFewImages { images: batch.images }) } else { Ok(()) }
}
