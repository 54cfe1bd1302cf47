use std::sync::Arc;

use relata_data::Dataset;

use crate::batch::Pool;
use crate::config::{check, within};
use crate::epoch::{Epoch, Job};
use crate::key::epoch_order;
use crate::{Error, Pipeline, Result, Scratch};

/// How a [`ViewLoader`] makes its batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderConfig {
    /// B, the images a batch. Default 64: the paper's.
    pub batch_size: usize,
    /// K, the views an image. Default 4: as [`crate::PipelineConfig::views`].
    pub views: usize,
    /// Threads that make batches; 0 makes them in the thread that asks for them. Default 1. Changes no result.
    pub workers: usize,
    /// Batches made or in the making ahead of the consumer, rounded up to a multiple of the workers. Default 2.
    pub prefetch: usize,
    /// The run's seed. Default 0.
    pub seed: u64,
    /// Whether each epoch visits the images in its own random order. Default true.
    pub shuffle: bool,
    /// Whether batches of fewer than two images are left out, since one image has nothing to be told apart from. Default true.
    pub drop_single: bool,
    /// What happens where an image cannot be read. Default [`OnBadImage::Error`].
    pub on_bad_image: OnBadImage,
}

/// What a loader does where an image cannot be read. [`relata_data::OnBadImage`] is another: it says which images there are at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBadImage {
    /// The epoch ends with the error.
    #[default]
    Error,
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
            on_bad_image: OnBadImage::Error,
        }
    }
}

impl LoaderConfig {
    /// In order, one view an image, nothing left out: what an evaluation asks for.
    #[must_use]
    pub fn evaluation(batch_size: usize) -> Self {
        Self { batch_size, views: 1, shuffle: false, drop_single: false, ..Self::default() }
    }

    /// What [`ViewLoader::evaluation`] makes of these settings.
    #[must_use]
    pub fn to_evaluation(&self) -> Self {
        let Self { batch_size, views, workers, prefetch, seed, on_bad_image, .. } = *self;
        Self { workers, prefetch, seed, on_bad_image, ..Self::evaluation(batch_size.saturating_mul(views)) }
    }

    /// The loader's memory in bytes, about, for views of `side_px` while the consumer holds one batch: the batches in
    /// flight and the workers' scratch for images of the views' size; more than a number holds is the largest number. Images larger than the views add their own decoded
    /// size, one a worker.
    #[must_use]
    pub fn bytes(&self, side_px: usize) -> usize {
        let factors = [self.batch_size, self.views, side_px, side_px, self.buffers()];
        let batches = factors.into_iter().fold(4 * 3, usize::saturating_mul);
        batches.saturating_add(self.workers.max(1).saturating_mul(Scratch::bytes(side_px, side_px)))
    }

    /// Batches that exist at once: those ahead and the consumer's.
    fn buffers(&self) -> usize {
        self.workers.saturating_mul(self.ahead()).saturating_add(1)
    }

    /// Batches made or in the making, a worker.
    pub(crate) fn ahead(&self) -> usize {
        self.prefetch.div_ceil(self.workers.max(1)).max(1)
    }

    fn validate(&self, side_px: usize) -> Result<()> {
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

/// Makes an epoch's batches of views ahead of their use, on worker threads, in bounded memory.
///
/// Batches come in order and hold the same bits whatever the number of workers. Worker w makes the batches w, w + W,
/// w + 2W ...; each has a bounded queue, and the consumer empties them in turn.
#[derive(Clone)]
pub struct ViewLoader {
    dataset: Arc<dyn Dataset>,
    pipeline: Pipeline,
    config: LoaderConfig,
    pool: Arc<Pool>,
}

impl ViewLoader {
    /// A loader over a data set.
    ///
    /// # Errors
    /// [`Error::Setting`] where a setting lies outside its range, [`Error::EmptyDataset`] where there are no images.
    pub fn new(dataset: Arc<dyn Dataset>, pipeline: Pipeline, config: LoaderConfig) -> Result<Self> {
        config.validate(pipeline.side_px())?;
        if dataset.is_empty() {
            return Err(Error::EmptyDataset);
        }
        let pool = Arc::new(Pool::new(config.buffers()));
        Ok(Self { dataset, pipeline, config, pool })
    }

    /// How batches are made.
    #[must_use]
    pub fn config(&self) -> &LoaderConfig {
        &self.config
    }

    /// A loader of the same images as they are, normalised alike: in order, one view an image, nothing random or left out, in
    /// batches of as many rows.
    ///
    /// # Errors
    /// None that this loader has not had.
    pub fn evaluation(&self) -> Result<Self> {
        Self::new(Arc::clone(&self.dataset), self.pipeline.without_randomness(), self.config.to_evaluation())
    }

    /// The images that views are made of.
    #[must_use]
    pub fn dataset(&self) -> &dyn Dataset {
        &*self.dataset
    }

    /// How views are made.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Batches of an epoch in which every image can be read. A tail of one image does not count where it is dropped.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        self.dataset.len().div_ceil(self.config.batch_size) - usize::from(self.drops_tail())
    }

    /// The batches of an epoch, from its first. Work starts at once.
    #[must_use]
    pub fn epoch(&self, epoch: u32) -> Epoch {
        self.epoch_from(epoch, 0)
    }

    /// The batches of an epoch from number `first_batch` on, the same as [`ViewLoader::epoch`] gives there: for a resumed run.
    #[must_use]
    pub fn epoch_from(&self, epoch: u32, first_batch: usize) -> Epoch {
        let images = self.dataset.len();
        let order = if self.config.shuffle { epoch_order(self.config.seed, epoch, images) } else { (0..images).collect() };
        let job = Job {
            dataset: Arc::clone(&self.dataset),
            pipeline: self.pipeline.clone(),
            config: self.config.clone(),
            pool: Arc::clone(&self.pool),
            epoch,
            order,
            batches: self.batches_per_epoch(),
        };
        Epoch::start(job, first_batch, self.drops_tail())
    }

    fn drops_tail(&self) -> bool {
        self.config.drop_single && self.dataset.len() % self.config.batch_size == 1
    }
}

impl std::fmt::Debug for ViewLoader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ViewLoader").field("images", &self.dataset.len()).field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
