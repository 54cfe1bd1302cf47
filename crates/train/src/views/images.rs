//! Views of images: a loader as the trainer's source.

use super::{IntoViewSource, LeftOut, SourceShape, ViewBuffer, ViewSource, short};
use crate::Result;
use crate::batch::FEWEST_TO_TRAIN_ON;
use relata_augment::{LoaderConfig, ViewLoader};
use relata_model::ImageSize;
use sha2::{Digest, Sha256};
use std::mem;

impl IntoViewSource for ViewLoader {
    fn into_view_source(self) -> Box<dyn ViewSource> {
        Box::new(ImageViews { loader: self, running: None })
    }
}

/// A loader whose workers prepare the next batches as long as batches are requested in order.
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
        let LoaderConfig { batch_size, views, seed, shuffle, drop_single, workers: _, prefetch: _, on_read_error: _ } =
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
                reason: "a batch of a single image has no other to be compared with".to_owned(),
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
