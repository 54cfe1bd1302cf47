use relata_ops::{Isa, SgdStep, sgd_step};
use serde::{Deserialize, Serialize};

/// Settings of SGD with momentum, in PyTorch's form.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Learning rate. Default 0.1, the paper's for supervised training.
    pub lr: f64,
    /// Share of the last velocity that is kept. Default 0.9.
    pub momentum: f64,
    /// L2 penalty. Default 0.
    pub weight_decay: f64,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.9, weight_decay: 0.0 }
    }
}

/// SGD with momentum over one flat buffer of parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Sgd {
    /// Settings; the learning rate may be changed between steps.
    pub config: SgdConfig,
    velocity: Vec<f32>,
    isa: Isa,
}

impl Sgd {
    /// For `len` parameters, before its first step.
    #[must_use]
    pub fn new(config: SgdConfig, len: usize) -> Self {
        Self { config, velocity: vec![0.0; len], isa: Isa::best() }
    }

    /// Takes one step along the gradients.
    ///
    /// # Panics
    /// Where the slices are not as long as the optimiser was made for.
    pub fn step(&mut self, parameters: &mut [f32], gradients: &[f32]) {
        let SgdConfig { lr, momentum, weight_decay } = self.config;
        sgd_step(self.isa, &SgdStep { lr, momentum, weight_decay }, parameters, gradients, &mut self.velocity);
    }

    /// The velocity: the whole state.
    #[must_use]
    pub fn velocity(&self) -> &[f32] {
        &self.velocity
    }

    /// Takes up a saved state. Gives `false`, and changes nothing, where it is not as long as it should be.
    #[must_use]
    pub fn restore(&mut self, velocity: &[f32]) -> bool {
        let fits = velocity.len() == self.velocity.len();
        if fits {
            self.velocity.copy_from_slice(velocity);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::{Sgd, SgdConfig};

    #[test]
    fn velocity_carries_on() {
        let mut sgd = Sgd::new(SgdConfig { lr: 0.5, momentum: 0.5, weight_decay: 0.0 }, 1);
        let mut value = [1.0];
        sgd.step(&mut value, &[1.0]);
        assert_eq!(value, [0.5]);
        sgd.step(&mut value, &[0.0]);
        assert_eq!((value, sgd.velocity()), ([0.25], &[0.5][..]));
        assert!(sgd.restore(&[2.0]) && !sgd.restore(&[]));
    }
}
