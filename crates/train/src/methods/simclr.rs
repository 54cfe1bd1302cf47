use crate::error::{check, check_others, check_width};
use crate::heads::projection::{LEAK, ProjectionHead, ProjectionShape};
use crate::{BatchShape, HeadShape, Method, MethodSettings, MethodSpec, MethodStep, Result};
use rayon::prelude::*;
use relata_artifact::FigureFacts;
use relata_model::{Buffers, Compute, Parameters};
use relata_ops::{L2Normalise, MatRef, matmul, matmul_of_transposed, matmul_transposed};
use serde::{Deserialize, Serialize};

/// Shorter projections count as this long, as in PyTorch's `cosine_similarity`.
const SHORTEST: f64 = 1e-8;

/// How the probabilities of the positives become a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContrastiveLoss {
    /// `−ln(mean p)`: the reference repository's, which reports it slightly better (77 against 76 % on CIFAR-10).
    #[default]
    LogOfMean,
    /// `−mean(ln p)`: NT-Xent as SimCLR's paper has it.
    MeanOfLog,
}

/// `[method.simclr]` of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimclrConfig {
    /// Which form of the loss. Default log-of-mean, the reference's.
    pub loss: ContrastiveLoss,
    /// Similarities are divided by it. Default 0.5, the reference's.
    pub temperature: f64,
    /// Width of the projection head's hidden layer. Default 256, the reference's.
    pub hidden: usize,
    /// Width of the projections. Default 64, the reference's.
    pub output: usize,
}

impl Default for SimclrConfig {
    fn default() -> Self {
        Self { loss: ContrastiveLoss::LogOfMean, temperature: 0.5, hidden: 256, output: 64 }
    }
}

impl SimclrConfig {
    fn projection(&self, width: usize) -> ProjectionShape {
        ProjectionShape { width, hidden: self.hidden, output: self.output, leak: LEAK }
    }
}

impl MethodSettings for SimclrConfig {
    const NAME: &'static str = "simclr";
    const TITLE: &'static str = "SimCLR";
    const ABOUT: &'static str = "contrast with the other views of the batch; 2 views or more";
}

impl MethodSpec for SimclrConfig {
    fn validate(&self, views: usize) -> Result<()> {
        check(views >= 2, "augment.views", views, "2 or more: SimCLR compares two views of one image")?;
        let fits = self.temperature > 0.0 && self.temperature.is_finite();
        check(fits, "method.simclr.temperature", self.temperature, "a number above 0")?;
        check_width("method.simclr.hidden", self.hidden)?;
        check_width("method.simclr.output", self.output)
    }

    fn width_keys(&self) -> &'static [&'static str] {
        &["method.simclr.hidden", "method.simclr.output"]
    }

    fn figures(&self) -> Vec<FigureFacts> {
        vec![FigureFacts::single("contrast_acc", "Views matched with their own image")]
    }

    fn build(&self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(Simclr::new(self, shape, seed, compute, buffers)))
    }
}

/// SimCLR: find the other views of an image among all views of the batch (Chen et al., *A Simple Framework for Contrastive
/// Learning of Visual Representations*, ICML 2020), with the head and the loss of the reference repository of arXiv 2006.05849.
///
/// With u the projections divided by their norms, N = K·B rows, T the temperature and P(i) the other views of row i's image:
/// `p_ij = exp(u_i·u_j / T) / Σ over k ≠ i of exp(u_i·u_k / T)`; the loss is `−ln` of the mean, or the mean of `−ln`, of `p_ij`
/// over all i and j in P(i). With more than two views the second is the loss of Khosla et al., *Supervised Contrastive
/// Learning*, 2020, equation 2, every image its own class.
#[derive(Debug)]
pub struct Simclr {
    parameters: Parameters,
    head: ProjectionHead,
    contrast: Contrast,
}

impl Simclr {
    /// A method with a freshly drawn head.
    #[must_use]
    pub fn new(config: &SimclrConfig, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Self {
        let rows = shape.views * shape.max_images;
        let mut parameters = Parameters::new(buffers);
        let head = ProjectionHead::new(config.projection(shape.width), rows, "", &mut parameters, compute.clone(), buffers);
        parameters.initialise(seed, 1);
        Self { parameters, head, contrast: Contrast::new(config, rows, compute, buffers) }
    }
}

impl Method for Simclr {
    fn head_name(&self) -> &'static str {
        "projection"
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        let projections = self.head.forward(&mut self.parameters, features, batch.rows())?;
        check_others(batch)?;
        let outcome = self.contrast.step(projections, batch);
        self.head.backward(&mut self.parameters, features, self.contrast.d_projections(batch));
        Ok(MethodStep { loss: outcome.loss, figures: vec![("contrast_acc", outcome.accuracy)] })
    }

