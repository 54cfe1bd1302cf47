//! Where batches of views come from: the seam in front of the backbone.

use crate::{Error, Result};
use relata_augment::{LoaderConfig, ViewLoader};
use relata_model::ImageSize;
use sha2::{Digest, Sha256};
use std::mem;

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
    /// Refuses a batch that a source should not have given when asked for the first from number `from` on; `least` are the fewest images
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

/// The fewest images of a batch to train on: one alone has nothing to be told from, and its only negative would be itself.
pub(crate) const FEWEST_TO_TRAIN_ON: usize = 2;
/// The fewest images of a batch that is only looked at.
pub(crate) const FEWEST_TO_LOOK_AT: usize = 1;

/// A batch that a [`ViewSource`] fills. The trainer keeps it from step to step, so that its buffers are used again.
#[derive(Debug, Default)]
pub struct ViewBuffer {
    /// `[K·B, H, W, C]`, view-major: row k·B + b is view k of image b.
    pub rows: Vec<f32>,
    /// The B images' numbers in the data.
    pub images: Vec<usize>,
    /// The batch's number in its epoch, from 0.
    pub index: usize,
    /// What should have been there and is not; told to the observer, and emptied, by the trainer.
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

/// Gives the trainer its batches of views. [`ViewLoader`] does so for images and [`crate::RowViews`] for rows of numbers; implement
/// it for views that neither can make.
///
/// A batch is a function of its epoch and its number: then a run that was resumed, which asks for batches in the midst of an
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

    /// A short digest of all that decides what the views are. Checkpoints hold it, and a run is not taken up again with another.
    fn fingerprint(&self) -> String;

    /// Whether a run on views with the fingerprint `trained` may be taken up with these: where it is their own. A source whose fingerprint
    /// once had another form knows that one too.
    fn continues(&self, trained: &str) -> bool {
        trained == self.fingerprint()
    }

    /// Fills `batch` with the first batch of an epoch (the first is 0) from number `from` on, and says which it is; `false`
    /// where there is none left. B may be smaller than [`SourceShape::batch_size`], not larger, and not 1 but in a
    /// [`ViewSource::plain`] pass: an image alone has nothing to be told from. Leave it out, and say so in [`ViewBuffer::left_out`]. What
    /// `batch` holds before is what it was last filled with, or nothing.
    ///
    /// # Errors
    /// Where the views cannot be made; the run ends.
    fn fill(&mut self, epoch: u32, from: usize, batch: &mut ViewBuffer) -> Result<bool>;

    /// A source of the same images as they are: one view of each, in order, nothing random. Asked for by methods that look at
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

/// What [`crate::Setup`] takes as its loader: a [`ViewLoader`] of images, or any [`ViewSource`].
pub trait IntoViewSource {
    /// The source.
    fn into_view_source(self) -> Box<dyn ViewSource>;
}

impl<V: ViewSource + 'static> IntoViewSource for V {
    fn into_view_source(self) -> Box<dyn ViewSource> {
        Box::new(self)
    }
}

impl IntoViewSource for ViewLoader {
    fn into_view_source(self) -> Box<dyn ViewSource> {
        Box::new(ImageViews { loader: self, running: None })
    }
}

/// A loader whose workers stay ahead as long as it is asked for one batch after the other.
struct ImageViews {
    loader: ViewLoader,
    running: Option<Running>,
}

struct Running {
    epoch: u32,
    /// Number of the batch that comes next.
    next: usize,
    batches: relata_augment::Epoch,
    /// The batch whose rows are lent out: they go back through it to the loader.
    lent: Option<relata_augment::Batch>,
}

impl ViewSource for ImageViews {
    fn shape(&self) -> SourceShape {
        let (config, dataset, side_px) = (self.loader.config(), self.loader.dataset(), self.loader.pipeline().side_px());
        SourceShape {
            images: dataset.len(),
            classes: dataset.class_names().len(),
            batch_size: config.batch_size,
            views: config.views,
            size: ImageSize::square_rgb(side_px),
        }
    }

    fn batches_per_epoch(&self) -> usize {
        self.loader.batches_per_epoch()
    }

    fn fewest_in_a_batch(&self) -> usize {
        let LoaderConfig { batch_size, drop_single, .. } = *self.loader.config();
        let keeps_single = !drop_single && self.loader.dataset().len() % batch_size == 1;
        if keeps_single { 1 } else { FEWEST_TO_TRAIN_ON }
    }

    /// The images' own fingerprint, and a digest of pipeline, B, K, seed and order. What happens where an image cannot be read is no part
    /// of it: the images' own fingerprint tells those that were left out before the first step.
    fn fingerprint(&self) -> String {
        let LoaderConfig { batch_size, views, seed, shuffle, drop_single, workers: _, prefetch: _, on_bad_image: _ } =
            *self.loader.config();
        // A batch of all images is the same, however many more it could hold.
        let (dataset, batch_size) = (self.loader.dataset(), batch_size.min(self.loader.dataset().len()));
        let text = format!(
            "batches of {batch_size}, {views} views, seed {seed}, shuffled {shuffle}, single left out {drop_single}; {}",
            self.loader.pipeline().definition()
        );
        format!("{}-{}", dataset.fingerprint(), short(Sha256::new().chain_update(text)))
    }

    /// The images' fingerprint alone is what older checkpoints hold.
    fn continues(&self, trained: &str) -> bool {
        trained == self.fingerprint() || trained == self.loader.dataset().fingerprint()
    }

    fn fill(&mut self, epoch: u32, from: usize, batch: &mut ViewBuffer) -> Result<bool> {
        let running = match &mut self.running {
            Some(running) if (running.epoch, running.next) == (epoch, from) => running,
            other => {
                let batches = self.loader.epoch_from(epoch, from);
                other.insert(Running { epoch, next: from, batches, lent: None })
            }
        };
        // Before the next is taken: the loader makes do with a fixed number of buffers.
        if let Some(mut lent) = running.lent.take() {
            mem::swap(&mut lent.rows, &mut batch.rows);
        }
        let Some(mut made) = running.batches.next().transpose()? else {
            batch.left_out.extend(running.batches.dropped().iter().map(|dropped| LeftOut {
                images: dropped.images.len(),
                reason: "a batch of a single image has nothing to be told from".to_owned(),
            }));
            self.running = None;
            return Ok(false);
        };
        mem::swap(&mut batch.rows, &mut made.rows);
        mem::swap(&mut batch.images, &mut made.images);
        batch.index = made.index;
        batch
            .left_out
            .extend(made.skipped.first().map(|first| LeftOut { images: made.skipped.len(), reason: format!("broken: {first}") }));
        running.next = made.index + 1;
        running.lent = Some(made);
        Ok(true)
    }

    fn plain(&self) -> Result<Box<dyn ViewSource>> {
        Ok(self.loader.evaluation()?.into_view_source())
    }

    fn label(&self, image: usize) -> Option<usize> {
        self.loader.dataset().label(image)
    }

    fn origin(&self, image: usize) -> String {
        self.loader.dataset().source(image)
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
