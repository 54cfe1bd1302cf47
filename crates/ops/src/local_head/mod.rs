//! The local discriminator of Deep InfoMax: every position of an image's map beside that image's features, and beside another's.
//!
//! N images with maps `M [N, positions, C]` and features `y [N, D]`. The positions of map m go with two feature rows: row m, the positive,
//! and row `foreign[m]`, the negative. Per position p and feature row f:
//!
//! `h1 = relu(W1·[M[m, p]; y[f]] + b1)`, `h2 = relu(W2·h1 + b2)`, `s = w3·h2 + b3`,
//! `loss = weight · (mean of softplus(−s) over positives + mean of softplus(s) over negatives)`,
//!
//! N · positions of each: three 1 x 1 convolutions over maps and features laid side by side (Hjelm et al., *Learning deep
//! representations by mutual information estimation and maximization*, ICLR 2019, arXiv 1808.06670, section 3.2, with the
//! Jensen-Shannon estimator).
//!
//! # How [`LocalHead`] gets by without storing its rows
//!
//! The first layer comes apart, `W1·[M; y] = W_map·M + W_features·y`: a position is projected once for both of its rows, an image's features
//! once for all positions. No layer mixes rows, so forward and backward pass are one: a block of positions goes through the three layers
//! and back while it is in the cache, and leaves only sums and its map's gradient. What is stored is of size N x H, never
//! positions x H or positions x (C + D).
//!
//! The middle layer's three products are nearly all of the work, `12 · N · positions · H²` flops; they run on the convolution's tiles.

mod head;
mod kernels;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use head::LocalHead;

use crate::Layout;

/// Sizes of the discriminator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalHeadShape {
    /// C, channels of the map.
    pub channels: usize,
    /// D, width of the features.
    pub width: usize,
    /// H, width of both hidden layers.
    pub hidden: usize,
}

impl LocalHeadShape {
    /// Lengths of the parameters: W1, b1, W2, b2, w3, b3.
    #[must_use]
    pub fn parameter_lengths(self) -> [usize; 6] {
        let Self { channels, width, hidden } = self;
        [hidden * (channels + width), hidden, hidden * hidden, hidden, hidden, 1]
    }
}

/// Maps and features of a batch, and who is set against whom.
#[derive(Debug, Clone, Copy)]
pub struct LocalBatch<'a> {
    /// The maps, one behind the other, each lying as `layout`.
    pub map: &'a [f32],
    /// Where a map's floats lie.
    pub layout: Layout,
    /// `[N, D]`.
    pub features: &'a [f32],
    /// For each map, the feature row that it does not belong to: never its own. N of them.
    pub foreign: &'a [usize],
    /// The positions of each map that count, by their numbers in reading order; `None`: all.
    pub positions: Option<&'a [usize]>,
}

impl LocalBatch<'_> {
    /// Places of a map that are looked at.
    pub(crate) fn position_count(&self) -> usize {
        self.positions.map_or(self.layout.pixels(), <[usize]>::len)
    }

    /// Where, within one map, position `number` of those begins; in dense maps where `dense`.
    pub(crate) fn position(&self, number: usize, dense: bool) -> usize {
        let position = self.positions.map_or(number, |positions| positions[number]);
        let layout = if dense { self.layout.with_halo(0) } else { self.layout };
        layout.offset(position / layout.width, position % layout.width)
    }
}

/// Parameters as PyTorch's linear layers have them.
#[derive(Debug, Clone, Copy)]
pub struct LocalHeadParams<'a> {
    /// `[H, C + D]`: the map's columns first.
    pub w1: &'a [f32],
    /// `[H]`.
    pub b1: &'a [f32],
    /// `[H, H]`.
    pub w2: &'a [f32],
    /// `[H]`.
    pub b2: &'a [f32],
    /// `[H]`.
    pub w3: &'a [f32],
    /// `[1]`.
    pub b3: &'a [f32],
}

/// Where the gradients go; all are overwritten.
#[derive(Debug)]
pub struct LocalHeadGrads<'a> {
    /// Of `w1`.
    pub w1: &'a mut [f32],
    /// Of `b1`.
    pub b1: &'a mut [f32],
    /// Of `w2`.
    pub w2: &'a mut [f32],
    /// Of `b2`.
    pub b2: &'a mut [f32],
    /// Of `w3`.
    pub w3: &'a mut [f32],
    /// Of `b3`.
    pub b3: &'a mut [f32],
    /// Of the maps, dense: `[N, H·W, C]`; zero at positions that are left out.
    pub map: &'a mut [f32],
    /// Of the features, `[N, D]`.
    pub features: &'a mut [f32],
}

/// What a batch came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalOutcome {
    /// The weighted loss.
    pub loss: f64,
    /// Rows classified correctly: positives with a logit above 0, negatives with one of 0 or below.
    pub correct: usize,
    /// All rows, 2 · N · positions, of the positions that count.
    pub rows: usize,
}

impl LocalOutcome {
    /// Share of rows classified correctly, in [0, 1].
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.rows as f64
    }
}
