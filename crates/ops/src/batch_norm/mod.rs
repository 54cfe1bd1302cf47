//! Batch normalisation over N·H·W, fused with what follows it: residual sum, ReLU, average pooling.
//!
//! With z the convolution's output, for each channel c over the M = N·H·W pixels of the batch:
//!
//! `mean = Σ z / M`, `var = Σ z² / M − mean²`, `x̂ = (z − mean) / sqrt(var + eps)`, `y = weight · x̂ + bias`,
//!
//! as PyTorch's `BatchNorm2d` in training mode; the running variance takes the unbiased `var · M / (M − 1)`. The sums
//! come from the convolution's own epilogue. Forward is then one pass: `y = z · scale + shift`, then the residual, ReLU
//! and pool. Backward is two passes over z: one to reduce
//!
//! `d_bias = Σ g`, `d_weight = Σ g · x̂`, g being the gradient at y (through pool and ReLU),
//!
//! and one to write, in the place of z itself, `d_z = scale · (g − d_bias / M − x̂ · d_weight / M)`.

mod backward;
mod forward;
#[cfg(test)]
mod tests;

pub use backward::{BackwardShape, GradientSource};
pub use forward::{Epilogue, Pool};

use crate::chunk_count;

/// What a batch-norm layer is made of.
#[derive(Debug, Clone, Copy)]
pub struct BatchNormParams<'a> {
    /// gamma, `[C]`.
    pub weight: &'a [f32],
    /// beta, `[C]`.
    pub bias: &'a [f32],
    /// Added to the variance; PyTorch's default is 1e-5.
    pub eps: f32,
}

/// Running statistics for evaluation, `[C]` each.
#[derive(Debug)]
pub struct RunningStats<'a> {
    /// Exponential mean of batch means.
    pub mean: &'a mut [f32],
    /// Exponential mean of unbiased batch variances.
    pub var: &'a mut [f32],
    /// Weight of the newest batch; PyTorch's default is 0.1.
    pub momentum: f32,
}

impl RunningStats<'_> {
    /// Moves channel `c` by a batch of `count` values: `(1 − momentum) · old + momentum · new`, the variance unbiased,
    /// `var · count / (count − 1)`; that of a single value is its own, 0.
    pub(crate) fn update(&mut self, c: usize, mean: f64, var: f64, count: f64) {
        let momentum = f64::from(self.momentum);
        let unbiased = var * count / (count - 1.0).max(1.0);
        for (running, new) in [(&mut self.mean[c], mean), (&mut self.var[c], unbiased)] {
            *running = ((1.0 - momentum) * f64::from(*running) + momentum * new) as f32;
        }
    }
}

/// One layer's normalisation for one batch, `[C]` each: what forward applies and backward needs again.
#[derive(Debug, Clone, Default)]
pub struct Normalisation {
    /// Batch (or running) mean.
    pub mean: Vec<f32>,
    /// 1 / sqrt(var + eps).
    pub inv_std: Vec<f32>,
    /// weight · inv_std.
    pub scale: Vec<f32>,
    /// bias − mean · scale.
    pub shift: Vec<f32>,
    /// Of the backward pass: `d_z = scale · g + d_slope · z + d_offset`.
    pub d_slope: Vec<f32>,
    /// As `d_slope`.
    pub d_offset: Vec<f32>,
}

impl Normalisation {
    /// Room for `channels`.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        let zeros = || vec![0.0; channels];
        Self { mean: zeros(), inv_std: zeros(), scale: zeros(), shift: zeros(), d_slope: zeros(), d_offset: zeros() }
    }

    /// From a batch's statistics, as [`crate::Conv2d::forward`] gathers them (`[pieces][2][C]` for `n` images of `pixels`
    /// pixels); moves the running statistics along. A batch of one value has no unbiased variance: its own variance, 0,
    /// is then taken.
    ///
    /// # Panics
    /// Where `sums` or a slice of the parameters or running statistics is too short.
    pub fn from_batch(
        &mut self,
        n: usize,
        pixels: usize,
        sums: &[f64],
        params: BatchNormParams<'_>,
        mut running: RunningStats<'_>,
    ) {
        let channels = self.mean.len();
        let sums = &sums[..chunk_count(n) * 2 * channels];
        let count = (n * pixels) as f64;
        for c in 0..channels {
            let (mut sum, mut square) = (0.0, 0.0);
            for piece in sums.chunks_exact(2 * channels) {
                sum += piece[c];
                square += piece[channels + c];
            }
            let mean = sum / count;
            let var = (square / count - mean * mean).max(0.0);
            self.set(c, mean, var, params);
            running.update(c, mean, var, count);
        }
    }

    /// From the running statistics, for evaluation.
    pub fn from_running(&mut self, mean: &[f32], var: &[f32], params: BatchNormParams<'_>) {
        for c in 0..self.mean.len() {
            self.set(c, f64::from(mean[c]), f64::from(var[c]), params);
        }
    }

    fn set(&mut self, c: usize, mean: f64, var: f64, params: BatchNormParams<'_>) {
        let inv_std = 1.0 / (var + f64::from(params.eps)).sqrt();
        let scale = f64::from(params.weight[c]) * inv_std;
        self.mean[c] = mean as f32;
        self.inv_std[c] = inv_std as f32;
        self.scale[c] = scale as f32;
        self.shift[c] = (f64::from(params.bias[c]) - mean * scale) as f32;
    }
}
