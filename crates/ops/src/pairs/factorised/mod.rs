//! The factorised head: its buffers and the order of its passes.

mod block;
mod kernels;
#[cfg(test)]
mod tests;

use super::rows::RowSums;
use super::{PairHeadGrads, PairHeadParams, PairOutcome, RelationPair, RelationPairs, check_images, check_sizes};
use crate::loss::PairLoss;
use crate::{Buffers, Isa, Result, RunningStats};
use block::{Blocks, LogitGradients, Projections, lanes_of, stride};
use kernels::{LANES, Lanes};
use rayon::prelude::*;

/// Most pieces that the pairs are cut into for the logits.
const MOST_PIECES: usize = 64;

/// The relation head behind two projections of the features, with all that one step of it writes on the way.
///
/// Holds eight buffers of `N · Hd` floats and two of P; a step allocates nothing for batches up to the size it was made for.
#[derive(Debug)]
pub struct PairHead {
    isa: Isa,
    views: usize,
    max_images: usize,
    shifts: usize,
    hidden: usize,
    /// Of the last batch.
    pairs: Vec<RelationPair>,
    blocks: Blocks,
    w2: Vec<Lanes>,
    logits: Vec<f32>,
    d_logits: Vec<f32>,
    /// Sums of `d_logits` for each feature row on the left and on the right.
    d_left_rows: Vec<f32>,
    d_right_rows: Vec<f32>,
    sums: Vec<RowSums>,
}

impl PairHead {
    /// Room for batches of up to `max_images` images (B) in `views` views (K) each, hidden width `hidden` (Hd).
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for fewer than two views or images, or a width of 0.
    pub fn new(isa: Isa, views: usize, max_images: usize, hidden: usize) -> Result<Self> {
        Self::with_shifts(isa, views, max_images, hidden, 1, &mut Buffers::allocated())
    }

    /// As [`PairHead::new`] with `shifts` (S) rolls of each pair of views: see [`RelationPairs`]. With counted `buffers` it says what it would
    /// take, and cannot be run.
    ///
    /// # Errors
    /// As [`PairHead::new`], and for no shift.
    pub fn with_shifts(
        isa: Isa,
        views: usize,
        max_images: usize,
        hidden: usize,
        shifts: usize,
        buffers: &mut Buffers,
    ) -> Result<Self> {
        check_sizes(views, max_images, &[("hidden width", hidden), ("number of shifts a pair", shifts)])?;
        let (n, rows) = (views * max_images, RelationPairs::rows(views, max_images, shifts));
        let pairs = RelationPairs::count(views, shifts);
        Ok(Self {
            isa,
            views,
            max_images,
            shifts,
            hidden,
            pairs: buffers.with_capacity(pairs),
            blocks: Blocks::new(n, hidden, buffers),
            w2: buffers.vec(hidden.div_ceil(LANES)),
            logits: buffers.vec(rows),
            d_logits: buffers.vec(rows),
            d_left_rows: buffers.vec(n),
            d_right_rows: buffers.vec(n),
            sums: buffers.vec(pairs.div_ceil(pairs.div_ceil(MOST_PIECES))),
        })
    }

    /// Outcome and all gradients of one training step; BatchNorm takes the batch's statistics and moves `running`.
    ///
    /// `left` and `right` are the projections, `[K·B, Hd]` view-major without bias, B = `images`; `d_left` and `d_right`
    /// get the loss's gradients by them and, like `grads`, are overwritten. Rows of the last view in `left`, and of the
    /// first in `right`, meet nobody: their gradients are 0.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] where `images` is below 2 or above what the buffers hold.
    pub fn forward_backward(
        &mut self,
        images: usize,
        left: &[f32],
        right: &[f32],
        params: PairHeadParams<'_>,
        running: RunningStats<'_>,
        loss: PairLoss,
        d_left: &mut [f32],
        d_right: &mut [f32],
        mut grads: PairHeadGrads<'_>,
    ) -> Result<PairOutcome> {
        let from = self.begin(images, left, right, params)?;
        let (isa, n, hidden) = (self.isa, self.views * images, self.hidden);
        assert!(d_left.len() == n * hidden && d_right.len() == n * hidden, "gradients of projected features");
        assert!(running.mean.len() == hidden && running.var.len() == hidden, "running statistics");
        grads.assert_hidden(hidden);

        let pairs = &self.pairs;
        self.blocks.each(n).for_each(|block| block.normalise_by_batch(isa, from, pairs, params));
        let outcome = self.loss_and_gradients(n, params.b2, loss);
        self.sum_d_rows(n);
        let d_logits = LogitGradients {
            of_rows: &self.d_logits[..outcome.rows],
            of_left: &self.d_left_rows[..n],
            of_right: &self.d_right_rows[..n],
        };
        let (pairs, met) = (&self.pairs, (self.views, self.shifts));
        self.blocks.each(n).for_each(|block| block.backward(isa, met, pairs, d_logits, params));
        *grads.b2 = d_logits.of_rows.iter().map(|d| f64::from(*d)).sum::<f64>() as f32;
        self.update(outcome.rows, params, running, &mut grads);
        self.blocks.write_gradients(n, hidden, d_left, d_right);
        Ok(outcome)
    }

