//! A projection head, `Linear(D → Hd) → BatchNorm1d → LeakyReLU(leak) → Linear(Hd → P)`, with its way back.
//!
//! `h = f · W1ᵀ + b1`, `x̂ = (h − mean) / sqrt(var + eps)` over the rows, `a = gamma · x̂ + beta`, `y = a` or `leak · a` below 0,
//! `z = y · W2ᵀ + b2`. Backward: `d_h = gamma / sqrt(var + eps) · (d_a − Σ d_a / N − x̂ · Σ (d_a · x̂) / N)`. The bias b1
//! cancels in the normalisation: its gradient is zero. Sums over rows are taken in f64 and in the order of the rows.

use crate::Result;
use crate::heads::classifier::check_rows;
use crate::heads::split::{parts, parts_mut};
use relata_model::{Buffers, Compute, ParameterKind, Parameters, ParametersMut};
use relata_ops::{BatchNorm1d, MatRef, matmul, matmul_of_transposed, matmul_transposed};
use std::ops::Range;

/// PyTorch's defaults for `BatchNorm1d`.
const EPS: f64 = 1e-5;
const NORM_MOMENTUM: f64 = 0.1;
/// PyTorch's default for `LeakyReLU`.
pub(crate) const LEAK: f32 = 0.01;

/// Widths of a projection head, and its activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ProjectionShape {
    /// D.
    pub(crate) width: usize,
    /// Hd.
    pub(crate) hidden: usize,
    /// P.
    pub(crate) output: usize,
    /// Slope below 0: [`LEAK`], or 0 for a ReLU.
    pub(crate) leak: f32,
}

/// The head for batches of up to a number of rows; its parameters are a range of its method's.
#[derive(Debug)]
pub(crate) struct ProjectionHead {
    shape: ProjectionShape,
    range: Range<usize>,
    norm: usize,
    compute: Compute,
    rows: usize,
    /// `[N, Hd]`, x̂.
    normalised: Vec<f32>,
    /// `[N, Hd]`, y; in the backward pass the gradient of what comes before it.
    hidden: Vec<f32>,
    /// `[N, P]`, z.
    output: Vec<f32>,
    /// `[N, D]`.
    d_features: Vec<f32>,
    batch_norm: BatchNorm1d,
}

impl ProjectionHead {
    /// Adds its parameters, `linear1`, `bn1`, `linear2` behind `prefix`, at the end of `parameters`, not yet initialised.
    pub(crate) fn new(
        shape: ProjectionShape,
        max_rows: usize,
        prefix: &str,
        parameters: &mut Parameters,
        compute: Compute,
        buffers: &mut Buffers,
    ) -> Self {
        let ProjectionShape { width, hidden, output, .. } = shape;
        let (start, name) = (parameters.len(), |name: &str| format!("{prefix}{name}"));
        parameters.add(name("linear1.weight"), &[hidden, width], ParameterKind::LinearWeight);
        parameters.add(name("linear1.bias"), &[hidden], ParameterKind::LinearBias { inputs: width });
        let norm = parameters.add_norm(&name("bn1"), hidden);
        parameters.add(name("linear2.weight"), &[output, hidden], ParameterKind::LinearWeight);
        parameters.add(name("linear2.bias"), &[output], ParameterKind::LinearBias { inputs: hidden });
        let mut of_rows = |columns: usize| buffers.vec(max_rows * columns);
        let [normalised, y, z, d_features] = [hidden, hidden, output, width].map(&mut of_rows);
        Self {
            shape,
            range: start..parameters.len(),
            norm,
            compute,
            rows: 0,
            normalised,
            hidden: y,
            output: z,
            d_features,
            batch_norm: BatchNorm1d::new(hidden, EPS, buffers),
        }
    }

