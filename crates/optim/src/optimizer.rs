//! What every optimiser is: a step, a state that can be saved, and an entry that says so.

use std::fmt::Debug;

/// An optimiser over one flat buffer of parameters.
pub trait Optimizer: CloneOptimizer + Debug + Send {
    /// One step along the gradients, at learning rate `lr`.
    ///
    /// # Panics
    /// Where the slices are not as long as the optimiser was built for.
    fn step(&mut self, lr: f64, parameters: &mut [f32], gradients: &[f32]);

    /// Steps taken, where the optimiser counts them (as Adam's bias corrections do); else 0.
    fn steps(&self) -> u64;

    /// What must be saved of it, by name, beside [`Optimizer::steps`].
    fn state(&self) -> Vec<(&'static str, &[f32])>;

    /// Takes over what [`Optimizer::state`] gave, in its order. `false`, and nothing changed, where it does not fit.
    #[must_use]
    fn restore(&mut self, steps: u64, state: &[&[f32]]) -> bool;
}

/// Copies of a boxed optimiser; every optimiser that is `Clone` has it.
pub trait CloneOptimizer {
    /// The same optimiser with the same state.
    fn boxed_clone(&self) -> Box<dyn Optimizer>;
}

impl<T: Optimizer + Clone + 'static> CloneOptimizer for T {
    fn boxed_clone(&self) -> Box<dyn Optimizer> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Optimizer> {
    fn clone(&self) -> Self {
        (**self).boxed_clone()
    }
}

/// What is known of an optimiser before it is built.
#[derive(Debug)]
pub struct OptimizerEntry {
    /// Its name in settings.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it is, in a sentence, with its source.
    pub about: &'static str,
    /// Names of its state's parts, each as long as the parameters.
    pub state: &'static [&'static str],
    /// Whether it is meant to be used with [`crate::decay`]: without it, it would be another optimiser of the table.
    pub needs_weight_decay: bool,
    /// Builds it for a number of parameters, before its first step.
    pub build: fn(OptimizerSettings, usize) -> Box<dyn Optimizer>,
}

/// Two entries are the same where their names are.
impl PartialEq for OptimizerEntry {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What optimisers are set by, beside the learning rate; each reads what it has. The defaults are PyTorch's, but for the momentum, whose
/// default there is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimizerSettings {
    /// SGD: share of the last velocity that is kept. Default 0.9.
    pub momentum: f64,
    /// Adam: decay of the mean gradient. Default 0.9.
    pub beta1: f64,
    /// Adam: decay of the mean squared gradient. Default 0.999.
    pub beta2: f64,
    /// Adam: added to the root. Default 1e-8.
    pub eps: f64,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self { momentum: 0.9, beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }
}

/// Which optimiser, from which learning rate, with which settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimizerConfig {
    /// The optimiser.
    pub optimizer: &'static OptimizerEntry,
    /// The whole learning rate, which a [`crate::Schedule`] scales.
    pub lr: f64,
    /// The rest.
    pub settings: OptimizerSettings,
}

impl OptimizerConfig {
    /// An optimiser with the default settings.
    #[must_use]
    pub fn new(optimizer: &'static OptimizerEntry, lr: f64) -> Self {
        Self { optimizer, lr, settings: OptimizerSettings::default() }
    }

    /// Builds the optimiser for `len` parameters, before its first step.
    #[must_use]
    pub fn build(&self, len: usize) -> Box<dyn Optimizer> {
        (self.optimizer.build)(self.settings, len)
    }
}
