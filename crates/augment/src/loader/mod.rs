//! Batches of views, made by worker threads while the last one is in use.

mod batch;
mod config;
mod epoch;

pub use batch::{Batch, DroppedBatch, SkippedImage};
pub use config::{LoaderConfig, OnReadError};
pub use epoch::Epoch;

use std::sync::Arc;

use relata_data::Dataset;

use crate::key::epoch_order;
use crate::{Error, Pipeline, Result};
use batch::Pool;
use epoch::Job;

/// Makes an epoch's batches of views before they are needed, on worker threads, in bounded memory.
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
