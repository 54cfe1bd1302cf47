use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use relata_data::Dataset;

use super::batch::{Batch, DroppedBatch, Pool, SkippedImage};
use super::config::{LoaderConfig, OnReadError};
use crate::{Error, Pipeline, Result, Scratch, ViewKey};

/// The batches of one epoch, in order: an iterator. The first error ends it.
///
/// Dropping it before its end stops the workers after the image that each is at, and waits for them.
pub struct Epoch {
    job: Arc<Job>,
    first: usize,
    next: usize,
    producer: Producer,
    failed: Option<Error>,
    dropped: Vec<DroppedBatch>,
}

/// Where the batches are made.
enum Producer {
    Here(Box<Scratch>),
    Workers(Workers),
    Nobody,
}

/// Threads, one queue each, and the flag that stops them.
struct Workers {
    queues: Vec<Receiver<Result<BatchOutcome>>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

/// What became of a batch.
enum BatchOutcome {
    Batch(Batch),
    Dropped(DroppedBatch),
    Stopped,
}

/// All that is needed to make any batch of an epoch.
pub(crate) struct Job {
    pub(crate) dataset: Arc<dyn Dataset>,
    pub(crate) pipeline: Pipeline,
    pub(crate) config: LoaderConfig,
    pub(crate) pool: Arc<Pool>,
    pub(crate) epoch: u32,
    pub(crate) order: Vec<usize>,
    pub(crate) batches: usize,
}

impl Epoch {
    pub(crate) fn start(job: Job, first: usize, drops_tail: bool) -> Self {
        let tail = job.order.last().copied().filter(|_| drops_tail);
        let tail = tail.map(|image| DroppedBatch { index: job.batches, images: vec![image], skipped: Vec::new() });
        let job = Arc::new(job);
        let mut epoch =
            Self { first, next: first, producer: Producer::Nobody, failed: None, dropped: tail.into_iter().collect(), job };
        let workers = epoch.job.config.workers.min(epoch.job.batches.saturating_sub(first));
        if workers == 0 {
            epoch.producer = Producer::Here(Box::default());
        } else {
            match Workers::start(&epoch.job, first, workers) {
                Ok(workers) => epoch.producer = Producer::Workers(workers),
                Err(error) => epoch.failed = Some(error),
            }
        }
        epoch
    }

    /// Batches that were left out because fewer than two of their images were there: a tail of one image is known from
    /// the start, others are added as the iteration reaches them.
    #[must_use]
    pub fn dropped(&self) -> &[DroppedBatch] {
        &self.dropped
    }

    fn make_next(&mut self) -> Result<BatchOutcome> {
        match &mut self.producer {
            Producer::Here(scratch) => guarded(self.next, || self.job.make(self.next, scratch, &AtomicBool::new(false))),
            Producer::Workers(workers) => {
                let queue = &workers.queues[(self.next - self.first) % workers.queues.len()];
                let ended = |_| Err(Error::WorkerPanic { batch: self.next, message: "the worker has ended".to_owned() });
                queue.recv().unwrap_or_else(ended)
            }
            Producer::Nobody => Ok(BatchOutcome::Stopped),
        }
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        while self.next < self.job.batches {
            let made = self.make_next();
            self.next += 1;
            match made {
                Ok(BatchOutcome::Batch(batch)) => return Some(Ok(batch)),
                Ok(BatchOutcome::Dropped(batch)) => self.dropped.push(batch),
                Ok(BatchOutcome::Stopped) => break,
                Err(error) => {
                    self.next = self.job.batches;
                    self.producer = Producer::Nobody;
                    return Some(Err(error));
                }
            }
        }
        self.producer = Producer::Nobody;
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.job.batches.saturating_sub(self.next)))
    }
}

impl std::fmt::Debug for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Job { epoch, batches, .. } = &*self.job;
        f.debug_struct("Epoch").field("epoch", epoch).field("next", &self.next).field("batches", batches).finish_non_exhaustive()
    }
}

