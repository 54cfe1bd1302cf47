use crate::{Image, Result};

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

    /// Where image `index` comes from, for messages: a path, or `file, record 17`.
    fn source(&self, index: usize) -> String;

    /// A short hexadecimal digest of the content (of names and sizes, for large folders): the same data, the same digest.
    fn fingerprint(&self) -> &str;
}
