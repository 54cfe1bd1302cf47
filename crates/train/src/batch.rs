//! Sizes of batches and of what is built for them.

use relata_model::{ImageSize, Layout};

/// The fewest images of a batch to train on: one alone has no other to be compared with, and its only negative would be itself.
pub(crate) const FEWEST_TO_TRAIN_ON: usize = 2;
/// The fewest images of a batch that is only looked at.
pub(crate) const FEWEST_TO_LOOK_AT: usize = 1;

/// How many images and views a batch holds; rows are view-major, `view · images + image`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchShape {
    /// B.
    pub images: usize,
    /// K.
    pub views: usize,
}

impl BatchShape {
    /// N = K·B.
    #[must_use]
    pub fn rows(self) -> usize {
        self.images * self.views
    }
}

/// A batch of views as their source gives it, before the backbone.
#[derive(Debug, Clone, Copy)]
pub struct ViewBatch<'a> {
    /// `[K·B, H, W, C]`.
    pub rows: &'a [f32],
    /// K and B.
    pub shape: BatchShape,
    /// Of a view.
    pub size: ImageSize,
}

/// What a method's head is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadShape {
    /// D, width of the features.
    pub width: usize,
    /// K, views an image.
    pub views: usize,
    /// Most images a batch.
    pub max_images: usize,
    /// Images of the data.
    pub images: usize,
    /// Classes of the data; 0 where they have no labels.
    pub classes: usize,
    /// Of a view.
    pub size: ImageSize,
    /// Size of the backbone's first activation, H x W x C; empty where there is none.
    pub first_map: Layout,
}
