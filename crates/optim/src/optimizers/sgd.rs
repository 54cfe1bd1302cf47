use crate::optimizer::{Optimizer, OptimizerEntry, OptimizerSettings};
use relata_ops::{Isa, SgdStep, sgd_step};

/// SGD in the table.
pub const SGD: OptimizerEntry = OptimizerEntry {
    name: "sgd",
    title: "SGD",
    about: "steps by a velocity that adds up the gradients and keeps a share of itself: stochastic gradient descent with momentum",
    state: &["velocity"],
    needs_weight_decay: false,
    build: |settings, len| Box::new(Sgd::new(settings, len)),
};

/// SGD with momentum in PyTorch's form, over one flat buffer of parameters.
#[derive(Debug, Clone, PartialEq)]
struct Sgd {
    momentum: f64,
    velocity: Vec<f32>,
    isa: Isa,
}

impl Sgd {
    /// For `len` parameters, before its first step.
    #[must_use]
    fn new(settings: OptimizerSettings, len: usize) -> Self {
        Self { momentum: settings.momentum, velocity: vec![0.0; len], isa: Isa::best() }
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, lr: f64, parameters: &mut [f32], gradients: &[f32]) {
        // Weight decay is decoupled here, never an L2 penalty on the gradient.
        let by = SgdStep { lr, momentum: self.momentum, weight_decay: 0.0 };
        sgd_step(self.isa, &by, parameters, gradients, &mut self.velocity);
    }

    fn steps(&self) -> u64 {
        0
    }

    fn state(&self) -> Vec<(&'static str, &[f32])> {
        vec![("velocity", &self.velocity)]
    }

    fn restore(&mut self, _steps: u64, state: &[&[f32]]) -> bool {
        let &[velocity] = state else { return false };
        let fits = velocity.len() == self.velocity.len();
        if fits {
            self.velocity.copy_from_slice(velocity);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::Sgd;
    use crate::{Optimizer, OptimizerSettings};

    #[test]
    fn velocity_carries_on() {
        let mut sgd = Sgd::new(OptimizerSettings { momentum: 0.5, ..OptimizerSettings::default() }, 1);
        let mut value = [1.0];
        sgd.step(0.5, &mut value, &[1.0]);
        assert_eq!(value, [0.5]);
        sgd.step(0.5, &mut value, &[0.0]);
        assert_eq!((value, sgd.state()), ([0.25], vec![("velocity", &[0.5][..])]));
    }
}
