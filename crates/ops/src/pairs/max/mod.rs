//! The head on elementwise maxima of two features, which no projection factorises.

mod kernels;
#[cfg(test)]
mod tests;

use super::aggregate::{maximum, maximum_gradient};
use super::rows::RowSums;
use super::{EPS, PairHeadGrads, PairHeadParams, PairOutcome, RelationPair, RelationPairs, check_images, check_sizes};
use crate::loss::PairLoss;
use crate::{Buffers, Isa, MatRef, Result, RunningStats, matmul, matmul_of_transposed, matmul_transposed};
use kernels::Normalisation;
use rayon::prelude::*;

/// Rows of pairs that are in memory at once, unless one pair of views has more.
const BLOCK: usize = 4096;
/// Rows that one task takes, and whose sums it forms in f32.
const TASK: usize = 64;
/// Sums a channel that a pass over rows may form.
const SUMS: usize = 3;

/// The relation head on `max(f_a, f_c)`: `h = W · max(f_a, f_c) + bias`, and from there as [`super::PairHead`].
///
/// The rows are formed block by block, three times over: for BatchNorm's statistics, for logits and loss, and for the
/// gradients. Where both features are equal the first one, `f_a`, takes the gradient. Holds some 4096 rows of
/// `2 · D + Hd` floats; costs the matrix products of all P rows, so several times the factorised head.
#[derive(Debug)]
pub struct MaxPairHead {
    isa: Isa,
    views: usize,
    max_images: usize,
    shifts: usize,
    width: usize,
    hidden: usize,
    /// Of the last batch.
    pairs: Vec<RelationPair>,
    norm: Normalisation,
    logits: Vec<f32>,
    d_logits: Vec<f32>,
    aggregated: Vec<f32>,
    d_aggregated: Vec<f32>,
    /// `W · aggregated`, later its gradient.
    h: Vec<f32>,
    d_weight_part: Vec<f32>,
    /// For every task of a block, [`SUMS`] sums a channel.
    partial: Vec<f32>,
    total: Vec<f64>,
}

/// What the rows are formed from.
#[derive(Clone, Copy)]
struct Input<'a> {
    features: &'a [f32],
    weight: &'a [f32],
}

impl MaxPairHead {
    /// Room for batches of up to `max_images` images (B) in `views` views (K) each, features of `width` (D), hidden width
    /// `hidden` (Hd).
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for fewer than two views or images, or a width of 0.
    pub fn new(isa: Isa, views: usize, max_images: usize, width: usize, hidden: usize) -> Result<Self> {
        Self::with_shifts(isa, views, max_images, width, hidden, 1, &mut Buffers::allocated())
    }

    /// As [`MaxPairHead::new`] with `shifts` (S) rolls of each pair of views: see [`RelationPairs`]. With counted `buffers` it says what it
    /// would take, and cannot be run.
    ///
    /// # Errors
    /// As [`MaxPairHead::new`], and for no shift.
    pub fn with_shifts(
        isa: Isa,
        views: usize,
        max_images: usize,
        width: usize,
        hidden: usize,
        shifts: usize,
        buffers: &mut Buffers,
    ) -> Result<Self> {
        let sizes = [("feature width", width), ("hidden width", hidden), ("number of shifts a pair", shifts)];
        check_sizes(views, max_images, &sizes)?;
        let rows = RelationPairs::rows(views, max_images, shifts);
        let block = BLOCK.max(2 * max_images).min(rows);
        Ok(Self {
            isa,
            views,
            max_images,
            shifts,
            width,
            hidden,
            pairs: buffers.with_capacity(RelationPairs::count(views, shifts)),
            norm: Normalisation::new(hidden, buffers),
            logits: buffers.vec(rows),
            d_logits: buffers.vec(rows),
            aggregated: buffers.vec(block * width),
            d_aggregated: buffers.vec(block * width),
            h: buffers.vec(block * hidden),
            d_weight_part: buffers.vec(hidden * width),
            partial: buffers.vec(block.div_ceil(TASK) * SUMS * hidden),
            total: buffers.vec(SUMS * hidden),
        })
    }

