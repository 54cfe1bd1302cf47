//! Where batches of views come from: the seam in front of the backbone.

mod images;
mod rows;

pub use rows::{RowViews, RowViewsConfig};

use crate::batch::FEWEST_TO_TRAIN_ON;
use crate::{Error, Result};
use relata_model::ImageSize;
use sha2::{Digest, Sha256};

/// What a [`ViewSource`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceShape {
    /// Images of the data; or rows, series, whatever the views are views of.
    pub images: usize,
    /// Classes of the data; 0 where they have no labels.
    pub classes: usize,
    /// B, the most images a batch; 2 or more to train on.
    pub batch_size: usize,
    /// K, views an image.
    pub views: usize,
    /// Of a view; [`ImageSize::row`] for rows of numbers.
    pub size: ImageSize,
}

impl SourceShape {
    /// Refuses a batch that a source should not have given when the first from number `from` on was requested; `least` are the fewest images
    /// that it may hold.
    pub(crate) fn check(&self, batch: &ViewBuffer, from: usize, least: usize) -> Result<()> {
        let wrong = |what, expected: String, got: usize| Err(Error::Size { what, expected, got: got.to_string() });
        let images = batch.images.len();
        if batch.index < from {
            return wrong("the batch that the views' source gave", format!("number {from} of the epoch or later"), batch.index);
        }
        if !(least..=self.batch_size).contains(&images) {
            return wrong("images in a batch of the views' source", format!("{least} to {}", self.batch_size), images);
        }
        if let Some(&image) = batch.images.iter().find(|&&image| image >= self.images) {
            return wrong("an image's number in a batch of the views' source", format!("below {}", self.images), image);
        }
        let floats = self.views * images * self.size.len();
        if batch.rows.len() != floats {
            let expected = format!("{} views x {images} images x {} = {floats}", self.views, self.size);
            return wrong("floats in a batch of the views' source", expected, batch.rows.len());
        }
        Ok(())
    }
}

/// A batch that a [`ViewSource`] fills. The trainer keeps it from step to step, so that its buffers are used again.
#[derive(Debug, Default)]
pub struct ViewBuffer {
    /// `[K·B, H, W, C]`, view-major: row k·B + b is view k of image b.
    pub rows: Vec<f32>,
    /// The B images' numbers in the data.
    pub images: Vec<usize>,
    /// The batch's number in its epoch, from 0.
    pub index: usize,
    /// Images that are missing from the batch; the trainer reports them to the observer and empties the list.
    pub left_out: Vec<LeftOut>,
}

/// Images that a batch had to do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub images: usize,
    /// Why, with the first one's name where it is broken.
    pub reason: String,
}

/// Gives the trainer its batches of views. [`relata_augment::ViewLoader`] does so for images and [`crate::RowViews`] for rows of numbers; implement
/// it for views that neither can make.
///
/// A batch is a function of its epoch and its number: then a run that was resumed, which requests batches in the middle of an
/// epoch, goes on with the same bits.
pub trait ViewSource: Send {
    /// Sizes of the data and of its batches; always the same.
    fn shape(&self) -> SourceShape;

    /// Batches of an epoch.
    fn batches_per_epoch(&self) -> usize;

    /// What the smallest batch of an epoch holds, as far as that is known before. A run on batches of one image ends before its first step.
    fn fewest_in_a_batch(&self) -> usize {
        FEWEST_TO_TRAIN_ON
    }

    /// A short digest of all that decides what the views are. Checkpoints hold it, and a run is not resumed with another.
    fn fingerprint(&self) -> String;

    /// Whether a run on views with the fingerprint `trained` may be resumed with these: where it is their own. A source whose fingerprint
    /// once had another form knows that one too.
    fn continues(&self, trained: &str) -> bool {
        trained == self.fingerprint()
    }

    /// Fills `batch` with the first batch of an epoch (the first is 0) from number `from` on, and says which it is; `false`
    /// where there is none left. B may be smaller than [`SourceShape::batch_size`], not larger, and not 1 but in a
    /// [`ViewSource::plain`] pass: an image alone has no other to be compared with. Leave it out, and say so in [`ViewBuffer::left_out`]. What
    /// `batch` holds before is what it was last filled with, or nothing.
    ///
    /// # Errors
    /// Where the views cannot be made; the run ends.
    fn fill(&mut self, epoch: u32, from: usize, batch: &mut ViewBuffer) -> Result<bool>;

    /// A source of the same images as they are: one view of each, in order, nothing random. For methods that look at
    /// the features of all images.
    ///
    /// # Errors
    /// Where there can be none.
    fn plain(&self) -> Result<Box<dyn ViewSource>>;

    /// The class of an image, in `0..classes`; `None` where it has none.
    fn label(&self, _image: usize) -> Option<usize> {
        None
    }

    /// Where an image comes from, for messages.
    fn origin(&self, image: usize) -> String {
        format!("number {image} of the data")
    }
}

/// What [`crate::Setup`] takes as its loader: a [`relata_augment::ViewLoader`] of images, or any [`ViewSource`].
pub trait IntoViewSource {
    /// The source.
    fn into_view_source(self) -> Box<dyn ViewSource>;
}

impl<V: ViewSource + 'static> IntoViewSource for V {
    fn into_view_source(self) -> Box<dyn ViewSource> {
        Box::new(self)
    }
}

/// The first 8 bytes of a digest, in hexadecimal.
pub(crate) fn short(digest: Sha256) -> String {
    digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The label of an image that must have one, in `0..classes`.
pub(crate) fn label(source: &dyn ViewSource, image: usize, classes: usize) -> Result<usize> {
    let label = source.label(image).ok_or_else(|| Error::NoLabel { image, origin: source.origin(image) })?;
    if label >= classes {
        return Err(Error::LabelOutOfRange { image, origin: source.origin(image), label, classes });
    }
    Ok(label)
}
