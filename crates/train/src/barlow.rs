use crate::config::{check, check_width};
use crate::projection::{ProjectionHead, ProjectionShape};
use crate::{BatchShape, HeadShape, Method, MethodStep, Result};
use relata_model::{Compute, Parameters};
use relata_ops::{matmul, matmul_of_transposed, matmul_transposed};
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
    pub(crate) fn validate(&self, views: usize) -> Result<()> {
        check(views >= 2, "augment.views", views, "2 or more: Barlow Twins compares two views of one image")?;
        let fits = self.redundancy >= 0.0 && self.redundancy.is_finite();
        check(fits, "method.barlow.redundancy", self.redundancy, "a number of 0 or more")?;
        check_width("method.barlow.hidden", self.hidden)?;
        check_width("method.barlow.output", self.output)
    }

    fn projection(&self, width: usize) -> ProjectionShape {
        ProjectionShape { width, hidden: self.hidden, output: self.output, leak: 0.0 }
    }

    /// Numbers that the head trains.
    pub(crate) fn parameter_count(&self, width: usize) -> usize {
        ProjectionHead::parameter_count(self.projection(width))
    }

    /// Bytes of the buffers, parameters apart.
    pub(crate) fn bytes(&self, shape: HeadShape) -> usize {
        let rows = shape.views * shape.max_images;
        ProjectionHead::bytes(self.projection(shape.width), rows) + size_of::<f32>() * self.output * (2 * rows + self.output)
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
    /// One view's `1 / sqrt(var + eps)`, for all views.
    inv_std: Vec<f64>,
}

impl Barlow {
    /// A method with a freshly drawn projector.
    #[must_use]
    pub fn new(config: &BarlowConfig, shape: HeadShape, seed: u64, compute: Compute) -> Self {
        let rows = shape.views * shape.max_images;
        let width = config.output;
        let mut parameters = Parameters::default();
        let head = ProjectionHead::new(config.projection(shape.width), rows, "", &mut parameters, compute.clone());
        parameters.initialise(seed, 1);
        Self {
            redundancy: config.redundancy,
            width,
            parameters,
            head,
            compute,
            unit: vec![0.0; rows * width],
            d_unit: vec![0.0; rows * width],
            correlation: vec![0.0; width * width],
            inv_std: vec![0.0; shape.views * width],
        }
    }

    /// The two terms of the loss for a pair of views, whose gradients are added up in `d_unit`; `share` is 1 / pairs.
    fn pair(&mut self, images: usize, (v, w): (usize, usize), share: f64) -> (f64, f64) {
        let Self { redundancy, width, compute, unit, d_unit, correlation, .. } = self;
        let (p, isa, len, n) = (*width, compute.isa(), images * *width, images as f64);
        let (first, second) = (&unit[v * len..][..len], &unit[w * len..][..len]);
        compute.install(|| matmul_of_transposed(isa, images, p, p, first, second, correlation));
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
            matmul_transposed(isa, images, p, p, second, correlation, d_first, true);
            matmul(isa, images, p, p, first, correlation, d_second, true);
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
        for view in 0..batch.views {
            let inv_std = &mut self.inv_std[view * width..][..width];
            normalise(&projections[view * len..][..len], &mut self.unit[view * len..][..len], inv_std);
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
        for view in 0..batch.views {
            let range = view * len..(view + 1) * len;
            let inv_std = &self.inv_std[view * width..][..width];
            back_through_normalisation(&self.unit[range.clone()], &mut self.d_unit[range], inv_std);
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

/// `u = (z − mean) / sqrt(var + eps)` a column; rows are `[images, P]`, the variance is over n.
fn normalise(z: &[f32], u: &mut [f32], inv_std: &mut [f64]) {
    let width = inv_std.len();
    let n = (z.len() / width) as f64;
    let mut means = vec![0.0; width];
    for row in z.chunks_exact(width) {
        means.iter_mut().zip(row).for_each(|(mean, z)| *mean += f64::from(*z));
    }
    means.iter_mut().for_each(|mean| *mean /= n);
    inv_std.fill(0.0);
    for row in z.chunks_exact(width) {
        for ((square, mean), z) in inv_std.iter_mut().zip(&means).zip(row) {
            *square += (f64::from(*z) - mean).powi(2);
        }
    }
    inv_std.iter_mut().for_each(|square| *square = 1.0 / (*square / n + EPS).sqrt());
    for (u, z) in u.chunks_exact_mut(width).zip(z.chunks_exact(width)) {
        for c in 0..width {
            u[c] = ((f64::from(z[c]) - means[c]) * inv_std[c]) as f32;
        }
    }
}

/// `d_z = (d_u − Σ d_u / n − u · Σ (d_u · u) / n) / sqrt(var + eps)` a column, in the place of `d_u`.
fn back_through_normalisation(u: &[f32], d: &mut [f32], inv_std: &[f64]) {
    let width = inv_std.len();
    let n = (u.len() / width) as f64;
    let (mut sums, mut slopes) = (vec![0.0; width], vec![0.0; width]);
    for (u, d) in u.chunks_exact(width).zip(d.chunks_exact(width)) {
        for c in 0..width {
            sums[c] += f64::from(d[c]);
            slopes[c] += f64::from(d[c]) * f64::from(u[c]);
        }
    }
    for (u, d) in u.chunks_exact(width).zip(d.chunks_exact_mut(width)) {
        for c in 0..width {
            d[c] = (inv_std[c] * (f64::from(d[c]) - sums[c] / n - f64::from(u[c]) * slopes[c] / n)) as f32;
        }
    }
}
