use crate::{Adam, AdamConfig, Sgd, SgdConfig};

/// Settings of one of the optimisers.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum OptimizerConfig {
    /// Adam.
    Adam(AdamConfig),
    /// SGD with momentum.
    Sgd(SgdConfig),
}

impl OptimizerConfig {
    /// The learning rate.
    #[must_use]
    pub fn lr(&self) -> f64 {
        match self {
            Self::Adam(config) => config.lr,
            Self::Sgd(config) => config.lr,
        }
    }
}

/// One of the optimisers over a flat buffer of parameters, behind one face.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Optimizer {
    /// Adam.
    Adam(Adam),
    /// SGD with momentum.
    Sgd(Sgd),
}

impl Optimizer {
    /// For `len` parameters, before its first step.
    #[must_use]
    pub fn new(config: OptimizerConfig, len: usize) -> Self {
        match config {
            OptimizerConfig::Adam(config) => Self::Adam(Adam::new(config, len)),
            OptimizerConfig::Sgd(config) => Self::Sgd(Sgd::new(config, len)),
        }
    }

    /// One step at learning rate `lr`.
    ///
    /// # Panics
    /// Where the slices are not as long as the optimiser was made for.
    pub fn step(&mut self, lr: f64, parameters: &mut [f32], gradients: &[f32]) {
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

    /// Steps taken, which Adam's bias corrections count; 0 of SGD, which counts none.
    #[must_use]
    pub fn steps(&self) -> u64 {
        match self {
            Self::Adam(adam) => adam.steps(),
            Self::Sgd(_) => 0,
        }
    }

    /// What is to be saved of it, by name, beside [`Optimizer::steps`].
    #[must_use]
    pub fn state(&self) -> Vec<(&'static str, &[f32])> {
        match self {
            Self::Adam(adam) => vec![("mean", adam.moments().0), ("square", adam.moments().1)],
            Self::Sgd(sgd) => vec![("velocity", sgd.velocity())],
        }
    }

    /// Takes up what [`Optimizer::state`] gave, in its order; `false`, and nothing changed, where it does not fit.
    #[must_use]
    pub fn restore(&mut self, steps: u64, state: &[&[f32]]) -> bool {
        match (self, state) {
            (Self::Adam(adam), [mean, square]) => adam.restore(steps, mean, square),
            (Self::Sgd(sgd), [velocity]) => sgd.restore(velocity),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Optimizer, OptimizerConfig};
    use crate::{AdamConfig, SgdConfig};

    #[test]
    fn a_state_saved_is_taken_up_by_its_like_alone() {
        let configs = [OptimizerConfig::Adam(AdamConfig::default()), OptimizerConfig::Sgd(SgdConfig::default())];
        let gradients: [[f32; 3]; 4] = [[0.5, -1.0, 2.0], [0.25, 1.0, -3.0], [-0.5, 0.125, 1.0], [1.0, 2.0, 0.5]];
        for config in configs {
            let (mut whole, mut values) = (Optimizer::new(config, 3), [0.3; 3]);
            gradients.iter().for_each(|gradient| whole.step(config.lr(), &mut values, gradient));
            let (mut first, mut resumed) = (Optimizer::new(config, 3), [0.3; 3]);
            gradients[..2].iter().for_each(|gradient| first.step(config.lr(), &mut resumed, gradient));
            let mut second = Optimizer::new(config, 3);
            let state: Vec<&[f32]> = first.state().into_iter().map(|(_, data)| data).collect();
            assert!(second.restore(first.steps(), &state) && !second.restore(2, &state[1..]));
            gradients[2..].iter().for_each(|gradient| second.step(config.lr(), &mut resumed, gradient));
            assert_eq!(values, resumed, "{config:?}");
        }
        let mut other = Optimizer::new(configs[1], 3);
        let adam = Optimizer::new(configs[0], 3);
        assert!(!other.restore(0, &adam.state().into_iter().map(|(_, data)| data).collect::<Vec<_>>()));
    }
}