impl Workers {
    fn start(job: &Arc<Job>, first: usize, count: usize) -> Result<Self> {
        let mut workers = Self { queues: Vec::new(), threads: Vec::new(), stop: Arc::new(AtomicBool::new(false)) };
        for worker in 0..count {
            // The batch in the making counts as one of those prefetched.
            let (sender, queue) = bounded(job.config.prefetch_per_worker() - 1);
            let (job, stop) = (Arc::clone(job), Arc::clone(&workers.stop));
            let work = move || job.work(first + worker, count, &stop, &sender);
            let thread = thread::Builder::new().name(format!("views-{worker}")).spawn(work);
            workers.threads.push(thread.map_err(|source| Error::Spawn { worker, source })?);
            workers.queues.push(queue);
        }
        Ok(workers)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Closed queues wake the workers that wait to send.
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // Panics were caught and sent as errors; what is left of the thread holds nothing of interest.
            drop(thread.join());
        }
    }
}

impl Job {
    /// A worker's life: every `step`-th batch from `first` on, until the end, an error, or nobody listens.
    fn work(&self, first: usize, step: usize, stop: &AtomicBool, queue: &Sender<Result<BatchOutcome>>) {
        let mut scratch = Scratch::default();
        for index in (first..self.batches).step_by(step) {
            let made = guarded(index, || self.make(index, &mut scratch, stop));
            let last = !matches!(made, Ok(BatchOutcome::Batch(_) | BatchOutcome::Dropped(_)));
            if queue.send(made).is_err() || last {
                return;
            }
        }
    }

    fn make(&self, index: usize, scratch: &mut Scratch, stop: &AtomicBool) -> Result<BatchOutcome> {
        let Self { pipeline, config, epoch, .. } = self;
        let start = index * config.batch_size;
        let planned_images = &self.order[start..self.order.len().min(start + config.batch_size)];
        let (row, planned) = (pipeline.view_len(), planned_images.len());
        let mut batch = Batch {
            rows: self.pool.take(config.views * planned * row),
            images: Vec::with_capacity(planned),
            views: config.views,
            side_px: pipeline.side_px(),
            index,
            skipped: Vec::new(),
            pool: Arc::clone(&self.pool),
        };
        for &number in planned_images {
            if stop.load(Ordering::Relaxed) {
                return Ok(BatchOutcome::Stopped);
            }
            let image = match (self.dataset.image(number), config.on_read_error) {
                (Ok(image), _) => image,
                (Err(source), OnReadError::Fail) => {
                    return Err(Error::Image { index: number, origin: self.dataset.source(number), source });
                }
                (Err(error), OnReadError::Skip) => {
                    batch.skipped.push(SkippedImage {
                        image: number,
                        origin: self.dataset.source(number),
                        reason: chain(&error),
                    });
                    continue;
                }
            };
            for view in 0..config.views {
                let key = ViewKey { seed: config.seed, epoch: *epoch, image: number as u64, view: view as u32 };
                let at = (view * planned + batch.images.len()) * row;
                pipeline.view_into(&image, key, &mut batch.rows[at..at + row], scratch);
            }
            batch.images.push(number);
        }
        close_ranks(&mut batch, planned, row);
        let least = if config.drop_single { 2 } else { 1 };
        if batch.images.len() >= least {
            return Ok(BatchOutcome::Batch(batch));
        }
        let (images, skipped) = (std::mem::take(&mut batch.images), std::mem::take(&mut batch.skipped));
        Ok(BatchOutcome::Dropped(DroppedBatch { index, images, skipped }))
    }
}

/// Where images were skipped, moves the rows of each view up to those of the view before, so that row k · B + b holds with the B that is left.
fn close_ranks(batch: &mut Batch, planned: usize, row: usize) {
    let size = batch.images.len();
    if size < planned {
        for view in 1..batch.views {
            let from = view * planned * row;
            batch.rows.copy_within(from..from + size * row, view * size * row);
        }
        batch.rows.truncate(batch.views * size * row);
    }
}

/// Turns a panic into an error, so that a fault in one image's decoder is not a hang of the whole run.
fn guarded(batch: usize, make: impl FnOnce() -> Result<BatchOutcome>) -> Result<BatchOutcome> {
    catch_unwind(AssertUnwindSafe(make))
        .unwrap_or_else(|payload| Err(Error::WorkerPanic { batch, message: panic_message(&*payload) }))
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
