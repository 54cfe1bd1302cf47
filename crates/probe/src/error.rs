use std::path::PathBuf;

/// What can go wrong between a backbone and its score.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting outside its range.
    #[error("{key} = {value} is not allowed: expected {allowed}")]
    Setting {
        /// The setting, with its table where it has one: `probe.epochs`.
        key: String,
        /// The value found.
        value: String,
        /// What would have been allowed.
        allowed: &'static str,
    },
    /// A protocol that nobody knows.
    #[error("unknown protocol {name:?}: known are {known}")]
    UnknownProtocol {
        /// The name found.
        name: String,
        /// Every known name.
        known: String,
    },
    /// Images without labels where a probe was asked for.
    #[error("{what} has no label, and a probe needs one for every image: take a labelled split, such as train or test")]
    Unlabelled {
        /// The first image without one, in its data set's words, or `the features`.
        what: String,
    },
    /// Features of no image at all.
    #[error("there are no features: expected at least one row")]
    Empty,
    /// Numbers, width and rows that do not fit together.
    #[error("{what}: expected {expected}, got {got}")]
    Size {
        /// What was given.
        what: &'static str,
        /// How many there should have been.
        expected: usize,
        /// How many there were.
        got: usize,
    },
    /// A feature that is NaN or infinite.
    #[error("feature {column} of row {row}{} is {value}: the backbone's weights are not usable", from(origin.as_deref()))]
    NotFinite {
        /// The first row that holds one.
        row: usize,
        /// Its place in the row.
        column: usize,
        /// The number.
        value: f32,
        /// The image it comes from, where that is known.
        origin: Option<String>,
    },
    /// A label that no class has.
    #[error("row {row} has label {label}, which is not in 0..{classes}")]
    LabelOutOfRange {
        /// The row.
        row: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Training images of one class only: every answer would be right.
    #[error("all {rows} training images are of class {class:?}: a probe needs two classes or more")]
    OneClass {
        /// Training images.
        rows: usize,
        /// The class's name.
        class: String,
    },
    /// Fewer rows than a protocol needs.
    #[error("there are {rows} images, too few for {what}: expected {needed} or more")]
    TooFewRows {
        /// Images.
        rows: usize,
        /// How many are needed.
        needed: usize,
        /// For what.
        what: &'static str,
    },
    /// Training and test features of different widths.
    #[error("training features are {train} wide, test features {test}: they come from different backbones")]
    WidthDiffers {
        /// D of the training features.
        train: usize,
        /// D of the test features.
        test: usize,
    },
    /// Training and test features with different numbers of classes.
    #[error("training features have {train} classes, test features {test}")]
    ClassCountDiffers {
        /// Classes of the training features.
        train: usize,
        /// Classes of the test features.
        test: usize,
    },
    /// Training and test features that name a class differently.
    #[error("class {label} is {train:?} for the training features and {test:?} for the test features")]
    ClassNameDiffers {
        /// The first label whose names differ.
        label: usize,
        /// Its name in the training features.
        train: String,
        /// Its name in the test features.
        test: String,
    },
    /// A linear probe whose loss grew beyond all numbers.
    #[error("the probe's loss is {loss} in epoch {epoch}: try a smaller learning rate than {lr}")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// Its mean loss.
        loss: f64,
        /// The learning rate.
        lr: f64,
    },
    /// A score of random weights that was not reached in the same way, so that no gain can be told.
    #[error("the baseline of random weights has {what} {baseline}, the score {score}: they cannot be compared")]
    BaselineDiffers {
        /// What differs.
        what: &'static str,
        /// The baseline's.
        baseline: String,
        /// The score's.
        score: String,
    },
    /// A file ending that no export has.
    #[error("cannot tell the format of {}: expected a name that ends in {expected}", path.display())]
    UnknownFormat {
        /// The file asked for.
        path: PathBuf,
        /// The endings known.
        expected: &'static str,
    },
    /// The backbone refused.
    #[error(transparent)]
    Model(#[from] relata_model::Error),
    /// The images could not be read or prepared.
    #[error(transparent)]
    Images(#[from] relata_augment::Error),
    /// A file could not be written.
    #[error(transparent)]
    Artifact(#[from] relata_artifact::Error),
    /// A safetensors file could not be put together.
    #[error("cannot write {}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The library's reason.
        source: safetensors::SafeTensorError,
    },
    /// The operating system refused to write.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

fn from(origin: Option<&str>) -> String {
    origin.map_or_else(String::new, |origin| format!(" ({origin})"))
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The same with a setting's key below the table `section`.
    pub(crate) fn within(self, section: &str) -> Self {
        match self {
            Self::Setting { key, value, allowed } => Self::Setting { key: format!("{section}.{key}"), value, allowed },
            other => other,
        }
    }
}

/// [`Error::Setting`] unless `allowed` holds. Written so that NaN fails.
pub(crate) fn check(ok: bool, key: &str, value: impl ToString, allowed: &'static str) -> Result<()> {
    if ok { Ok(()) } else { Err(Error::Setting { key: key.to_owned(), value: value.to_string(), allowed }) }
}
