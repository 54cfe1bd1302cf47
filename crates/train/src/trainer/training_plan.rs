//! What decides how a run goes on: checkpoints hold it, and a run is not resumed with another.

use super::optimizer;
use crate::{Method, TrainConfig};
use std::collections::BTreeMap;

const PLAN: &str = "train.plan";
const EPOCHS: &str = "train.epochs";

/// How learning rate, decay and target go over a run's steps.
pub(crate) struct TrainingPlan {
    epochs: u32,
    /// What was planned for so many epochs, and by what.
    planned: Option<&'static str>,
    /// The rest, in words.
    words: String,
}

impl TrainingPlan {
    pub(crate) fn new(config: &TrainConfig, method: &dyn Method) -> Self {
        let TrainConfig { epochs, schedule, warmup_epochs, weight_decay, .. } = *config;
        let planned = config.planned_by_epochs().or_else(|| method.needs().planned_by_epochs);
        let mut words = format!(
            "{} {}, schedule {schedule:?}, warmup_epochs {warmup_epochs}, weight_decay {weight_decay}",
            method.needs().lr_key,
            method.lr(config, 0)
        );
        let optimizer = optimizer::choose(config, method).optimizer;
        if optimizer != method.optimizer(config).optimizer {
            words.push_str(&format!(", optimizer {}", optimizer.name));
        }
        if method.needs().target {
            let momentum = method.target_momentum(0, 1);
            words.push_str(&format!(", target's momentum {momentum}"));
        }
        Self { epochs, planned, words }
    }

    /// As a checkpoint holds it.
    pub(crate) fn to_metadata(&self) -> BTreeMap<String, String> {
        [(EPOCHS, self.epochs.to_string()), (PLAN, self.words.clone())].map(|(key, text)| (key.to_owned(), text)).into()
    }

    /// Says what a checkpoint was trained by where that is another plan. Checkpoints from before there was such an entry are taken as they
    /// are.
    pub(crate) fn check(&self, trained: &BTreeMap<String, String>) -> Result<(), String> {
        let Self { epochs, planned, words } = self;
        if let Some(trained) = trained.get(PLAN).filter(|trained| *trained != words) {
            return Err(format!("it was trained by {trained}; this run has {words}"));
        }
        match (trained.get(EPOCHS), planned) {
            (Some(trained), Some(planned)) if *trained != epochs.to_string() => {
                Err(format!("{planned} for the {trained} epochs that it was to be trained; this run has {epochs}"))
            }
            _ => Ok(()),
        }
    }
}
