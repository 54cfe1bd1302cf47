use crate::Split;

/// How a [`Folder`](crate::Folder) is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderOptions {
    /// Which part.
    pub split: Split,
    /// Of a folder without a test split of its own, every n-th image of each class is held out for it. Default 5.
    pub test_every: usize,
    /// Longest side of an image. Default 20,000 px.
    pub max_side_px: u32,
    /// Most pixels of an image, in millions. Default 100.
    pub max_megapixels: u32,
    /// The side of every image, where all are squares of one size; another size is an error when the image is read.
    /// Default: any size.
    pub exact_side_px: Option<u32>,
    /// Decodes JPEGs at a half, a quarter or an eighth of their size, the least whose sides both have at least that many pixels.
    /// Default 0: whole.
    ///
    /// It saves time, and memory, where photographs are much larger than the views made of them, and gives other pixels than
    /// decoding the whole image and then resizing it; its fingerprint is another. Of other files, and of JPEGs in CMYK or
    /// RGB, nothing is left out. Needs the feature `jpeg-turbo`.
    pub jpeg_side_px: u32,
    /// Keeps the list of images in the sub-folder `.relata-index` for the next opening. Default false.
    ///
    /// The folder is listed again where it has changed, that is where an image came, went or was renamed. An image that is
    /// rewritten in place is read as it is, but the fingerprint goes on saying its old size.
    pub index: bool,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self {
            split: Split::Train,
            test_every: 5,
            max_side_px: 20_000,
            max_megapixels: 100,
            exact_side_px: None,
            jpeg_side_px: 0,
            index: false,
        }
    }
}