    /// Outcome and all gradients of one training step; BatchNorm takes the batch's statistics and moves `running`.
    ///
    /// `features` are `[K·B, D]` view-major, B = `images`; `weight` is `W [Hd, D]`. `d_features`, `d_weight` and `grads`
    /// are overwritten.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] where `images` is below 2 or above what the buffers hold.
    pub fn forward_backward(
        &mut self,
        images: usize,
        features: &[f32],
        weight: &[f32],
        params: PairHeadParams<'_>,
        running: RunningStats<'_>,
        loss: PairLoss,
        d_features: &mut [f32],
        d_weight: &mut [f32],
        grads: PairHeadGrads<'_>,
    ) -> Result<PairOutcome> {
        let input = self.begin(images, features, weight, params)?;
        assert!(d_features.len() == features.len() && d_weight.len() == weight.len(), "gradients of the relation head's input");
        assert!(running.mean.len() == self.hidden && running.var.len() == self.hidden, "running statistics");
        grads.assert_hidden(self.hidden);
        self.normalise_by_batch(images, input, params, running);
        let outcome = self.loss_and_gradients(images, input, params, loss, true);
        let rows = outcome.rows;
        *grads.b2 = self.d_logits[..rows].iter().map(|d| f64::from(*d)).sum::<f64>() as f32;
        for c in 0..self.hidden {
            let w2 = f64::from(params.w2[c]);
            let [slope, by_output, by_standard] = [0, 1, 2].map(|sum| self.total[sum * self.hidden + c]);
            grads.bias[c] = 0.0;
            grads.bn_bias[c] = (w2 * slope) as f32;
            grads.bn_weight[c] = (w2 * by_standard) as f32;
            grads.w2[c] = by_output as f32;
        }
        self.backward(images, input, params.w2, &grads, d_features, d_weight);
        Ok(outcome)
    }

    /// Outcome with BatchNorm in evaluation mode, by the running statistics given. Arguments as in
    /// [`MaxPairHead::forward_backward`].
    ///
    /// # Errors
    /// [`crate::Error::Shape`] where `images` is below 2 or above what the buffers hold.
    pub fn forward_eval(
        &mut self,
        images: usize,
        features: &[f32],
        weight: &[f32],
        params: PairHeadParams<'_>,
        running_mean: &[f32],
        running_var: &[f32],
        loss: PairLoss,
    ) -> Result<PairOutcome> {
        let input = self.begin(images, features, weight, params)?;
        assert!(running_mean.len() == self.hidden && running_var.len() == self.hidden, "running statistics");
        for c in 0..self.hidden {
            let mean = f64::from(running_mean[c]) - f64::from(params.bias[c]);
            self.norm.set(c, mean, f64::from(running_var[c]), EPS, params);
        }
        Ok(self.loss_and_gradients(images, input, params, loss, false))
    }

