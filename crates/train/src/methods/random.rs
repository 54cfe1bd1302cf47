use crate::{BatchShape, HeadShape, Method, MethodSettings, MethodSpec, MethodStep, Needs, Result, TrainConfig};
use relata_model::{Buffers, Compute, Parameters};
use serde::{Deserialize, Serialize};

const NEEDS: Needs = Needs { steps: false, ..Needs::FEATURES_OF_A_BATCH };

/// Random weights have no settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomConfig {}

impl MethodSettings for RandomConfig {
    const NAME: &'static str = "random";
    const TITLE: &'static str = "No training";
    const ABOUT: &'static str = "the initial weights as a run: the lower bound";
}

impl MethodSpec for RandomConfig {
    fn needs(&self) -> Needs {
        NEEDS
    }

    /// Nothing is stepped, so no weight decay can be too large.
    fn base_lr(&self, _train: &TrainConfig) -> f64 {
        0.0
    }

    fn build(&self, _shape: HeadShape, _seed: u64, _compute: Compute, _buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(Random::default()))
    }
}

/// No training at all: the backbone's initial weights as a run, the lower bound of the comparison in arXiv 2006.05849.
#[derive(Debug, Default)]
pub struct Random {
    none: Parameters,
}

impl Method for Random {
    fn head_name(&self) -> &'static str {
        "random"
    }

    fn needs(&self) -> Needs {
        NEEDS
    }

    fn step(&mut self, _features: &[f32], _batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        Ok(MethodStep::default())
    }

    fn d_features(&self) -> &[f32] {
        &[]
    }

    fn parameters(&self) -> &Parameters {
        &self.none
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.none
    }
}
