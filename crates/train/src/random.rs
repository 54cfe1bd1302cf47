use crate::{BatchShape, Method, MethodStep, Result};
use relata_model::Parameters;

/// No training at all: the backbone's initial weights as a run, the lower bound of the comparison in arXiv 2006.05849.
#[derive(Debug, Default)]
pub struct Random {
    none: Parameters,
}

impl Method for Random {
    fn head_name(&self) -> &'static str {
        "random"
    }

    fn trains(&self) -> bool {
        false
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
