/// An epoch of a training that is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochDone {
    /// Epochs done, from 1.
    pub done: usize,
    /// Of how many.
    pub total: usize,
    /// Mean cross-entropy of the images as this epoch saw them.
    pub mean_loss: f64,
    /// The backbone's learning rate in this epoch.
    pub lr: f64,
}

/// Where a training starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrainingStart {
    /// At its first step.
    New,
    /// At its first step: the unfinished training that was there is one of other settings, images or weights.
    Replaced,
    /// Where it was stopped.
    Resumed {
        /// Whole epochs done.
        epochs: usize,
        /// Of how many.
        total: usize,
        /// Seconds that it has taken so far.
        seconds: f64,
    },
}

/// Follows a training that takes long, and may stop it.
pub trait TrainingObserver {
    /// Hears of its start.
    fn start(&mut self, _start: TrainingStart) {}

    /// Hears of every epoch.
    fn epoch(&mut self, epoch: EpochDone);

    /// Asked after every step whether it is to be saved and stopped.
    fn wants_stop(&mut self) -> bool {
        false
    }
}

/// Follows and never stops.
impl<F: FnMut(EpochDone)> TrainingObserver for F {
    fn epoch(&mut self, epoch: EpochDone) {
        self(epoch);
    }
}
