use relata_model::Backbone;
use std::path::Path;

/// What happens during a run. Rates and times are for people; they are not repeatable.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A step was taken.
    Step(&'a StepReport),
    /// An epoch ended.
    Epoch(&'a EpochReport),
    /// A checkpoint is safely on disk.
    Checkpoint {
        /// The file.
        path: &'a Path,
    },
    /// Images were left out: broken ones, or a batch of a single one, which has no other to be compared with.
    LeftOut {
        /// How many images.
        images: usize,
        /// Why, with the first one's name where it is broken.
        reason: String,
    },
}

/// One step.
#[derive(Debug, Clone, Default)]
pub struct StepReport {
    /// Steps since the run began.
    pub step: u64,
    /// The epoch that it belongs to; the first is 1.
    pub epoch: u32,
    /// Epochs of the whole run.
    pub epochs: u32,
    /// Number of this batch in its epoch; the first is 1.
    pub batch: usize,
    /// Batches an epoch.
    pub batches: usize,
    /// Loss of the batch.
    pub loss: f64,
    /// The method's own figures of the batch.
    pub figures: Vec<(&'static str, f64)>,
    /// Views a second, lately.
    pub views_per_s: f64,
    /// Seconds to the end of the run at that rate.
    pub eta_s: f64,
}

/// One epoch.
#[derive(Debug, Clone, Default)]
pub struct EpochReport {
    /// The first is 1.
    pub epoch: u32,
    /// Epochs of the whole run.
    pub epochs: u32,
    /// Mean loss over the steps of this epoch that this process took; none where it took none, since the run was stopped behind the last
    /// batch and then resumed.
    pub loss: Option<f64>,
    /// Means of the method's own figures over those steps.
    pub figures: Vec<(&'static str, f64)>,
    /// Seconds that it took.
    pub seconds: f64,
    /// Share of that time that steps waited for views, in [0, 1]; 0 without a step.
    pub waiting: f64,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Save and stop after this step.
    Stop,
}

/// Gets the events of a run, and may stop the run after a step.
pub trait Observer {
    /// Called for every event, between steps.
    fn event(&mut self, event: &Event<'_>) -> Flow;

    /// Called at the end of every epoch, the first being 1, in front of its checkpoint, with the backbone for passes in
    /// [`Mode::Eval`](relata_model::Mode::Eval); its parameters are not to be changed. What it measures, by name, becomes a line of
    /// metrics.jsonl of its own, each name behind [`relata_artifact::ONLINE`]. The time that it takes counts for no step and no epoch.
    ///
    /// # Errors
    /// Whatever ends the run, as [`crate::Error::Observer`].
    fn after_epoch(&mut self, _epoch: u32, _backbone: &mut dyn Backbone) -> Result<Vec<(&'static str, f64)>, ObserverError> {
        Ok(Vec::new())
    }
}

/// What an observer can fail with.
pub type ObserverError = Box<dyn std::error::Error + Send + Sync>;

/// Nobody: goes on to the end.
impl Observer for () {
    fn event(&mut self, _: &Event<'_>) -> Flow {
        Flow::Continue
    }
}