    /// Logits of the last batch's rows, in the order of [`RelationPairs`]; empty before the first.
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        let rows = self.pairs.first().map_or(0, |pair| RelationPairs::rows(self.views, pair.images, self.shifts));
        &self.logits[..rows]
    }

    fn begin<'a>(
        &mut self,
        images: usize,
        features: &'a [f32],
        weight: &'a [f32],
        params: PairHeadParams<'_>,
    ) -> Result<Input<'a>> {
        check_images(images, self.max_images)?;
        assert_eq!(features.len(), self.views * images * self.width, "features");
        assert_eq!(weight.len(), self.hidden * self.width, "weights of the relation head");
        params.assert_hidden(self.hidden);
        self.pairs.clear();
        self.pairs.extend(RelationPairs::new(self.views, images, self.shifts));
        Ok(Input { features, weight })
    }

    /// The pairs, in the blocks that are worked on at once.
    fn blocks(&self, images: usize) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let (count, at_once) = (self.pairs.len(), (BLOCK / (2 * images)).max(1));
        (0..count).step_by(at_once).map(move |first| first..count.min(first + at_once))
    }

    /// Forms the rows of a block of pairs and their hidden values, without bias; returns how many rows there are.
    fn form(&mut self, input: Input<'_>, images: usize, block: std::ops::Range<usize>) -> usize {
        let (isa, width, hidden) = (self.isa, self.width, self.hidden);
        let pairs = &self.pairs[block];
        let rows = pairs.len() * 2 * images;
        let aggregated = &mut self.aggregated[..rows * width];
        pairs.par_iter().zip(aggregated.par_chunks_mut(2 * images * width)).for_each(|(pair, to)| {
            for ((a, c), to) in pair.feature_rows().zip(to.chunks_exact_mut(width)) {
                maximum(isa, &input.features[a * width..][..width], &input.features[c * width..][..width], to);
            }
        });
        matmul_transposed(
            isa,
            MatRef::new(aggregated, rows, width),
            MatRef::new(input.weight, hidden, width),
            &mut self.h[..rows * hidden],
            false,
        );
        rows
    }

    fn normalise_by_batch(&mut self, images: usize, input: Input<'_>, params: PairHeadParams<'_>, mut running: RunningStats<'_>) {
        let (isa, hidden) = (self.isa, self.hidden);
        self.total.fill(0.0);
        for (index, block) in self.blocks(images).enumerate() {
            let rows = self.form(input, images, block);
            if index == 0 {
                // Values are taken relative to the first row, so that a mean far from zero costs no digits.
                self.norm.mean.copy_from_slice(&self.h[..hidden]);
            }
            let origin = &self.norm.mean;
            let tasks = self.h[..rows * hidden].par_chunks(TASK * hidden).zip(self.partial.par_chunks_mut(SUMS * hidden));
            tasks.for_each(|(h, sums)| kernels::moments(isa, h, origin, sums));
            self.join(rows);
        }
        let count = RelationPairs::rows(self.views, images, self.shifts) as f64;
        for c in 0..hidden {
            let rest = self.total[c] / count;
            let var = (self.total[hidden + c] / count - rest * rest).max(0.0);
            let mean = f64::from(self.norm.mean[c]) + rest;
            self.norm.set(c, mean, var, EPS, params);
            running.update(c, mean + f64::from(params.bias[c]), var, count);
        }
    }

    /// Logits, losses and logit gradients of all rows and, for training, the sums that BatchNorm's gradient needs.
    fn loss_and_gradients(
        &mut self,
        images: usize,
        input: Input<'_>,
        params: PairHeadParams<'_>,
        loss: PairLoss,
        training: bool,
    ) -> PairOutcome {
        let (isa, hidden) = (self.isa, self.hidden);
        let total_rows = RelationPairs::rows(self.views, images, self.shifts);
        let mut sums = RowSums::default();
        self.total.fill(0.0);
        for block in self.blocks(images) {
            let first = block.start * 2 * images;
            let rows = self.form(input, images, block);
            let (h, norm) = (&self.h[..rows * hidden], &self.norm);
            let logits = &mut self.logits[first..first + rows];
            let d_logits = &mut self.d_logits[first..first + rows];
            let tasks = h.par_chunks(TASK * hidden).zip(logits.par_chunks_mut(TASK));
            tasks.for_each(|(h, logits)| kernels::logits(isa, h, norm, params.w2, params.b2, logits));
            let targets = [true, false].into_iter().cycle();
            for ((logits, d_logits), positive) in logits.chunks(images).zip(d_logits.chunks_mut(images)).zip(targets) {
                sums.add(isa, loss, total_rows, positive, logits, d_logits);
            }
            if training {
                let partial = self.partial.par_chunks_mut(SUMS * hidden);
                let tasks = h.par_chunks(TASK * hidden).zip(d_logits.par_chunks(TASK)).zip(partial);
                tasks.for_each(|((h, d_logits), sums)| kernels::slope_sums(isa, h, norm, d_logits, sums));
                self.join(rows);
            }
        }
        RowSums::outcome(&[sums])
    }

    /// Adds the sums of a block's tasks to the totals, in their order.
    fn join(&mut self, rows: usize) {
        for part in self.partial.chunks_exact(SUMS * self.hidden).take(rows.div_ceil(TASK)) {
            for (total, part) in self.total.iter_mut().zip(part) {
                *total += f64::from(*part);
            }
        }
    }

    fn backward(
        &mut self,
        images: usize,
        input: Input<'_>,
        w2: &[f32],
        grads: &PairHeadGrads<'_>,
        d_features: &mut [f32],
        d_weight: &mut [f32],
    ) {
        let (isa, width, hidden) = (self.isa, self.width, self.hidden);
        let share = 1.0 / RelationPairs::rows(self.views, images, self.shifts) as f32;
        d_features.fill(0.0);
        d_weight.fill(0.0);
        for block in self.blocks(images) {
            let first = block.start * 2 * images;
            let rows = self.form(input, images, block.clone());
            let (norm, d_logits) = (&self.norm, &self.d_logits[first..first + rows]);
            let tasks = self.h[..rows * hidden].par_chunks_mut(TASK * hidden).zip(d_logits.par_chunks(TASK));
            tasks.for_each(|(h, d_logits)| {
                kernels::hidden_gradient(isa, norm, w2, [&*grads.bn_bias, &*grads.bn_weight], share, d_logits, h)
            });
            let d_h = &self.h[..rows * hidden];
            matmul_of_transposed(
                isa,
                MatRef::new(d_h, rows, hidden),
                MatRef::new(&self.aggregated, rows, width),
                &mut self.d_weight_part,
            );
            d_weight.iter_mut().zip(&self.d_weight_part).for_each(|(to, part)| *to += part);
            matmul(isa, MatRef::new(d_h, rows, hidden), MatRef::new(input.weight, hidden, width), &mut self.d_aggregated, false);
            let mut from = self.d_aggregated.chunks_exact(width);
            for pair in &self.pairs[block] {
                for ((a, c), d) in pair.feature_rows().zip(&mut from) {
                    // The second view's rows all come after the first view's.
                    let (before, rest) = d_features.split_at_mut(c * width);
                    let (d_a, d_c) = (&mut before[a * width..][..width], &mut rest[..width]);
                    maximum_gradient(
                        isa,
                        &input.features[a * width..][..width],
                        &input.features[c * width..][..width],
                        d,
                        d_a,
                        d_c,
                    );
                }
            }
        }
    }
}
