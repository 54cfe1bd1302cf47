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
    #[error("unknown protocol {name:?}: known are {}", known.join(", "))]
    UnknownProtocol {
        /// The name found.
        name: String,
        /// Every known name.
        known: Vec<String>,
    },
    /// A protocol that trains the backbone, where there are features only.
    #[error("{protocol} trains the backbone, so features alone cannot be scored by it")]
    NeedsBackbone {
        /// The protocol.
        protocol: &'static str,
    },
    /// A protocol of frozen features, where the backbone was to be trained.
    #[error("{protocol} takes frozen features and trains no backbone")]
    FrozenProtocol {
        /// The protocol.
        protocol: &'static str,
    },
    /// Images without labels, which a protocol needs.
    #[error("{what} has no label, and a probe needs one for every image: take a labelled split, such as train or test")]
    Unlabelled {
        /// The first image without one, as its data set names it, or `the features`.
        what: String,
    },
    /// Features of no image at all.
    #[error("there are no features: expected at least one row")]
    Empty,
    /// A file that holds features of no image, or of no width.
    #[error("{} holds no features: expected at least one row of at least one number", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
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
        /// Its column.
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
    /// Training images of one class only: every prediction would be correct.
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
    /// A probe whose loss, or a weight, is not finite.
    #[error("the probe's loss is {loss} in epoch {epoch}: try a smaller learning rate than {lr}")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// Its mean loss.
        loss: f64,
        /// The learning rate.
        lr: f64,
    },
    /// A row for which no class is the likeliest: a logit is not finite.
    #[error(
        "row {row} has no likeliest class: a logit of it is {value}; try a smaller learning rate, or features of a smaller scale"
    )]
    NoPrediction {
        /// The row of the features.
        row: usize,
        /// The logit.
        value: f32,
    },
    /// A training that its observer stopped.
    #[error("{protocol} was stopped in epoch {} of {total}", epochs + 1)]
    Stopped {
        /// The protocol.
        protocol: &'static str,
        /// Whole epochs done.
        epochs: usize,
        /// Of how many.
        total: usize,
    },
    /// The state of an unfinished training that does not fit the request that it was saved for.
    #[error("the unfinished training {name} in {} cannot be continued ({reason}); remove it to start again", path.display())]
    Unfinished {
        /// The folder of such states.
        path: PathBuf,
        /// Its name there.
        name: String,
        /// What does not fit.
        reason: String,
    },
    /// A score of random weights that was not reached in the same way, so that no gain can be computed.
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
        /// The requested file.
        path: PathBuf,
        /// The endings known.
        expected: &'static str,
    },
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file that is called `.npy` and is none.
    #[error("{} is no .npy file: its first bytes are not NumPy's", path.display())]
    NotNpy {
        /// The file.
        path: PathBuf,
    },
    /// A version of `.npy` that nobody knows.
    #[error("{} has version {major}.{minor} of the .npy format: expected 1 to 3", path.display())]
    NpyVersion {
        /// The file.
        path: PathBuf,
        /// Its version before the dot.
        major: u8,
        /// And behind it.
        minor: u8,
    },
    /// A header of `.npy` that does not describe the array.
    #[error("the header of {} cannot be understood: expected {what}", path.display())]
    NpyHeader {
        /// The file.
        path: PathBuf,
        /// What should be there.
        what: &'static str,
    },
    /// An array column by column.
    #[error("{} is in Fortran order: expected C order, as numpy.ascontiguousarray makes it", path.display())]
    FortranOrder {
        /// The file.
        path: PathBuf,
    },
    /// Numbers of another type than features or labels have.
    #[error("{} holds {got}: expected {expected}", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// What would be allowed.
        expected: &'static str,
        /// The type, as the file names it.
        got: String,
    },
    /// An array of another shape than features or labels have.
    #[error("{} has the shape {got:?}: expected {expected}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What would be allowed.
        expected: &'static str,
        /// The shape.
        got: Vec<usize>,
    },
    /// A file that is cut short, or longer than it says.
    #[error("{} is damaged: expected {expected} bytes, got {got}", path.display())]
    FileLength {
        /// The file.
        path: PathBuf,
        /// Bytes that its header speaks of, of the array or of the header itself.
        expected: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// A file that is called `.safetensors` and is none, or damaged.
    #[error("cannot read {} as safetensors", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// The library's reason.
        source: safetensors::SafeTensorError,
    },
    /// A safetensors file without features.
    #[error("{} has no tensor {name:?}", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor looked for.
        name: &'static str,
    },
    /// A CSV file whose first line does not name the features, or not all from `f0` to the last.
    #[error("the first line of {} names no column {missing:?}: expected label,class,source,f0,f1,... without a gap", path.display())]
    CsvHeader {
        /// The file.
        path: PathBuf,
        /// The first column that is missing.
        missing: String,
    },
    /// A CSV file whose first line names a feature twice.
    #[error("the first line of {} names the column {column:?} twice", path.display())]
    CsvTwice {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// A line of CSV with too few or too many fields.
    #[error("line {line} of {} has {got} fields: expected {expected}, as the first line has", path.display())]
    CsvFields {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Fields of the first line.
        expected: usize,
        /// Fields of this one.
        got: usize,
    },
    /// A field of CSV that is not the number that belongs there.
    #[error("line {line} of {}: {column} is {value:?}: expected a number of its kind", path.display())]
    CsvValue {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column's name.
        column: String,
        /// The field.
        value: String,
    },
    /// A label of CSV with two names.
    #[error("line {line} of {}: label {label} is of class {second:?}, before it was {first:?}", path.display())]
    CsvClass {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The label.
        label: u64,
        /// Its first name.
        first: String,
        /// Its name in this line.
        second: String,
    },
    /// A feature in a file that is NaN, infinite or beyond what 32 bits hold.
    #[error("{}: feature {column} of row {row} is {value}: expected a finite number that fits in 32 bits", path.display())]
    ValueNotFinite {
        /// The file.
        path: PathBuf,
        /// The first row that holds one.
        row: usize,
        /// Its column.
        column: usize,
        /// The number.
        value: f64,
    },
    /// A label below zero.
    #[error("{}: row {row} has label {label}: expected 0 or more", path.display())]
    NegativeLabel {
        /// The file.
        path: PathBuf,
        /// The row.
        row: usize,
        /// Its label.
        label: i64,
    },
    /// Labels that are not as many as the features' rows.
    #[error("{} holds {got} labels: expected {expected}, one for each row of the features", path.display())]
    LabelCount {
        /// The file of the labels.
        path: PathBuf,
        /// Rows of the features.
        expected: usize,
        /// Labels.
        got: usize,
    },
    /// A test row of a class that no training row has.
    #[error("{}: row {row} has label {label}, which no training row has", path.display())]
    NotInTraining {
        /// The file of the test features.
        path: PathBuf,
        /// The row.
        row: usize,
        /// Its label.
        label: u64,
    },
    /// The compute threads could not be started.
    #[error(transparent)]
    Ops(#[from] relata_ops::Error),
    /// The backbone refused.
    #[cfg(feature = "images")]
    #[error(transparent)]
    Model(#[from] relata_model::Error),
    /// The images could not be read or prepared.
    #[cfg(feature = "images")]
    #[error(transparent)]
    Images(#[from] relata_augment::Error),
    /// The data set refused.
    #[cfg(feature = "images")]
    #[error(transparent)]
    Data(#[from] relata_data::Error),
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

/// Whose turn it is: the user's (another setting, protocol or file), or the machine's (a damaged file, a full disk).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A wrong setting, protocol or path; exit code 2 in the command line.
    Usage,
    /// Something failed on the way; exit code 1.
    Failure,
}

impl Error {
    /// Whether the request was wrong or its execution failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. }
            | Self::UnknownProtocol { .. }
            | Self::NeedsBackbone { .. }
            | Self::Unlabelled { .. }
            | Self::UnknownFormat { .. }
            | Self::Read { .. } => ErrorKind::Usage,
            Self::Artifact(error) if error.kind() == relata_artifact::ErrorKind::Usage => ErrorKind::Usage,
            #[cfg(feature = "images")]
            Self::Images(error) if error.kind() == relata_augment::ErrorKind::Usage => ErrorKind::Usage,
            _ => ErrorKind::Failure,
        }
    }

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