    fn d_features(&self) -> &[f32] {
        self.head.d_features()
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

/// The loss on projections `[N, P]`, and its gradient.
#[derive(Debug)]
struct Contrast {
    loss: ContrastiveLoss,
    temperature: f64,
    width: usize,
    compute: Compute,
    /// `[N, P]`, u.
    unit: Vec<f32>,
    norms: Vec<f64>,
    /// `[N, N]`: similarities, and then the loss's gradient by them, up to a factor common to all.
    pairs: Vec<f32>,
    rows: Vec<Row>,
    /// `[N, P]`: the gradient of u, then of the projections.
    d_projections: Vec<f32>,
}

/// What one row came to.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    /// Σ p, or −Σ ln p, over the row's positives.
    sum: f64,
    /// Whether the most similar other row is a view of the same image.
    right: bool,
}

struct Contrasted {
    loss: f64,
    accuracy: f64,
}

impl Contrast {
    fn new(config: &SimclrConfig, max_rows: usize, compute: Compute, buffers: &mut Buffers) -> Self {
        Self {
            loss: config.loss,
            temperature: config.temperature,
            width: config.output,
            compute,
            unit: buffers.vec(max_rows * config.output),
            norms: buffers.vec(max_rows),
            pairs: buffers.vec(max_rows * max_rows),
            rows: buffers.vec(max_rows),
            d_projections: buffers.vec(max_rows * config.output),
        }
    }

    fn d_projections(&self, batch: BatchShape) -> &[f32] {
        &self.d_projections[..batch.rows() * self.width]
    }

    fn step(&mut self, projections: &[f32], batch: BatchShape) -> Contrasted {
        let Self { loss, temperature, width, compute, unit, norms, pairs, rows, d_projections } = self;
        let (n, width, isa) = (batch.rows(), *width, compute.isa());
        let len = n * width;
        let (unit, norms, pairs, rows) = (&mut unit[..len], &mut norms[..n], &mut pairs[..n * n], &mut rows[..n]);
        let d = &mut d_projections[..len];
        let normalise = L2Normalise { width, shortest: SHORTEST };
        normalise.forward(projections, unit, norms);
        compute.install(|| {
            matmul_transposed(isa, MatRef::new(unit, n, width), MatRef::new(unit, n, width), pairs, false);
            pairs.par_chunks_mut(n).zip(&mut *rows).enumerate().for_each(|(i, (row, outcome))| {
                *outcome = contrast_row(*loss, *temperature, batch, i, row);
            });
        });
        let positives = (n * (batch.views - 1)) as f64;
        let mean = rows.iter().map(|row| row.sum).sum::<f64>() / positives;
        let right = rows.iter().filter(|row| row.right).count();
        let (value, slope) = match loss {
            ContrastiveLoss::LogOfMean => (-mean.ln(), -1.0 / (mean * positives)),
            ContrastiveLoss::MeanOfLog => (mean, 1.0 / positives),
        };
        compute.install(|| {
            // d_u = (G + Gᵀ) · u: a row is similar to others, and others to it.
            matmul_of_transposed(isa, MatRef::new(pairs, n, n), MatRef::new(unit, n, width), d);
            matmul(isa, MatRef::new(pairs, n, n), MatRef::new(unit, n, width), d, true);
        });
        normalise.backward(unit, norms, slope / *temperature, d);
        Contrasted { loss: value, accuracy: right as f64 / n as f64 }
    }
}

/// Turns row i of the similarities into the gradient of the row's sum by `similarity / T`, and gives that sum:
/// for `Σ ln p`, negated, `(K − 1) · p_ij − [j in P(i)]`; for `Σ p`, `p_ij · ([j in P(i)] − Σ over P(i) of p)`.
fn contrast_row(loss: ContrastiveLoss, temperature: f64, batch: BatchShape, i: usize, row: &mut [f32]) -> Row {
    let positive = |j: usize| j % batch.images == i % batch.images;
    let mut largest = (usize::MAX, f32::NEG_INFINITY);
    for (j, s) in row.iter().enumerate() {
        if j != i && *s > largest.1 {
            largest = (j, *s);
        }
    }
    let power = |s: f32| (f64::from(s) - f64::from(largest.1)) / temperature;
    let (mut total, mut of_positives, mut logs) = (0.0, 0.0, 0.0);
    for (j, s) in row.iter().enumerate().filter(|(j, _)| *j != i) {
        let e = power(*s).exp();
        total += e;
        if positive(j) {
            of_positives += e;
            logs += power(*s);
        }
    }
    let others = (batch.views - 1) as f64;
    let share = of_positives / total;
    for (j, s) in row.iter_mut().enumerate() {
        let (p, hit) = (power(*s).exp() / total, if positive(j) { 1.0 } else { 0.0 });
        let d = match loss {
            ContrastiveLoss::LogOfMean => p * (hit - share),
            ContrastiveLoss::MeanOfLog => others * p - hit,
        };
        *s = if j == i { 0.0 } else { d as f32 };
    }
    let sum = match loss {
        ContrastiveLoss::LogOfMean => share,
        ContrastiveLoss::MeanOfLog => others * total.ln() - logs,
    };
    Row { sum, right: largest.0 != usize::MAX && positive(largest.0) }
}
