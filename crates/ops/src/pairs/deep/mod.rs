//! The head of several hidden layers: the rows of the pairs are made, and go through a perceptron.

mod kernels;
#[cfg(test)]
mod tests;

use super::aggregate::{PairAggregation, maximum, maximum_gradient};
use super::rows::RowSums;
use super::{EPS, PairOutcome, RelationPair, RelationPairs, check_images, check_sizes};
use crate::loss::PairLoss;
use crate::{
    Buffers, Isa, MatRef, Result, RunningStats, chunk_count, chunk_count_at_most, chunk_images, matmul, matmul_of_transposed,
    matmul_transposed,
};
use rayon::prelude::*;
use std::ops::Range;

/// What a [`DeepPairHead`] is, batches apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeepPairHeadShape {
    /// How two features become one row.
    pub aggregation: PairAggregation,
    /// Width of the features, D.
    pub width: usize,
    /// Width of every hidden layer, Hd.
    pub hidden: usize,
    /// Number of hidden layers, L.
    pub layers: usize,
    /// Rolls of each pair of views, S.
    pub shifts: usize,
}

/// `L x (Linear → BatchNorm → LeakyReLU(0.01)) → Linear(Hd → 1)` on the rows of all pairs, P of them in the order of
/// [`RelationPairs`]:
///
/// `h_l = y_(l−1) · W_lᵀ + b_l`, `x̂_l = (h_l − mean) / sqrt(var + eps)` over the P rows, `u_l = gamma_l · x̂_l + beta_l`,
/// `y_l = LeakyReLU(u_l)`, `z = y_L · wᵀ + b`, `loss = Σ_r pair_loss(z_r, target_r) / P`, and `y_0` the rows themselves.
///
/// Behind the first layer nothing comes apart by feature rows, so here the rows are stored: buffers of `P · inputs` and
/// `(L + 2) · P · Hd` floats, and the matrix products of all P rows. Sums over rows are taken in f64, in the order of the
/// rows within at most 64 pieces of them, pieces in their order: the same bits at any number of threads.
#[derive(Debug)]
pub struct DeepPairHead {
    isa: Isa,
    views: usize,
    max_images: usize,
    shape: DeepPairHeadShape,
    /// Of the last batch.
    pairs: Vec<RelationPair>,
    /// `[P, inputs]`; behind a step their gradient.
    rows: Vec<f32>,
    /// x̂ of each hidden layer, `[P, Hd]`.
    standard: Vec<Vec<f32>>,
    /// y of one layer, or the gradient of it.
    active: Vec<f32>,
    /// The gradient of y, then of h, of one layer.
    d_hidden: Vec<f32>,
    /// `[L][Hd]`.
    inv_std: Vec<f64>,
    logits: Vec<f32>,
    d_logits: Vec<f32>,
    /// Two sums a channel for every piece of rows, and their totals.
    partial: Vec<f64>,
    sums: Vec<f64>,
}

impl DeepPairHeadShape {
    /// Width of a row: 2D for [`PairAggregation::Cat`], D for the others.
    #[must_use]
    pub fn inputs(self) -> usize {
        if self.aggregation == PairAggregation::Cat { 2 * self.width } else { self.width }
    }

    /// Length of the flat parameters: for each hidden layer weight `[Hd, inputs]`, bias, gamma and beta, then `w [Hd]` and b.
    #[must_use]
    pub fn parameter_count(self) -> usize {
        self.output().end + 1
    }

    /// Places of a hidden layer's weight, bias, gamma and beta.
    fn layer(self, layer: usize) -> [Range<usize>; 4] {
        let (hidden, inputs) = (self.hidden, if layer == 0 { self.inputs() } else { self.hidden });
        let mut end = if layer == 0 { 0 } else { (self.inputs() + 3 + (layer - 1) * (hidden + 3)) * hidden };
        [inputs * hidden, hidden, hidden, hidden].map(|len| {
            end += len;
            end - len..end
        })
    }

    /// Place of the last layer's weights, behind which its bias stands.
    fn output(self) -> Range<usize> {
        let start = self.layer(self.layers)[0].start;
        start..start + self.hidden
    }
}

