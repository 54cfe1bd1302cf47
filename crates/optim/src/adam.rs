use relata_ops::{AdamStep, Isa, adam_step};
use serde::{Deserialize, Serialize};

/// Settings of Adam (Kingma & Ba 2015), PyTorch's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Learning rate. Default 1e-3, the paper's.
    pub lr: f64,
    /// Decay of the mean gradient. Default 0.9.
    pub beta1: f64,
    /// Decay of the mean squared gradient. Default 0.999.
    pub beta2: f64,
    /// Added to the root. Default 1e-8.
    pub eps: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }
}

/// Adam over one flat buffer of parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    /// Settings; the learning rate may be changed between steps.
    pub config: AdamConfig,
    steps: u64,
    mean: Vec<f32>,
    square: Vec<f32>,
    isa: Isa,
}

impl Adam {
    /// For `len` parameters, before its first step.
    #[must_use]
    pub fn new(config: AdamConfig, len: usize) -> Self {
        Self { config, steps: 0, mean: vec![0.0; len], square: vec![0.0; len], isa: Isa::best() }
    }

    /// Takes one step along the gradients.
    ///
    /// # Panics
    /// Where the slices are not as long as the optimiser was made for.
    pub fn step(&mut self, parameters: &mut [f32], gradients: &[f32]) {
        self.steps += 1;
        let AdamConfig { lr, beta1, beta2, eps } = self.config;
        let by = AdamStep { lr, beta1, beta2, eps, step: self.steps };
        adam_step(self.isa, &by, parameters, gradients, &mut self.mean, &mut self.square);
    }

    /// Steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Running means of the gradients and of their squares: with [`Adam::steps`], the whole state.
    #[must_use]
    pub fn moments(&self) -> (&[f32], &[f32]) {
        (&self.mean, &self.square)
    }

    /// Takes up a saved state. Gives `false`, and changes nothing, where a moment is not as long as it should be.
    #[must_use]
    pub fn restore(&mut self, steps: u64, mean: &[f32], square: &[f32]) -> bool {
        let fits = mean.len() == self.mean.len() && square.len() == self.square.len();
        if fits {
            self.steps = steps;
            self.mean.copy_from_slice(mean);
            self.square.copy_from_slice(square);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::{Adam, AdamConfig};

    #[test]
    fn a_restored_optimiser_goes_on_with_the_same_bits() {
        let gradients: Vec<Vec<f32>> = (0..6).map(|t| (0..5).map(|i| ((t * 7 + i * 3) % 11) as f32 - 5.0).collect()).collect();
        let run = |optimiser: &mut Adam, values: &mut Vec<f32>, range: std::ops::Range<usize>| {
            gradients[range].iter().for_each(|g| optimiser.step(values, g));
        };
        let (mut whole, mut values) = (Adam::new(AdamConfig::default(), 5), vec![0.3; 5]);
        run(&mut whole, &mut values, 0..6);
        let (mut first, mut resumed) = (Adam::new(AdamConfig::default(), 5), vec![0.3; 5]);
        run(&mut first, &mut resumed, 0..2);
        let mut second = Adam::new(AdamConfig::default(), 5);
        let (mean, square) = first.moments();
        assert!(second.restore(first.steps(), mean, square));
        run(&mut second, &mut resumed, 2..6);
        assert_eq!(values, resumed);
        assert!(!second.restore(1, &[0.0], &[0.0]));
    }
}
