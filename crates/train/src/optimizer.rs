//! The optimiser that a method asked for, and weight decay, which is the trainer's own.

use relata_model::{ParameterKind, Parameters};
use relata_optim::decay;
use std::ops::Range;

pub(crate) use relata_optim::Optimizer;

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
