use crate::optimizer::{Optimizer, OptimizerEntry, OptimizerSettings};
use relata_ops::{AdamStep, Isa, adam_step};

/// Adam in the table.
pub const ADAM: OptimizerEntry = OptimizerEntry {
    name: "adam",
    title: "Adam",
    about: "steps by the running mean of the gradient over the root of that of its square (Kingma & Ba 2015)",
    state: &["mean", "square"],
    needs_weight_decay: false,
    build: |settings, len| Box::new(Adam::new(settings, len)),
};

/// Adam (Kingma & Ba 2015) in PyTorch's form, over one flat buffer of parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Adam {
    settings: OptimizerSettings,
    steps: u64,
    mean: Vec<f32>,
    square: Vec<f32>,
    isa: Isa,
}

impl Adam {
    /// For `len` parameters, before its first step.
    #[must_use]
    pub(super) fn new(settings: OptimizerSettings, len: usize) -> Self {
        Self { settings, steps: 0, mean: vec![0.0; len], square: vec![0.0; len], isa: Isa::best() }
    }
}

impl Optimizer for Adam {
    fn step(&mut self, lr: f64, parameters: &mut [f32], gradients: &[f32]) {
        self.steps += 1;
        let OptimizerSettings { beta1, beta2, eps, .. } = self.settings;
        let by = AdamStep { lr, beta1, beta2, eps, step: self.steps };
        adam_step(self.isa, &by, parameters, gradients, &mut self.mean, &mut self.square);
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn state(&self) -> Vec<(&'static str, &[f32])> {
        vec![("mean", &self.mean), ("square", &self.square)]
    }

    fn restore(&mut self, steps: u64, state: &[&[f32]]) -> bool {
        let &[mean, square] = state else { return false };
        let fits = mean.len() == self.mean.len() && square.len() == self.square.len();
        if fits {
            self.steps = steps;
            self.mean.copy_from_slice(mean);
            self.square.copy_from_slice(square);
        }
        fits
    }
}
