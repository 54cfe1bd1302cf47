use crate::error::{check, check_width};
use crate::heads::projection::{ProjectionHead, ProjectionShape};
use crate::{BatchShape, HeadShape, Method, MethodSettings, MethodSpec, MethodStep, Result};
use relata_artifact::FigureFacts;
use relata_model::{Buffers, Compute, Parameters};
use relata_ops::{BatchNorm1d, MatRef, matmul, matmul_of_transposed, matmul_transposed};
use serde::{Deserialize, Serialize};

/// Added to the variances, as `BatchNorm1d` does.
const EPS: f64 = 1e-5;

/// `[method.barlow]` of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BarlowConfig {
    /// Weight of the redundancy term, lambda. Default 5e-3, the paper's.
    pub redundancy: f64,
    /// Width of the projector's hidden layer. Default 256; the paper has two of 8192, for a ResNet-50.
    pub hidden: usize,
    /// Width of the projections. Default 256; the paper: 8192.
    pub output: usize,
}

impl Default for BarlowConfig {
    fn default() -> Self {
        Self { redundancy: 5e-3, hidden: 256, output: 256 }
    }
}

impl BarlowConfig {
    fn projection(&self, width: usize) -> ProjectionShape {
        ProjectionShape { width, hidden: self.hidden, output: self.output, leak: 0.0 }
    }
}

impl MethodSettings for BarlowConfig {
    const NAME: &'static str = "barlow";
    const TITLE: &'static str = "Barlow Twins";
    const ABOUT: &'static str = "views of an image agree, dimensions do not repeat each other; 2 views or more";
}

impl MethodSpec for BarlowConfig {
    fn validate(&self, views: usize) -> Result<()> {
        check(views >= 2, "augment.views", views, "2 or more: Barlow Twins compares two views of one image")?;
        let fits = self.redundancy >= 0.0 && self.redundancy.is_finite();
        check(fits, "method.barlow.redundancy", self.redundancy, "a number of 0 or more")?;
        check_width("method.barlow.hidden", self.hidden)?;
        check_width("method.barlow.output", self.output)
    }

    fn width_keys(&self) -> &'static [&'static str] {
        &["method.barlow.hidden", "method.barlow.output"]
    }

    fn figures(&self) -> Vec<FigureFacts> {
        [
            ("on_diagonal", "Disagreement of views (on the diagonal)"),
            ("off_diagonal", "Redundancy of dimensions (off the diagonal)"),
        ]
        .map(|(name, title)| FigureFacts::single(name, title))
        .to_vec()
    }

    fn build(&self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(Barlow::new(self, shape, seed, compute, buffers)))
    }
}

/// Barlow Twins: two views of one image agree in every projected dimension, and no two dimensions say the same
/// (Zbontar, Jing, Misra, LeCun & Deny, *Barlow Twins: Self-Supervised Learning via Redundancy Reduction*, ICML 2021, arXiv
/// 2103.03230), with a projector of one hidden layer.
///
/// With u the projections, each dimension normalised over the B images of a view as `BatchNorm1d` does it (no weights), and
/// `C = u_vᵀ · u_w / B` the cross-correlation of views v and w: `Σ_i (1 − C_ii)² + lambda · Σ_{i≠j} C_ij²`, the mean over all pairs
/// of views v < w.
#[derive(Debug)]
pub struct Barlow {
    redundancy: f64,
    width: usize,
    compute: Compute,
    parameters: Parameters,
    head: ProjectionHead,
    /// `[N, P]`, u.
    unit: Vec<f32>,
    /// `[N, P]`: the gradient of u, then of the projections.
    d_unit: Vec<f32>,
    /// `[P, P]`: C of a pair of views, and then the loss's gradient by it.
    correlation: Vec<f32>,
    /// Of each view.
    norms: Vec<BatchNorm1d>,
}