impl DeepPairHead {
    /// Room for batches of up to `max_images` images (B) in `views` views (K) each. With counted `buffers` it says what it would take, and
    /// cannot be run.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for fewer than two views or images, or where a number of the shape is 0.
    pub fn new(isa: Isa, views: usize, max_images: usize, shape: DeepPairHeadShape, buffers: &mut Buffers) -> Result<Self> {
        let DeepPairHeadShape { width, hidden, layers, shifts, .. } = shape;
        let sizes = [("feature width", width), ("hidden width", hidden), ("number of hidden layers", layers)];
        check_sizes(views, max_images, &sizes)?;
        check_sizes(views, max_images, &[("number of shifts a pair", shifts)])?;
        let rows = RelationPairs::rows(views, max_images, shifts);
        Ok(Self {
            isa,
            views,
            max_images,
            shape,
            pairs: buffers.with_capacity(RelationPairs::count(views, shifts)),
            rows: buffers.vec(rows * shape.inputs()),
            standard: (0..layers).map(|_| buffers.vec(rows * hidden)).collect(),
            active: buffers.vec(rows * hidden),
            d_hidden: buffers.vec(rows * hidden),
            inv_std: buffers.vec(layers * hidden),
            logits: buffers.vec(rows),
            d_logits: buffers.vec(rows),
            partial: buffers.vec(chunk_count_at_most(rows) * 2 * hidden),
            sums: buffers.vec(2 * hidden),
        })
    }

