use crate::error::{check, check_width};
use crate::heads::projection::{ProjectionHead, ProjectionShape};
use crate::{BatchShape, Error, HeadShape, Method, MethodSettings, MethodSpec, MethodStep, Needs, Result};
use relata_artifact::FigureFacts;
use relata_model::{Buffers, Compute, Parameters};
use relata_ops::L2Normalise;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

const NEEDS: Needs =
    Needs { target: true, planned_by_epochs: Some("the method plans its target's momentum"), ..Needs::FEATURES_OF_A_BATCH };

/// `[method.byol]` of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ByolConfig {
    /// Share of itself that the target keeps in the first step; it rises to 1 over the run. Default 0.996, the paper's.
    pub momentum: f64,
    /// Width of the hidden layers of projector and predictor. Default 256; the paper, for a ResNet-50: 4096.
    pub hidden: usize,
    /// Width of projections and predictions. Default 64; the paper: 256.
    pub output: usize,
}

impl Default for ByolConfig {
    fn default() -> Self {
        Self { momentum: 0.996, hidden: 256, output: 64 }
    }
}

impl ByolConfig {
    fn projector(&self, width: usize) -> ProjectionShape {
        ProjectionShape { width, hidden: self.hidden, output: self.output, leak: 0.0 }
    }

    fn predictor(&self) -> ProjectionShape {
        self.projector(self.output)
    }
}

impl MethodSettings for ByolConfig {
    const NAME: &'static str = "byol";
    const TITLE: &'static str = "BYOL";
    const ABOUT: &'static str = "predict what a slow average of the network makes of another view; 2 views or more";
}

impl MethodSpec for ByolConfig {
    fn needs(&self) -> Needs {
        NEEDS
    }

    fn validate(&self, views: usize) -> Result<()> {
        check(views >= 2, "augment.views", views, "2 or more: BYOL predicts one view of an image from another")?;
        check((0.0..=1.0).contains(&self.momentum), "method.byol.momentum", self.momentum, "0 to 1")?;
        check_width("method.byol.hidden", self.hidden)?;
        check_width("method.byol.output", self.output)
    }

    fn width_keys(&self) -> &'static [&'static str] {
        &["method.byol.hidden", "method.byol.output"]
    }

    fn figures(&self) -> Vec<FigureFacts> {
        [("cosine", "Cosine of prediction and target"), ("spread", "Spread of the target's directions")]
            .map(|(name, title)| FigureFacts::single(name, title))
            .to_vec()
    }

    fn build(&self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(Byol::new(self, shape, seed, compute, buffers)))
    }
}

/// BYOL: predict what the target, a slowly moving average of the network, makes of another view of the image (Grill et al.,
/// *Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning*, NeurIPS 2020, arXiv 2006.07733). No negatives.
///
/// With q the predictions from a view's projections, t the target's projections of it and cos the cosine: `2 − 2 · cos(q_vi, t_wi)`,
/// the mean over the B images i and all ordered pairs of views v ≠ w. Nothing goes back through t. After step s of S,
/// the first being 0, the target's parameters become `t ← tau · t + (1 − tau) · p` with
/// `tau = 1 − (1 − momentum) · (cos(π · s / S) + 1) / 2`.
///
/// Figures: `cosine`, the mean; `spread`, 1 − the squared length of the mean direction of t: near 0 where all images have become
/// the same, 1 where they point everywhere.
#[derive(Debug)]
pub struct Byol {
    momentum: f64,
    width: usize,
    /// Of both heads, `projector` and `predictor`. The target has both, but its predictor is never used.
    parameters: Parameters,
    projector: ProjectionHead,
    predictor: ProjectionHead,
    /// The batch that `target` was made of, until the step that takes it.
    target_batch: Option<BatchShape>,
    /// `[N, P]`, t divided by its norm.
    target: Vec<f32>,
    /// `[N, P]`, q divided by its norm.
    unit: Vec<f32>,
    norms: Vec<f64>,
    /// `[N, P]`: the gradient of `unit`, then of q.
    d_predictions: Vec<f32>,
}