impl Barlow {
    /// A method with a freshly drawn projector.
    #[must_use]
    pub fn new(config: &BarlowConfig, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Self {
        let rows = shape.views * shape.max_images;
        let width = config.output;
        let mut parameters = Parameters::new(buffers);
        let head = ProjectionHead::new(config.projection(shape.width), rows, "", &mut parameters, compute.clone(), buffers);
        parameters.initialise(seed, 1);
        Self {
            redundancy: config.redundancy,
            width,
            parameters,
            head,
            compute,
            unit: buffers.vec(rows * width),
            d_unit: buffers.vec(rows * width),
            correlation: buffers.vec(width * width),
            norms: (0..shape.views).map(|_| BatchNorm1d::new(width, EPS, buffers)).collect(),
        }
    }

    /// The two terms of the loss for a pair of views, whose gradients are added up in `d_unit`; `share` is 1 / pairs.
    fn pair(&mut self, images: usize, (v, w): (usize, usize), share: f64) -> (f64, f64) {
        let Self { redundancy, width, compute, unit, d_unit, correlation, .. } = self;
        let (p, isa, len, n) = (*width, compute.isa(), images * *width, images as f64);
        let (first, second) = (&unit[v * len..][..len], &unit[w * len..][..len]);
        compute.install(|| matmul_of_transposed(isa, MatRef::new(first, images, p), MatRef::new(second, images, p), correlation));
        let (mut on, mut off) = (0.0, 0.0);
        for (i, row) in correlation.chunks_exact_mut(p).enumerate() {
            for (j, c) in row.iter_mut().enumerate() {
                let value = f64::from(*c) / n;
                let d = if i == j {
                    on += (1.0 - value).powi(2);
                    -2.0 * (1.0 - value)
                } else {
                    off += value * value;
                    2.0 * *redundancy * value
                };
                *c = (share * d / n) as f32;
            }
        }
        let (before, from_w) = d_unit.split_at_mut(w * len);
        let (d_first, d_second) = (&mut before[v * len..][..len], &mut from_w[..len]);
        compute.install(|| {
            matmul_transposed(isa, MatRef::new(second, images, p), MatRef::new(correlation, p, p), d_first, true);
            matmul(isa, MatRef::new(first, images, p), MatRef::new(correlation, p, p), d_second, true);
        });
        (share * on, share * *redundancy * off)
    }
}

impl Method for Barlow {
    fn head_name(&self) -> &'static str {
        "projector"
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        let (images, width) = (batch.images, self.width);
        let len = images * width;
        let projections = self.head.forward(&mut self.parameters, features, batch.rows())?;
        self.unit[..projections.len()].copy_from_slice(projections);
        for (norm, unit) in self.norms.iter_mut().zip(self.unit.chunks_exact_mut(len)).take(batch.views) {
            norm.standardise(unit);
        }
        self.d_unit[..batch.rows() * width].fill(0.0);
        let pairs = (batch.views * (batch.views - 1) / 2) as f64;
        let (mut on_diagonal, mut off_diagonal) = (0.0, 0.0);
        for v in 0..batch.views {
            for w in v + 1..batch.views {
                let (on, off) = self.pair(images, (v, w), 1.0 / pairs);
                on_diagonal += on;
                off_diagonal += off;
            }
        }
        let rows = self.unit.chunks_exact(len).zip(self.d_unit.chunks_exact_mut(len)).take(batch.views);
        for (norm, (unit, d_unit)) in self.norms.iter_mut().zip(rows) {
            norm.backward(unit, None, d_unit);
        }
        self.head.backward(&mut self.parameters, features, &self.d_unit[..batch.rows() * width]);
        // The normalisation takes every constant away; Adam would turn the rounding noise into whole steps.
        let end = self.parameters.len();
        self.parameters.gradients_mut()[end - width..].fill(0.0);
        let figures = vec![("on_diagonal", on_diagonal), ("off_diagonal", off_diagonal)];
        Ok(MethodStep { loss: on_diagonal + off_diagonal, figures })
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
