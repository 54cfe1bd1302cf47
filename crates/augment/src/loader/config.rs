use crate::check::{check, within};
use crate::error::Result;
use crate::pipeline::Scratch;

/// How a [`crate::ViewLoader`] makes its batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderConfig {
    /// B, the images a batch. Default 64: the paper's.
    pub batch_size: usize,
    /// K, the views an image. Default 4: as [`crate::PipelineConfig::views`].
    pub views: usize,
    /// Threads that make batches; 0 makes them in the calling thread. Default 1. Changes no result.
    pub workers: usize,
    /// Batches made or in the making ahead of the consumer, rounded up to a multiple of the workers. Default 2.
    pub prefetch: usize,
    /// The run's seed. Default 0.
    pub seed: u64,
    /// Whether each epoch visits the images in its own random order. Default true.
    pub shuffle: bool,
    /// Whether batches of fewer than two images are left out, since one image has no negative pair. Default true.
    pub drop_single: bool,
    /// What happens where an image cannot be read. Default [`OnReadError::Fail`].
    pub on_read_error: OnReadError,
}

/// What a loader does where an image cannot be read while an epoch runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnReadError {
    /// The epoch ends with the error.
    #[default]
    Fail,
    /// The batch goes on without the image and says so in [`crate::Batch::skipped`].
    Skip,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            batch_size: 64,
            views: 4,
            workers: 1,
            prefetch: 2,
            seed: 0,
            shuffle: true,
            drop_single: true,
            on_read_error: OnReadError::Fail,
        }
    }
}

impl LoaderConfig {
    /// In order, one view an image, nothing left out: what an evaluation needs.
    #[must_use]
    pub fn evaluation(batch_size: usize) -> Self {
        Self { batch_size, views: 1, shuffle: false, drop_single: false, ..Self::default() }
    }

    /// What [`crate::ViewLoader::evaluation`] makes of these settings.
    #[must_use]
    pub fn to_evaluation(&self) -> Self {
        let Self { batch_size, views, workers, prefetch, seed, on_read_error, .. } = *self;
        Self { workers, prefetch, seed, on_read_error, ..Self::evaluation(batch_size.saturating_mul(views)) }
    }

    /// The loader's memory in bytes, about, for views of `side_px` while the consumer holds one batch: the batches in
    /// flight and the workers' scratch for images of the views' size. Images larger than the views add their own decoded size,
    /// one a worker. Saturates.
    #[must_use]
    pub fn bytes(&self, side_px: usize) -> usize {
        let factors = [self.batch_size, self.views, side_px, side_px, self.buffers()];
        let batches = factors.into_iter().fold(4 * 3, usize::saturating_mul);
        batches.saturating_add(self.workers.max(1).saturating_mul(Scratch::bytes(side_px, side_px)))
    }

    /// Batches that exist at once: those ahead and the consumer's.
    pub(super) fn buffers(&self) -> usize {
        self.workers.saturating_mul(self.prefetch_per_worker()).saturating_add(1)
    }

    /// Batches made or in the making, a worker.
    pub(super) fn prefetch_per_worker(&self) -> usize {
        self.prefetch.div_ceil(self.workers.max(1)).max(1)
    }

    pub(super) fn validate(&self, side_px: usize) -> Result<()> {
        let least = if self.drop_single { 2 } else { 1 };
        within("batch_size", self.batch_size, least, usize::MAX, "1 or more; 2 or more where batches of one image are dropped")?;
        within("views", self.views, 1, u32::MAX as usize, "1 or more")?;
        within("workers", self.workers, 0, 1024, "0 to 1024")?;
        within("prefetch", self.prefetch, 0, 1024, "0 to 1024")?;
        let row = 4 * side_px * side_px * 3;
        let bytes = self.batch_size.checked_mul(self.views).and_then(|rows| rows.checked_mul(row));
        let fits = bytes.is_some_and(|bytes| bytes <= isize::MAX as usize);
        check("batch_size", fits, self.batch_size, "a batch that fits the address space")
    }
}
