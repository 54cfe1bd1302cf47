//! The relation head on all pairs of views of a batch: rows, loss and every gradient, and of a head of one
//! hidden layer without ever storing the rows.
//!
//! B images, K views, N = K·B projected features, view-major (row `k·B + b` is view k of image b), hidden width Hd. Each
//! pair of views i < j gives B positive rows (image b in both views) and B negative ones (image b in the first, image
//! `(b − s) mod B` in the second), S times over with another s; [`RelationPairs`] says which, P = S·B·(K² − K) rows in all, S being 1
//! in the paper. Per row r that joins
//! feature row a with feature row c:
//!
//! `h = left[a] + right[c] + bias`, `u = BatchNorm(h)` over the P rows, `z = w2 · LeakyReLU(u) + b2`,
//! `loss = Σ_r pair_loss(z_r, target_r) / P`
//!
//! as `Linear → BatchNorm1d → LeakyReLU(0.01) → Linear` of PyTorch gives it (Patacchiola & Storkey 2020, section 3). For
//! concatenated features `W·[f_a; f_c] = W_left·f_a + W_right·f_c`, so `left` and `right` are two projections of the N
//! features; for their sum both are the same projection, for their mean half of it. Their maximum does not come apart so:
//! [`MaxPairHead`] does it the long way, and a head of several hidden layers is [`DeepPairHead`], which stores the rows.
//!
//! # How [`PairHead`] gets by with little work a row
//!
//! Everything that is linear in `left[a]` and `right[c]` is summed by feature row instead of by pair row. What is left
//! for each pair row and channel: an addition a side for the variance (of negatives only), the dot product of the
//! logit, and one comparison with two additions in the backward pass. The latter gathers, for every feature row a,
//!
//! `open[a] = Σ_{r with a} dz_r · [u_r > 0]`, so that
//! `Σ_{r with a} dz_r · LeakyReLU'(u_r) = 0.01 · Σ_{r with a} dz_r + 0.99 · open[a]`,
//!
//! and the gradients of `w2`, of BatchNorm's weight and bias and of both projections follow from these sums alone:
//! LeakyReLU is homogeneous, `LeakyReLU(u) = u · LeakyReLU'(u)`.
//!
//! Results are the same bits at any thread count, and [`PairHead`]'s on every instruction set.

mod aggregate;
mod deep;
mod factorised;
mod max;
mod order;
#[cfg(test)]
mod reference;
mod rows;
#[cfg(test)]
mod test_buffers;

pub use aggregate::PairAggregation;
pub use deep::{DeepPairHead, DeepPairHeadShape};
pub use factorised::PairHead;
pub use max::MaxPairHead;
pub use order::{RelationPair, RelationPairs};

use crate::{Error, Result};

/// BatchNorm's eps, PyTorch's default.
const EPS: f64 = 1e-5;
/// Slope of LeakyReLU below zero, PyTorch's default.
const SLOPE: f32 = 0.01;

/// LeakyReLU.
#[inline(always)]
fn leaky(u: f32) -> f32 {
    let small = u * SLOPE;
    if u > small { u } else { small }
}

/// Parameters of the head behind the projection, `[Hd]` each.
#[derive(Debug, Clone, Copy)]
pub struct PairHeadParams<'a> {
    /// Bias of the first linear layer. Under batch statistics it moves only the running mean.
    pub bias: &'a [f32],
    /// gamma of BatchNorm.
    pub bn_weight: &'a [f32],
    /// beta of BatchNorm.
    pub bn_bias: &'a [f32],
    /// Weights of the second linear layer.
    pub w2: &'a [f32],
    /// Bias of the second linear layer.
    pub b2: f32,
}

impl PairHeadParams<'_> {
    fn assert_hidden(self, hidden: usize) {
        let lengths = [self.bias.len(), self.bn_weight.len(), self.bn_bias.len(), self.w2.len()];
        assert_eq!(lengths, [hidden; 4], "relation head parameters");
    }
}

/// Where the gradients of [`PairHeadParams`] go; all are overwritten.
#[derive(Debug)]
pub struct PairHeadGrads<'a> {
    /// Of `bias`: exactly 0, since BatchNorm takes every constant away again.
    pub bias: &'a mut [f32],
    /// Of `bn_weight`.
    pub bn_weight: &'a mut [f32],
    /// Of `bn_bias`.
    pub bn_bias: &'a mut [f32],
    /// Of `w2`.
    pub w2: &'a mut [f32],
    /// Of `b2`.
    pub b2: &'a mut f32,
}

impl PairHeadGrads<'_> {
    fn assert_hidden(&self, hidden: usize) {
        let lengths = [self.bias.len(), self.bn_weight.len(), self.bn_bias.len(), self.w2.len()];
        assert_eq!(lengths, [hidden; 4], "relation head gradients");
    }
}

/// What one batch of pairs came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairOutcome {
    /// Mean loss over the rows.
    pub loss: f64,
    /// Rows of target 1 with a logit above 0.
    pub positives_correct: usize,
    /// Rows of target 0 with a logit of 0 or below.
    pub negatives_correct: usize,
    /// All rows, P = S·B·(K² − K); half of them are positives.
    pub rows: usize,
}

impl PairOutcome {
    /// Share of correct rows, in [0, 1].
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        (self.positives_correct + self.negatives_correct) as f64 / self.rows as f64
    }
}

/// A batch without pairs, or one that the workspaces do not hold, is an error.
fn check_images(images: usize, max_images: usize) -> Result<()> {
    if (2..=max_images).contains(&images) {
        return Ok(());
    }
    let what = format!("a batch of {images} images, expected 2 to {max_images}: one image alone has no negative pair");
    Err(Error::Shape { operator: "relation head", what })
}

fn check_sizes(views: usize, max_images: usize, sizes: &[(&str, usize)]) -> Result<()> {
    let shape = |what: String| Err(Error::Shape { operator: "relation head", what });
    if views < 2 {
        return shape(format!("{views} views an image, expected at least 2"));
    }
    if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
        return shape(format!("{name} is 0"));
    }
    check_images(max_images, usize::MAX)
}