    /// Outcome and all gradients of one training step; each BatchNorm takes the batch's statistics and moves its `running`,
    /// one for each hidden layer.
    ///
    /// `features` are `[K·B, D]` view-major, B = `images`; `params` lie as [`DeepPairHeadShape::parameter_count`] says.
    /// `d_features` and `grads` are overwritten; the gradients of biases in front of a BatchNorm are exactly 0.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] where `images` is below 2 or above what the buffers hold.
    pub fn forward_backward<'a>(
        &mut self,
        images: usize,
        features: &[f32],
        params: &[f32],
        running: impl IntoIterator<Item = RunningStats<'a>>,
        loss: PairLoss,
        d_features: &mut [f32],
        grads: &mut [f32],
    ) -> Result<PairOutcome> {
        check_images(images, self.max_images)?;
        let shape = self.shape;
        assert!(features.len() == self.views * images * shape.width && d_features.len() == features.len(), "features");
        assert!(params.len() == shape.parameter_count() && grads.len() == params.len(), "relation head parameters");
        self.pairs.clear();
        self.pairs.extend(RelationPairs::new(self.views, images, shape.shifts));
        let rows = RelationPairs::rows(self.views, images, shape.shifts);
        self.form(features, images);
        let mut running = running.into_iter();
        for layer in 0..shape.layers {
            self.forward(layer, rows, params, running.next().expect("running statistics of each hidden layer"));
        }
        let outcome = self.loss_and_gradients(images, rows, params, loss);
        self.backward(rows, params, grads);
        self.sum_by_feature(features, d_features);
        Ok(outcome)
    }

    /// Logits of the last batch's rows, in the order of [`RelationPairs`]; empty before the first.
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        let rows = self.pairs.first().map_or(0, |pair| RelationPairs::rows(self.views, pair.images, self.shape.shifts));
        &self.logits[..rows]
    }

    /// Makes the rows.
    fn form(&mut self, features: &[f32], images: usize) {
        let (isa, aggregation, width, inputs) = (self.isa, self.shape.aggregation, self.shape.width, self.shape.inputs());
        self.pairs.par_iter().zip(self.rows.par_chunks_mut(2 * images * inputs)).for_each(|(pair, to)| {
            for ((a, c), to) in pair.feature_rows().zip(to.chunks_exact_mut(inputs)) {
                let (a, c) = (&features[a * width..][..width], &features[c * width..][..width]);
                match aggregation {
                    PairAggregation::Cat => {
                        to[..width].copy_from_slice(a);
                        to[width..].copy_from_slice(c);
                    }
                    PairAggregation::Sum => to.iter_mut().zip(a).zip(c).for_each(|((to, a), c)| *to = a + c),
                    PairAggregation::Mean => to.iter_mut().zip(a).zip(c).for_each(|((to, a), c)| *to = (a + c) * 0.5),
                    PairAggregation::Max => maximum(isa, a, c, to),
                }
            }
        });
    }

    /// One hidden layer, from the rows or from the layer before it in `active`, into `active`.
    fn forward(&mut self, layer: usize, rows: usize, params: &[f32], mut running: RunningStats<'_>) {
        let (isa, hidden) = (self.isa, self.shape.hidden);
        assert!(running.mean.len() == hidden && running.var.len() == hidden, "running statistics");
        let [weight, bias, gamma, beta] = self.shape.layer(layer).map(|range| &params[range]);
        let x = &mut self.standard[layer][..rows * hidden];
        let (input, inputs) = if layer == 0 { (&self.rows, self.shape.inputs()) } else { (&self.active, hidden) };
        matmul_transposed(isa, MatRef::new(input, rows, inputs), MatRef::new(weight, hidden, inputs), x, false);

        // Relative to the first row, so that a mean far from zero costs no digits.
        let (origin, piece) = (&x[..hidden], chunk_images(rows) * hidden);
        let pieces = x.par_chunks(piece).zip(self.partial.par_chunks_mut(2 * hidden));
        pieces.for_each(|(x, sums)| kernels::moments(isa, x, origin, sums));
        join(&self.partial, chunk_count(rows), &mut self.sums);
        let n = rows as f64;
        let inv_std = &mut self.inv_std[layer * hidden..][..hidden];
        let (means, squares) = self.sums.split_at_mut(hidden);
        for c in 0..hidden {
            let rest = means[c] / n;
            let var = (squares[c] / n - rest * rest).max(0.0);
            means[c] = f64::from(x[c]) + rest;
            inv_std[c] = 1.0 / (var + EPS).sqrt();
            running.update(c, means[c] + f64::from(bias[c]), var, n);
        }
        let (means, inv_std) = (&*means, &*inv_std);
        let pieces = x.par_chunks_mut(piece).zip(self.active.par_chunks_mut(piece));
        pieces.for_each(|(x, y)| {
            kernels::standardise(isa, means, inv_std, x);
            kernels::activate(isa, x, gamma, beta, y);
        });
    }

    /// Logits from the last hidden layer in `active`, losses and logit gradients of all rows.
    fn loss_and_gradients(&mut self, images: usize, rows: usize, params: &[f32], loss: PairLoss) -> PairOutcome {
        let output = self.shape.output();
        let bias = params[output.end];
        let (logits, d_logits) = (&mut self.logits[..rows], &mut self.d_logits[..rows]);
        matmul_transposed(
            self.isa,
            MatRef::new(&self.active, rows, self.shape.hidden),
            MatRef::new(&params[output], 1, self.shape.hidden),
            logits,
            false,
        );
        logits.iter_mut().for_each(|z| *z += bias);
        let mut sums = RowSums::default();
        let targets = [true, false].into_iter().cycle();
        for ((logits, d_logits), positive) in logits.chunks(images).zip(d_logits.chunks_mut(images)).zip(targets) {
            sums.add(self.isa, loss, rows, positive, logits, d_logits);
        }
        RowSums::outcome(&[sums])
    }

    /// The way back from `d_logits` to the gradient of the rows, which takes their place.
    fn backward(&mut self, rows: usize, params: &[f32], grads: &mut [f32]) {
        let (isa, shape) = (self.isa, self.shape);
        let (hidden, output, n) = (shape.hidden, shape.output(), rows as f64);
        let piece = chunk_images(rows) * hidden;
        let d_logits = &self.d_logits[..rows];
        grads[output.end] = d_logits.iter().map(|d| f64::from(*d)).sum::<f64>() as f32;
        matmul_of_transposed(
            isa,
            MatRef::new(d_logits, rows, 1),
            MatRef::new(&self.active, rows, hidden),
            &mut grads[output.clone()],
        );
        matmul(isa, MatRef::new(d_logits, rows, 1), MatRef::new(&params[output], 1, hidden), &mut self.d_hidden, false);
        for layer in (0..shape.layers).rev() {
            let ranges = shape.layer(layer);
            let [weight, _, gamma, beta] = ranges.clone().map(|range| &params[range]);
            let x = &self.standard[layer][..rows * hidden];
            let pieces = x.par_chunks(piece).zip(self.d_hidden.par_chunks_mut(piece));
            let pieces = pieces.zip(self.partial.par_chunks_mut(2 * hidden));
            pieces.for_each(|((x, d), sums)| kernels::activation_gradient(isa, x, gamma, beta, d, sums));
            join(&self.partial, chunk_count(rows), &mut self.sums);
            let [_, d_bias, d_gamma, d_beta] = ranges.clone();
            grads[d_bias].fill(0.0);
            grads[d_beta].iter_mut().zip(&self.sums).for_each(|(d, sum)| *d = *sum as f32);
            grads[d_gamma].iter_mut().zip(&self.sums[hidden..]).for_each(|(d, sum)| *d = *sum as f32);
            self.sums.iter_mut().for_each(|sum| *sum /= n);
            let (means, inv_std) = (&self.sums, &self.inv_std[layer * hidden..][..hidden]);
            let pieces = x.par_chunks(piece).zip(self.d_hidden.par_chunks_mut(piece));
            pieces.for_each(|(x, d)| kernels::norm_gradient(isa, x, gamma, inv_std, means, d));

            let d_weight = &mut grads[ranges[0].clone()];
            if layer == 0 {
                let inputs = shape.inputs();
                matmul_of_transposed(
                    isa,
                    MatRef::new(&self.d_hidden, rows, hidden),
                    MatRef::new(&self.rows, rows, inputs),
                    d_weight,
                );
                matmul(
                    isa,
                    MatRef::new(&self.d_hidden, rows, hidden),
                    MatRef::new(weight, hidden, inputs),
                    &mut self.rows,
                    false,
                );
            } else {
                // What the layer read is made again rather than kept.
                let [_, _, gamma, beta] = shape.layer(layer - 1).map(|range| &params[range]);
                let pieces = self.standard[layer - 1][..rows * hidden].par_chunks(piece).zip(self.active.par_chunks_mut(piece));
                pieces.for_each(|(x, y)| kernels::activate(isa, x, gamma, beta, y));
                matmul_of_transposed(
                    isa,
                    MatRef::new(&self.d_hidden, rows, hidden),
                    MatRef::new(&self.active, rows, hidden),
                    d_weight,
                );
                matmul(
                    isa,
                    MatRef::new(&self.d_hidden, rows, hidden),
                    MatRef::new(weight, hidden, hidden),
                    &mut self.active,
                    false,
                );
                std::mem::swap(&mut self.active, &mut self.d_hidden);
            }
        }
    }

    /// Adds the gradients of the rows to those of the features that they were made of, in the order of the rows.
    fn sum_by_feature(&self, features: &[f32], d_features: &mut [f32]) {
        let (aggregation, width) = (self.shape.aggregation, self.shape.width);
        let share = if aggregation == PairAggregation::Mean { 0.5 } else { 1.0 };
        let add = |to: &mut [f32], d: &[f32]| to.iter_mut().zip(d).for_each(|(to, d)| *to += d * share);
        d_features.fill(0.0);
        let feature_rows = self.pairs.iter().flat_map(RelationPair::feature_rows);
        for ((a, c), d) in feature_rows.zip(self.rows.chunks_exact(self.shape.inputs())) {
            // The second view's rows all come after the first view's.
            let (before, rest) = d_features.split_at_mut(c * width);
            let (d_a, d_c) = (&mut before[a * width..][..width], &mut rest[..width]);
            match aggregation {
                PairAggregation::Cat => {
                    add(d_a, &d[..width]);
                    add(d_c, &d[width..]);
                }
                PairAggregation::Sum | PairAggregation::Mean => {
                    add(d_a, d);
                    add(d_c, d);
                }
                PairAggregation::Max => {
                    let [f_a, f_c] = [a, c].map(|row| &features[row * width..][..width]);
                    maximum_gradient(self.isa, f_a, f_c, d, d_a, d_c);
                }
            }
        }
    }
}

/// Adds the sums of the first `pieces` pieces, in their order.
fn join(partial: &[f64], pieces: usize, sums: &mut [f64]) {
    sums.fill(0.0);
    for part in partial.chunks_exact(sums.len()).take(pieces) {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}
