//! The optimiser of a run, and weight decay, which is the trainer's own.

use crate::{Method, OptimizerConfig, TrainConfig};
use relata_model::{ParameterKind, Parameters};
use relata_optim::{OptimizerSettings, decay};
use std::ops::Range;

/// The optimiser that `train.optimizer` names, at the method's learning rate; the method's own where it names that, or none.
pub(super) fn choose(config: &TrainConfig, method: &dyn Method) -> OptimizerConfig {
    let own = method.optimizer(config);
    match config.named_optimizer() {
        Some(entry) if entry != own.optimizer => {
            let settings = OptimizerSettings { momentum: config.momentum, ..OptimizerSettings::default() };
            OptimizerConfig { optimizer: entry, lr: own.lr, settings }
        }
        _ => own,
    }
}

/// Decoupled weight decay of the weights among some parameters.
#[derive(Debug, Clone)]
pub(crate) struct Decay {
    weight_decay: f64,
    ranges: Vec<Range<usize>>,
}

impl Decay {
    /// Biases and batch norms are left alone: they are few, and shrinking them only moves the features' scale.
    pub(crate) fn of_weights(weight_decay: f64, parameters: &Parameters) -> Self {
        let is_weight = |kind| matches!(kind, ParameterKind::ConvWeight | ParameterKind::LinearWeight);
        let weights = parameters.specs().iter().filter(|spec| is_weight(spec.kind));
        Self { weight_decay, ranges: weights.map(|spec| spec.range.clone()).collect() }
    }

    /// What comes before a step at learning rate `lr`.
    pub(crate) fn apply(&self, lr: f64, values: &mut [f32]) {
        if self.weight_decay > 0.0 {
            decay(lr, self.weight_decay, values, &self.ranges);
        }
    }
}
