//! The optimiser that a method asked for, behind one face.

use relata_model::{ParameterKind, Parameters};
use relata_optim::{Adam, AdamConfig, Sgd, SgdConfig, decay};
use std::ops::Range;

/// What steps the parameters of backbone and head.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum OptimizerConfig {
    /// Adam.
    Adam(AdamConfig),
    /// SGD with momentum.
    Sgd(SgdConfig),
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

/// One over the parameters of the backbone, or of the head.
#[derive(Debug, Clone)]
pub(crate) enum Optimizer {
    Adam(Adam),
    Sgd(Sgd),
}

impl Optimizer {
    pub(crate) fn new(config: OptimizerConfig, len: usize) -> Self {
        match config {
            OptimizerConfig::Adam(config) => Self::Adam(Adam::new(config, len)),
            OptimizerConfig::Sgd(config) => Self::Sgd(Sgd::new(config, len)),
        }
    }

    /// One step at learning rate `lr`.
    pub(crate) fn step(&mut self, lr: f64, parameters: &mut [f32], gradients: &[f32]) {
        match self {
            Self::Adam(adam) => {
                adam.config.lr = lr;
                adam.step(parameters, gradients);
            }
            Self::Sgd(sgd) => {
                sgd.config.lr = lr;
                sgd.step(parameters, gradients);
            }
        }
    }

    /// What a checkpoint holds of it, by name, beside the number of steps.
    pub(crate) fn state(&self) -> Vec<(&'static str, &[f32])> {
        match self {
            Self::Adam(adam) => vec![("mean", adam.moments().0), ("square", adam.moments().1)],
            Self::Sgd(sgd) => vec![("velocity", sgd.velocity())],
        }
    }

    /// Takes up what [`Optimizer::state`] gave, in its order; `false`, and nothing changed, where a length differs.
    pub(crate) fn restore(&mut self, steps: u64, state: &[&[f32]]) -> bool {
        match (self, state) {
            (Self::Adam(adam), [mean, square]) => adam.restore(steps, mean, square),
            (Self::Sgd(sgd), [velocity]) => sgd.restore(velocity),
            _ => false,
        }
    }
}
