//! `[train]` of a configuration.

use crate::error::check;
use crate::{Error, Result};
use relata_optim::{OPTIMIZERS, OptimizerEntry, Schedule};
use serde::{Deserialize, Serialize};

/// `train.optimizer` where the method chooses.
const AUTO: &str = "auto";

/// `[train]` of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the data. Default 20; the paper trains for 200.
    pub epochs: u32,
    /// B, images a batch; each is seen K times. Default 64, the paper's.
    pub batch_size: usize,
    /// A name of [`OPTIMIZERS`], or `auto`, the default: the one that the method's reference trains with.
    pub optimizer: String,
    /// Learning rate. Default 1e-3, the paper's with Adam. A method may have a setting of its own.
    pub lr: f64,
    /// SGD's momentum, where `optimizer` names an optimiser that has one. Default 0.9.
    pub momentum: f64,
    /// How the learning rate goes over the run. Default constant, the paper's. Multiplies what the method asks for.
    pub schedule: Schedule,
    /// Epochs, or a part of one, in which the learning rate rises in a line from nothing. Default 0: the paper has none.
    pub warmup_epochs: f64,
    /// Decoupled weight decay (AdamW's) of the weights of convolutions and linear layers, not of biases and batch norms; with any
    /// optimiser. Default 0: the paper has none.
    pub weight_decay: f64,
    /// Worker threads that make views; 0 (the default): one for every two compute threads.
    pub workers: usize,
    /// Batches of views that are prepared before they are needed. Default 4.
    pub prefetch: usize,
    /// Steps that one line of metrics.jsonl sums up. Default 20.
    pub log_every: u64,
    /// Steps between checkpoints within an epoch; 0 (the default): only at its end.
    pub checkpoint_every: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        let (schedule, warmup_epochs, weight_decay) = (Schedule::Constant, 0.0, 0.0);
        let (workers, prefetch, log_every, checkpoint_every) = (0, 4, 20, 0);
        let (epochs, batch_size, lr) = (20, 64, 1e-3);
        let (optimizer, momentum) = (AUTO.to_owned(), 0.9);
        Self {
            epochs,
            batch_size,
            optimizer,
            lr,
            momentum,
            schedule,
            warmup_epochs,
            weight_decay,
            workers,
            prefetch,
            log_every,
            checkpoint_every,
        }
    }
}

impl TrainConfig {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that lies outside.
    pub fn validate(&self) -> Result<()> {
        check(self.epochs > 0, "train.epochs", self.epochs, "1 or more")?;
        let batch = "2 or more: an image alone in its batch has no other to be compared with";
        check(self.batch_size >= 2, "train.batch_size", self.batch_size, batch)?;
        check(self.lr > 0.0 && self.lr.is_finite(), "train.lr", self.lr, "a number above 0")?;
        let fits = (0.0..=f64::from(self.epochs)).contains(&self.warmup_epochs);
        check(fits, "train.warmup_epochs", self.warmup_epochs, "0 to train.epochs")?;
        let decays = self.weight_decay >= 0.0 && self.weight_decay.is_finite();
        check(decays, "train.weight_decay", self.weight_decay, "a number of 0 or more")?;
        check((0.0..1.0).contains(&self.momentum), "train.momentum", self.momentum, "0 to 1 (exclusive)")?;
        match self.named_optimizer() {
            None if self.optimizer != AUTO => {
                let known = std::iter::once(AUTO).chain(OPTIMIZERS.iter().map(|entry| entry.name)).collect();
                return Err(Error::UnknownName { key: "train.optimizer", name: self.optimizer.clone(), known });
            }
            Some(entry) if entry.needs_weight_decay => {
                let allowed = "a number above 0 with this train.optimizer, such as PyTorch's default, 0.01";
                check(self.weight_decay > 0.0, "train.weight_decay", self.weight_decay, allowed)?;
            }
            _ => {}
        }
        check(self.prefetch > 0, "train.prefetch", self.prefetch, "1 or more")?;
        check(self.log_every > 0, "train.log_every", self.log_every, "1 or more")?;
        Ok(())
    }

    /// The optimiser that the settings name; `None` where they leave it to the method.
    pub(crate) fn named_optimizer(&self) -> Option<&'static OptimizerEntry> {
        relata_optim::optimizer(&self.optimizer)
    }

    /// What the learning rate of batch `batch` of an epoch is multiplied by, both from 0, in a run of `batches` batches an epoch.
    pub(crate) fn lr_factor(&self, epoch: u32, batch: usize, batches: usize) -> f64 {
        let batches = batches as u64;
        let warmup = (self.warmup_epochs * batches as f64).round() as u64;
        self.schedule.factor(u64::from(epoch) * batches + batch as u64, u64::from(self.epochs) * batches, warmup)
    }

    /// Refuses a decay that would turn the weights' signs where they are stepped at `lr`, the setting `lr_key`.
    pub(crate) fn check_decay(&self, lr: f64, lr_key: &'static str) -> Result<()> {
        let decay = self.weight_decay;
        if decay * lr < 1.0 { Ok(()) } else { Err(Error::WeightDecay { decay, lr_key, lr }) }
    }

    /// What the schedule plans for the number of epochs, in words, so that a change of it would change epochs that are trained already.
    #[must_use]
    pub fn planned_by_epochs(&self) -> Option<&'static str> {
        (self.schedule == Schedule::Cosine).then_some("train.schedule = \"cosine\" plans the learning rate")
    }

    /// The number of workers that make views beside `threads` compute threads.
    #[must_use]
    pub fn workers(&self, threads: usize) -> usize {
        if self.workers == 0 { threads.div_ceil(2) } else { self.workers }
    }
}
