use crate::{Error, Image, Result};

/// An indexed set of images, each with its own height and width, and labels where there are any.
///
/// The same index always gives the same image. Implementations are shared by worker threads.
pub trait Dataset: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads and decodes image `index`.
    ///
    /// # Errors
    /// Where the image cannot be read or decoded; the error names the file or the record.
    fn image(&self, index: usize) -> Result<Image>;

    /// The class of image `index`, in `0..class_names().len()`; `None` for unlabelled data.
    fn label(&self, index: usize) -> Option<usize>;

    /// Names of the classes in label order; empty for unlabelled data.
    fn class_names(&self) -> &[String];

    /// Where image `index` comes from: a path, or `file, record 17`.
    ///
    /// It is in messages, and it is the image's identity: of one data set, all splits together, the same source must mean the same
    /// image, and two images must have two sources. [`pack`](crate::pack) writes a source once, and images held out by
    /// [`open`](crate::open) are known by theirs in the other splits.
    fn source(&self, index: usize) -> String;

    /// Reads the files that have the published length, and gives an error for each whose checksum is not the published one:
    /// records have no checksum of their own. For [`verify`](crate::verify); without such files, nothing.
    fn damaged_files(&self) -> Vec<Error> {
        Vec::new()
    }

    /// A short hexadecimal digest of the content (of names and sizes, for large folders): the same data, the same digest.
    fn fingerprint(&self) -> &str;
}