    /// Projections `[rows, P]` of features `[rows, D]`, in training mode: batch statistics, running statistics are updated.
    ///
    /// # Errors
    /// Where the features are not `rows` rows, or more than there is room for.
    pub(crate) fn forward(&mut self, parameters: &mut Parameters, features: &[f32], rows: usize) -> Result<&[f32]> {
        let ProjectionShape { width, hidden, output, leak } = self.shape;
        check_rows(features, rows, width, self.d_features.len() / width)?;
        self.rows = rows;
        let isa = self.compute.isa();
        // Once a batch, however many heads there are.
        if self.norm == 0 {
            parameters.count_batch();
        }
        let ParametersMut { values, norms, .. } = parameters.parts_mut();
        let [weight1, bias1, gamma, beta, weight2, bias2] = parts(&values[self.range.clone()], lengths(self.shape));
        let (h, y) = (&mut self.normalised[..rows * hidden], &mut self.hidden[..rows * hidden]);
        self.compute.install(|| {
            matmul_transposed(isa, MatRef::new(features, rows, width), MatRef::new(weight1, hidden, width), h, false)
        });

        self.batch_norm.standardise(h);
        let norm = &mut norms[self.norm];
        self.batch_norm.update_running_stats(NORM_MOMENTUM, Some(bias1), &mut norm.mean, &mut norm.var);
        for (x, y) in h.chunks_exact(hidden).zip(y.chunks_exact_mut(hidden)) {
            for c in 0..hidden {
                let a = gamma[c] * x[c] + beta[c];
                y[c] = if a < 0.0 { leak * a } else { a };
            }
        }
        let z = &mut self.output[..rows * output];
        self.compute
            .install(|| matmul_transposed(isa, MatRef::new(y, rows, hidden), MatRef::new(weight2, output, hidden), z, false));
        for z in z.chunks_exact_mut(output) {
            z.iter_mut().zip(bias2).for_each(|(z, b)| *z += b);
        }
        Ok(z)
    }

    /// All gradients of the last forward pass, given that of its projections.
    pub(crate) fn backward(&mut self, parameters: &mut Parameters, features: &[f32], d_output: &[f32]) {
        let ProjectionShape { width, hidden, output, leak } = self.shape;
        let (rows, isa) = (self.rows, self.compute.isa());
        let (values, gradients) = parameters.values_and_gradients_mut();
        let [weight1, _, gamma, beta, weight2, _] = parts(&values[self.range.clone()], lengths(self.shape));
        let gradients = &mut gradients[self.range.clone()];
        let [d_weight1, d_bias1, d_gamma, d_beta, d_weight2, d_bias2] = parts_mut(gradients, lengths(self.shape));
        let (normalised, d) = (&self.normalised[..rows * hidden], &mut self.hidden[..rows * hidden]);
        self.compute.install(|| {
            matmul_of_transposed(isa, MatRef::new(d_output, rows, output), MatRef::new(d, rows, hidden), d_weight2);
            // From here on `d` is no longer y but its gradient.
            matmul(isa, MatRef::new(d_output, rows, output), MatRef::new(weight2, output, hidden), d, false);
        });
        for (column, d) in d_bias2.iter_mut().enumerate() {
            *d = d_output.iter().skip(column).step_by(output).map(|d| f64::from(*d)).sum::<f64>() as f32;
        }
        for (x, d) in normalised.chunks_exact(hidden).zip(d.chunks_exact_mut(hidden)) {
            for c in 0..hidden {
                if gamma[c] * x[c] + beta[c] < 0.0 {
                    d[c] *= leak;
                }
            }
        }
        self.batch_norm.backward(normalised, Some(gamma), d);
        self.batch_norm.write_gradients(d_gamma, d_beta);
        d_bias1.fill(0.0);
        let d_features = &mut self.d_features[..rows * width];
        self.compute.install(|| {
            matmul(isa, MatRef::new(d, rows, hidden), MatRef::new(weight1, hidden, width), d_features, false);
            matmul_of_transposed(isa, MatRef::new(d, rows, hidden), MatRef::new(features, rows, width), d_weight1);
        });
    }

    pub(crate) fn d_features(&self) -> &[f32] {
        &self.d_features[..self.rows * self.shape.width]
    }

    /// The projections of the last forward pass.
    pub(crate) fn output(&self) -> &[f32] {
        &self.output[..self.rows * self.shape.output]
    }

    /// Where its numbers lie among its method's.
    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

/// Lengths of the parameters, in the order that `new` adds them in.
fn lengths(shape: ProjectionShape) -> [usize; 6] {
    let ProjectionShape { width, hidden, output, .. } = shape;
    [hidden * width, hidden, hidden, hidden, output * hidden, output]
}
