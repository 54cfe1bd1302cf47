//! Deep InfoMax's prior discriminator: features against uniform numbers, by a perceptron `D → 512 → 128 → 1` with ReLUs.
//!
//! `a1 = relu(W1·x + b1)`, `a2 = relu(W2·a1 + b2)`, `z = w3·a2 + b3`; with p = sigmoid(z), the reference's
//! `−mean ln p(uniform) − mean ln(1 − p(features))` is `mean softplus(−z)` over uniform rows and `mean softplus(z)` over features'.

use crate::heads::split::{parts, parts_mut};
use relata_model::{Buffers, Compute, ParameterKind, Parameters};
use relata_ops::{MatRef, PairLoss, matmul, matmul_of_transposed, matmul_transposed};
use std::ops::Range;

/// Widths of the hidden layers, the reference's.
const FIRST: usize = 512;
const SECOND: usize = 128;

/// The discriminator for batches of up to a number of feature rows; its parameters are a range of its method's.
#[derive(Debug)]
pub(crate) struct Prior {
    width: usize,
    range: Range<usize>,
    compute: Compute,
    /// `[2N, D]`: the features, then uniform numbers; then their gradient.
    input: Vec<f32>,
    /// `[2N, 512]` and `[2N, 128]`, behind the ReLUs; the second becomes its gradient.
    first: Vec<f32>,
    second: Vec<f32>,
    d_first: Vec<f32>,
    /// `[2N, 1]`, z, then its gradient.
    logits: Vec<f32>,
}

impl Prior {
    /// Adds its parameters, `linear1` to `linear3` behind `prefix`, at the end of `parameters`, not yet initialised.
    pub(crate) fn new(
        width: usize,
        max_rows: usize,
        prefix: &str,
        parameters: &mut Parameters,
        compute: Compute,
        buffers: &mut Buffers,
    ) -> Self {
        let start = parameters.len();
        for (layer, (inputs, outputs)) in [(width, FIRST), (FIRST, SECOND), (SECOND, 1)].into_iter().enumerate() {
            let name = format!("{prefix}linear{}", layer + 1);
            parameters.add(format!("{name}.weight"), &[outputs, inputs], ParameterKind::LinearWeight);
            parameters.add(format!("{name}.bias"), &[outputs], ParameterKind::LinearBias { inputs });
        }
        let [input, first, second, d_first, logits] =
            [width, FIRST, SECOND, FIRST, 1].map(|columns| buffers.vec(2 * max_rows * columns));
        Self { width, range: start..parameters.len(), compute, input, first, second, d_first, logits }
    }

    /// `weight` times the loss of feature rows `[N, D]` against as many uniform ones; fills the parameters' gradients, and adds that of the
    /// features to `d_features`.
    pub(crate) fn step(
        &mut self,
        parameters: &mut Parameters,
        features: &[f32],
        uniform: &[f32],
        weight: f64,
        d_features: &mut [f32],
    ) -> f64 {
        let (width, isa, rows) = (self.width, self.compute.isa(), features.len() / self.width);
        let both = 2 * rows;
        let (values, gradients) = parameters.values_and_gradients_mut();
        let [w1, b1, w2, b2, w3, b3] = parts(&values[self.range.clone()], lengths(width));
        let [d_w1, d_b1, d_w2, d_b2, d_w3, d_b3] = parts_mut(&mut gradients[self.range.clone()], lengths(width));
        let input = &mut self.input[..both * width];
        let (first, second) = (&mut self.first[..both * FIRST], &mut self.second[..both * SECOND]);
        let (d_first, logits) = (&mut self.d_first[..both * FIRST], &mut self.logits[..both]);
        input[..rows * width].copy_from_slice(features);
        input[rows * width..].copy_from_slice(uniform);
        self.compute.install(|| {
            matmul_transposed(isa, MatRef::new(input, both, width), MatRef::new(w1, FIRST, width), first, false);
            rectify(first, b1);
            matmul_transposed(isa, MatRef::new(first, both, FIRST), MatRef::new(w2, SECOND, FIRST), second, false);
            rectify(second, b2);
            matmul_transposed(isa, MatRef::new(second, both, SECOND), MatRef::new(w3, 1, SECOND), logits, false);
        });
        let (mut loss, scale) = (0.0, weight / rows as f64);
        for (row, z) in logits.iter_mut().enumerate() {
            let (value, slope) = PairLoss::Bce.value_and_gradient(*z + b3[0], row >= rows);
            loss += f64::from(value);
            *z = (scale * f64::from(slope)) as f32;
        }
        self.compute.install(|| {
            matmul_of_transposed(isa, MatRef::new(logits, both, 1), MatRef::new(second, both, SECOND), d_w3);
            column_sums(logits, d_b3);
            through_relu(second, |row, column| logits[row] * w3[column], SECOND);
            column_sums(second, d_b2);
            matmul_of_transposed(isa, MatRef::new(second, both, SECOND), MatRef::new(first, both, FIRST), d_w2);
            matmul(isa, MatRef::new(second, both, SECOND), MatRef::new(w2, SECOND, FIRST), d_first, false);
            through_relu(first, |row, column| d_first[row * FIRST + column], FIRST);
            column_sums(first, d_b1);
            matmul_of_transposed(isa, MatRef::new(first, both, FIRST), MatRef::new(input, both, width), d_w1);
            matmul(isa, MatRef::new(&first[..rows * FIRST], rows, FIRST), MatRef::new(w1, FIRST, width), d_features, true);
        });
        loss * scale
    }
}

/// `relu(a + bias)` in place; NaN stays NaN.
fn rectify(rows: &mut [f32], bias: &[f32]) {
    for row in rows.chunks_exact_mut(bias.len()) {
        for (a, b) in row.iter_mut().zip(bias) {
            *a += b;
            if *a < 0.0 {
                *a = 0.0;
            }
        }
    }
}

/// The gradient that `d` says, where an activation is above 0, in the activations' place.
fn through_relu(rows: &mut [f32], d: impl Fn(usize, usize) -> f32, width: usize) {
    for (at, row) in rows.chunks_exact_mut(width).enumerate() {
        for (column, a) in row.iter_mut().enumerate() {
            *a = if *a > 0.0 { d(at, column) } else { 0.0 };
        }
    }
}

/// In f64 and in the order of the rows.
fn column_sums(rows: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    let mut totals = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        totals.iter_mut().zip(row).for_each(|(total, value)| *total += f64::from(*value));
    }
    sums.iter_mut().zip(totals).for_each(|(sum, total)| *sum = total as f32);
}

/// Lengths of the parameters, in the order that `new` adds them in.
fn lengths(width: usize) -> [usize; 6] {
    [FIRST * width, FIRST, SECOND * FIRST, SECOND, SECOND, 1]
}
