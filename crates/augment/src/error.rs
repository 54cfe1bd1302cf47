use crate::crop_box::CropBox;

/// What can go wrong between a data set and a batch of views.
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
    /// A data set without images.
    #[error("the data set has no images")]
    EmptyDataset,
    /// A crop box that is empty or reaches outside the image, or a cut-out outside the view.
    #[error(
        "crop of {} x {} px at column {}, row {} does not fit an image of {width_px} x {height_px} px",
        crop.width_px, crop.height_px, crop.left_px, crop.top_px
    )]
    CropOutside {
        /// The box requested.
        crop: CropBox,
        /// The image's width.
        width_px: usize,
        /// The image's height.
        height_px: usize,
    },
    /// An image that could not be read while a batch was made.
    #[error("cannot read image {index} ({origin})")]
    Image {
        /// Its index in the data set.
        index: usize,
        /// Where it comes from, as the data set names it.
        origin: String,
        /// The data set's reason.
        source: relata_data::Error,
    },
    /// A panic while a batch was made; the epoch ends there.
    #[error("panic while batch {batch} was made: {message}")]
    WorkerPanic {
        /// Index of the batch in its epoch.
        batch: usize,
        /// The panic's message.
        message: String,
    },
    /// The operating system gave no thread.
    #[error("cannot start worker thread {worker}")]
    Spawn {
        /// Number of the worker.
        worker: usize,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who can mend an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A wrong setting, crop or data set: exit code 2 in the command line.
    Usage,
    /// Something failed on the way: exit code 1.
    Failure,
}

impl Error {
    /// Whether the request was wrong or its execution failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } => ErrorKind::Usage,
            Self::Image { source, .. } if source.kind() == relata_data::ErrorKind::Usage => ErrorKind::Usage,
            Self::Image { .. } | Self::EmptyDataset | Self::CropOutside { .. } => ErrorKind::Failure,
            Self::WorkerPanic { .. } | Self::Spawn { .. } => ErrorKind::Failure,
        }
    }
}