impl Byol {
    /// A method with freshly drawn heads.
    #[must_use]
    pub fn new(config: &ByolConfig, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Self {
        let rows = shape.views * shape.max_images;
        let mut parameters = Parameters::new(buffers);
        let projector = config.projector(shape.width);
        let projector = ProjectionHead::new(projector, rows, "projector.", &mut parameters, compute.clone(), buffers);
        let predictor = ProjectionHead::new(config.predictor(), rows, "predictor.", &mut parameters, compute, buffers);
        parameters.initialise(seed, 1);
        let len = rows * config.output;
        Self {
            momentum: config.momentum,
            width: config.output,
            parameters,
            projector,
            predictor,
            target_batch: None,
            target: buffers.vec(len),
            unit: buffers.vec(len),
            norms: buffers.vec(rows),
            d_predictions: buffers.vec(len),
        }
    }

    /// Mean cosine of predictions and the target's other views, whose gradient, that of the loss, is put into
    /// `d_predictions`; and the spread of the target.
    fn compare(&mut self, batch: BatchShape) -> (f64, f64) {
        let (p, terms) = (self.width, (batch.rows() * (batch.views - 1)) as f64);
        let row = |view: usize, image: usize| (view * batch.images + image) * p..(view * batch.images + image + 1) * p;
        let (mut total, mut all, mut sum) = (0.0, vec![0.0; p], vec![0.0; p]);
        for image in 0..batch.images {
            sum.fill(0.0);
            for view in 0..batch.views {
                sum.iter_mut().zip(&self.target[row(view, image)]).for_each(|(sum, t)| *sum += f64::from(*t));
            }
            all.iter_mut().zip(&sum).for_each(|(all, sum)| *all += sum);
            for view in 0..batch.views {
                let (own, u) = (&self.target[row(view, image)], &self.unit[row(view, image)]);
                for (c, d) in self.d_predictions[row(view, image)].iter_mut().enumerate() {
                    let others = sum[c] - f64::from(own[c]);
                    total += f64::from(u[c]) * others;
                    *d = others as f32;
                }
            }
        }
        let len = batch.rows() * p;
        let (unit, norms) = (&self.unit[..len], &self.norms[..batch.rows()]);
        normalise(p).backward(unit, norms, -2.0 / terms, &mut self.d_predictions[..len]);
        let direction: f64 = all.iter().map(|all| (all / batch.rows() as f64).powi(2)).sum();
        (total / terms, 1.0 - direction)
    }
}

impl Method for Byol {
    fn head_name(&self) -> &'static str {
        "byol"
    }

    fn needs(&self) -> Needs {
        NEEDS
    }

    fn target_momentum(&self, step: u64, steps: u64) -> f64 {
        let done = (step as f64 / steps.max(1) as f64).min(1.0);
        1.0 - (1.0 - self.momentum) * ((PI * done).cos() + 1.0) / 2.0
    }

    fn take_target(&mut self, features: &[f32], batch: BatchShape) -> Result<()> {
        self.target_batch = None;
        let projections = self.projector.forward(&mut self.parameters, features, batch.rows())?;
        normalise(self.width).forward(projections, &mut self.target, &mut self.norms);
        self.target_batch = Some(batch);
        Ok(())
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        let projections = self.projector.forward(&mut self.parameters, features, batch.rows())?;
        let predictions = self.predictor.forward(&mut self.parameters, projections, batch.rows())?;
        let target = self.target_batch.take();
        if target != Some(batch) {
            return Err(Error::Target { expected: batch, got: target });
        }
        normalise(self.width).forward(predictions, &mut self.unit, &mut self.norms);
        let (cosine, spread) = self.compare(batch);
        let d_predictions = &self.d_predictions[..batch.rows() * self.width];
        self.predictor.backward(&mut self.parameters, self.projector.output(), d_predictions);
        self.projector.backward(&mut self.parameters, features, self.predictor.d_features());
        // The predictor's normalisation takes every constant away; Adam would turn the rounding noise into whole steps.
        let end = self.projector.range().end;
        self.parameters.gradients_mut()[end - self.width..end].fill(0.0);
        Ok(MethodStep { loss: 2.0 - 2.0 * cosine, figures: vec![("cosine", cosine), ("spread", spread)] })
    }

    fn d_features(&self) -> &[f32] {
        self.projector.d_features()
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

/// Of projections and predictions, as PyTorch's `cosine_similarity` has it.
fn normalise(width: usize) -> L2Normalise {
    L2Normalise { width, shortest: 1e-8 }
}
