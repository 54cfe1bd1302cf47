use std::fmt;
use std::sync::{Arc, Mutex};

/// K views of each of B images, view-major: row k · B + b is view k of image b.
///
/// Dropping a batch hands its buffer back to the loader that made it.
pub struct Batch {
    /// `[K · B, side, side, 3]`.
    pub rows: Vec<f32>,
    /// The B images' indices in the data set.
    pub images: Vec<usize>,
    /// K, the views an image.
    pub views: usize,
    /// Side of a view in pixels.
    pub side_px: usize,
    /// The batch's number in its epoch, from 0.
    pub index: usize,
    /// Images that should have been in this batch and could not be read ([`crate::OnReadError::Skip`] only).
    pub skipped: Vec<SkippedImage>,
    pub(crate) pool: Arc<Pool>,
}

impl Batch {
    /// B, the number of images; below the batch size at the end of an epoch and where images were skipped.
    #[must_use]
    pub fn size(&self) -> usize {
        self.images.len()
    }

    /// Floats of one row: side · side · 3.
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.side_px * self.side_px * 3
    }

    /// View `view` of the batch's image number `image`: `[side, side, 3]`.
    ///
    /// # Panics
    /// Where there is no such row, as slice indexing does.
    #[must_use]
    pub fn row(&self, view: usize, image: usize) -> &[f32] {
        &self.rows[(view * self.size() + image) * self.row_len()..][..self.row_len()]
    }

    /// The rows, given away; their buffer is then not used again.
    #[must_use]
    pub fn into_rows(mut self) -> Vec<f32> {
        std::mem::take(&mut self.rows)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.rows));
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, views, images, .. } = self;
        f.debug_struct("Batch").field("index", index).field("views", views).field("images", images).finish_non_exhaustive()
    }
}

/// An image that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedImage {
    /// Its index in the data set.
    pub image: usize,
    /// Where it comes from, as the data set names it.
    pub origin: String,
    /// Why it could not be read.
    pub reason: String,
}

/// The reason, behind the origin where it does not name that itself.
impl std::fmt::Display for SkippedImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { origin, reason, .. } = self;
        if reason.contains(origin.as_str()) { f.write_str(reason) } else { write!(f, "{origin}: {reason}") }
    }
}

/// A batch that was not delivered because fewer than two of its images could be read: one image has no negative pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedBatch {
    /// The batch's number in its epoch.
    pub index: usize,
    /// The images that could have been read, none or one.
    pub images: Vec<usize>,
    /// The images that could not be read.
    pub skipped: Vec<SkippedImage>,
}

/// Buffers waiting for their next batch: fresh memory costs page faults, used memory does not.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Mutex<Vec<Vec<f32>>>,
    most: usize,
}

impl Pool {
    pub(crate) fn new(most: usize) -> Self {
        Self { free: Mutex::new(Vec::with_capacity(most)), most }
    }

    /// A buffer of `len` floats with any content.
    pub(crate) fn take(&self, len: usize) -> Vec<f32> {
        let mut buffer = self.free.lock().ok().and_then(|mut free| free.pop()).unwrap_or_default();
        buffer.resize(len, 0.0);
        buffer
    }

    fn give(&self, buffer: Vec<f32>) {
        if buffer.capacity() > 0
            && let Ok(mut free) = self.free.lock()
            && free.len() < self.most
        {
            free.push(buffer);
        }
    }
}
