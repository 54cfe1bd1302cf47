use crate::{BatchShape, HeadShape, Method, MethodStep, Result};
use relata_model::{Buffers, Compute, Parameters, RelationHead, RelationHeadConfig};

/// Self-supervised relational reasoning: tell pairs of views of one image from pairs of two images
/// (Patacchiola & Storkey, NeurIPS 2020).
#[derive(Debug)]
pub struct Relational {
    head: RelationHead,
}

impl Relational {
    /// A method with a freshly drawn head.
    ///
    /// # Errors
    /// Where there are fewer than two views or images.
    pub fn new(config: &RelationHeadConfig, shape: HeadShape, seed: u64, compute: Compute) -> Result<Self> {
        let HeadShape { width, views, max_images, .. } = shape;
        Ok(Self { head: RelationHead::new(*config, width, views, max_images, seed, compute, &mut Buffers::allocated())? })
    }
}

impl Method for Relational {
    fn head_name(&self) -> &'static str {
        "relation"
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        let outcome = self.head.step(batch.images, features)?;
        // Half of the rows are positives. Counted by target, not by halves of the rows as the reference does.
        let half = outcome.rows as f64 / 2.0;
        let figures = vec![
            ("pair_acc", outcome.accuracy()),
            ("pair_acc_pos", outcome.positives_correct as f64 / half),
            ("pair_acc_neg", outcome.negatives_correct as f64 / half),
        ];
        Ok(MethodStep { loss: outcome.loss, figures })
    }

    fn d_features(&self) -> &[f32] {
        self.head.d_features()
    }

    fn parameters(&self) -> &Parameters {
        self.head.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.head.parameters_mut()
    }
}