    /// Outcome with BatchNorm in evaluation mode, by the running statistics given. Arguments as in
    /// [`PairHead::forward_backward`].
    ///
    /// # Errors
    /// [`crate::Error::Shape`] where `images` is below 2 or above what the buffers hold.
    pub fn forward_eval(
        &mut self,
        images: usize,
        left: &[f32],
        right: &[f32],
        params: PairHeadParams<'_>,
        running_mean: &[f32],
        running_var: &[f32],
        loss: PairLoss,
    ) -> Result<PairOutcome> {
        let from = self.begin(images, left, right, params)?;
        let (isa, n, hidden) = (self.isa, self.views * images, self.hidden);
        assert!(running_mean.len() == hidden && running_var.len() == hidden, "running statistics");
        self.blocks.each(n).for_each(|block| block.normalise_by_running(isa, from, running_mean, running_var, params));
        Ok(self.loss_and_gradients(n, params.b2, loss))
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
        left: &'a [f32],
        right: &'a [f32],
        params: PairHeadParams<'_>,
    ) -> Result<Projections<'a>> {
        check_images(images, self.max_images)?;
        let len = self.views * images * self.hidden;
        assert!(left.len() == len && right.len() == len, "projected features");
        params.assert_hidden(self.hidden);
        self.pairs.clear();
        self.pairs.extend(RelationPairs::new(self.views, images, self.shifts));
        for (block, w2) in self.w2.iter_mut().enumerate() {
            *w2 = lanes_of(params.w2, block * LANES);
        }
        Ok(Projections { left, right, hidden: self.hidden, views: self.views, images, shifts: self.shifts })
    }

    /// Logits, losses and logit gradients of all rows.
    fn loss_and_gradients(&mut self, n: usize, b2: f32, loss: PairLoss) -> PairOutcome {
        let Self { isa, pairs, blocks, w2, .. } = self;
        let (isa, stride, pair_rows) = (*isa, stride(n), 2 * (n / self.views));
        let (left, negated_right) = (blocks.left.lanes(), blocks.negated_right.lanes());
        let total = pairs.len() * pair_rows;
        let piece = pairs.len().div_ceil(MOST_PIECES);
        let logits = self.logits[..total].par_chunks_mut(piece * pair_rows);
        let d_logits = self.d_logits[..total].par_chunks_mut(piece * pair_rows);
        let pieces = pairs.par_chunks(piece).zip(logits).zip(d_logits).zip(&mut self.sums);
        pieces.for_each(|(((pairs, logits), d_logits), sums)| {
            *sums = RowSums::default();
            let rows = logits.chunks_exact_mut(pair_rows).zip(d_logits.chunks_exact_mut(pair_rows));
            for (pair, (logits, d_logits)) in pairs.iter().zip(rows) {
                let (positives, negatives) = logits.split_at_mut(pair.images);
                let (d_positives, d_negatives) = d_logits.split_at_mut(pair.images);
                kernels::logits(isa, pair, stride, left, negated_right, w2, b2, positives, negatives);
                sums.add(isa, loss, total, true, positives, d_positives);
                sums.add(isa, loss, total, false, negatives, d_negatives);
            }
        });
        RowSums::outcome(&self.sums)
    }

    /// Sums the logit gradients of each feature row, on either side.
    fn sum_d_rows(&mut self, n: usize) {
        let images = n / self.views;
        self.d_left_rows[..n].fill(0.0);
        self.d_right_rows[..n].fill(0.0);
        let add = |to: &mut [f32], from: &[f32]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        for (pair, d_logits) in self.pairs.iter().zip(self.d_logits.chunks_exact(2 * images)) {
            let (positives, negatives) = d_logits.split_at(images);
            let d_left = &mut self.d_left_rows[pair.first * images..][..images];
            let d_right = &mut self.d_right_rows[pair.second * images..][..images];
            add(d_left, positives);
            add(d_left, negatives);
            add(d_right, positives);
            for (a, c) in pair.negative_runs() {
                add(&mut d_right[c], &negatives[a]);
            }
        }
    }

    /// Writes the gradients of the parameters and moves the running statistics.
    fn update(&self, rows: usize, params: PairHeadParams<'_>, mut running: RunningStats<'_>, grads: &mut PairHeadGrads<'_>) {
        for c in 0..self.hidden {
            let (channels, x) = (&self.blocks.channels[c / LANES], c % LANES);
            grads.bias[c] = 0.0;
            grads.bn_weight[c] = channels.d_weight[x] as f32;
            grads.bn_bias[c] = channels.d_bias[x] as f32;
            grads.w2[c] = channels.d_w2[x] as f32;
            running.update(c, channels.mean[x] + f64::from(params.bias[c]), channels.var[x], rows as f64);
        }
    }
}
