//! Batch normalisation of rows `[N, C]` by the batch's own statistics: PyTorch's `BatchNorm1d` in training mode.
//!
//! For each column over the N rows:
//!
//! `mean = Σ x / N`, `var = Σ (x − mean)² / N`, `x̂ = (x − mean) / sqrt(var + eps)`, `y = gamma · x̂ + beta`
//!
//! and backward, with `d` the gradient of y:
//!
//! `d_gamma = Σ d · x̂`, `d_beta = Σ d`, `d_x = gamma / sqrt(var + eps) · (d − d_beta / N − x̂ · d_gamma / N)`.
//!
//! Sums are taken in f64, in the order of the rows: the mean first, and squares around it then, so nothing cancels. A few thousand rows
//! behind a projection are what this is for; images have [`crate::Epilogue`], which is fused with the convolution, and the heads on
//! pairs their own passes, fused with what comes before and after.

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use crate::Buffers;

/// The normalisation of one batch of rows after another, with what the way back needs of the last.
#[derive(Debug, Clone)]
pub struct BatchNorm1d {
    eps: f64,
    rows: usize,
    mean: Vec<f64>,
    /// `Σ (x − mean)²`.
    squares: Vec<f64>,
    inv_std: Vec<f64>,
    /// Sums of the way back.
    d_gamma: Vec<f64>,
    d_beta: Vec<f64>,
}

impl BatchNorm1d {
    /// For rows of `channels` (C) numbers; `eps` is added to the variances, PyTorch's default is 1e-5. With counted `buffers` it says what it
    /// would take, and cannot be run.
    pub fn new(channels: usize, eps: f64, buffers: &mut Buffers) -> Self {
        let mut zeros = || buffers.vec(channels);
        Self { eps, rows: 0, mean: zeros(), squares: zeros(), inv_std: zeros(), d_gamma: zeros(), d_beta: zeros() }
    }

    /// Turns rows `x [N, C]` into `x̂`, in their place.
    ///
    /// # Panics
    /// Where `x` is no whole rows.
    pub fn standardise(&mut self, x: &mut [f32]) {
        let channels = self.mean.len();
        self.rows = x.len() / channels;
        assert_eq!(self.rows * channels, x.len(), "rows of a batch norm");
        let n = self.rows as f64;
        self.mean.fill(0.0);
        self.squares.fill(0.0);
        for row in x.chunks_exact(channels) {
            self.mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += f64::from(*x));
        }
        self.mean.iter_mut().for_each(|mean| *mean /= n);
        for row in x.chunks_exact(channels) {
            for ((square, mean), x) in self.squares.iter_mut().zip(&self.mean).zip(row) {
                *square += (f64::from(*x) - mean).powi(2);
            }
        }
        for (inv_std, square) in self.inv_std.iter_mut().zip(&self.squares) {
            *inv_std = 1.0 / (square / n + self.eps).sqrt();
        }
        for row in x.chunks_exact_mut(channels) {
            for ((x, mean), inv_std) in row.iter_mut().zip(&self.mean).zip(&self.inv_std) {
                *x = ((f64::from(*x) - mean) * inv_std) as f32;
            }
        }
    }

    /// Moves running statistics, `[C]` each, by the last batch: `(1 − momentum) · old + momentum · new`, the variance over N − 1 (that of a
    /// single row is 0). `bias`, where given, is that of the linear layer in front, which the rows were normalised without: it moves the
    /// running mean only.
    ///
    /// # Panics
    /// Where a slice is not `[C]`.
    pub fn update_running_stats(&self, momentum: f64, bias: Option<&[f32]>, mean: &mut [f32], var: &mut [f32]) {
        let channels = self.mean.len();
        assert_eq!((mean.len(), var.len()), (channels, channels), "running statistics");
        assert!(bias.is_none_or(|bias| bias.len() == channels), "bias in front of a batch norm");
        let moved = |old: f32, new: f64| ((1.0 - momentum) * f64::from(old) + momentum * new) as f32;
        for c in 0..channels {
            let bias = bias.map_or(0.0, |bias| f64::from(bias[c]));
            mean[c] = moved(mean[c], self.mean[c] + bias);
            var[c] = moved(var[c], self.squares[c] / (self.rows as f64 - 1.0).max(1.0));
        }
    }

    /// Turns the gradient of y, `d [N, C]`, into that of x, in its place; `x` is what [`BatchNorm1d::standardise`] left of the last batch.
    /// `gamma` `[C]`; `None` where y is x̂ itself. The gradients of gamma and beta are then those of [`BatchNorm1d::write_gradients`].
    ///
    /// # Panics
    /// Where `x` or `d` is not the last batch's size, or `gamma` not `[C]`.
    pub fn backward(&mut self, x: &[f32], gamma: Option<&[f32]>, d: &mut [f32]) {
        let channels = self.mean.len();
        assert_eq!((x.len(), d.len()), (self.rows * channels, self.rows * channels), "rows of a batch norm and their gradient");
        assert!(gamma.is_none_or(|gamma| gamma.len() == channels), "gamma of a batch norm");
        let n = self.rows as f64;
        self.d_gamma.fill(0.0);
        self.d_beta.fill(0.0);
        for (x, d) in x.chunks_exact(channels).zip(d.chunks_exact(channels)) {
            for c in 0..channels {
                self.d_beta[c] += f64::from(d[c]);
                self.d_gamma[c] += f64::from(d[c]) * f64::from(x[c]);
            }
        }
        for (x, d) in x.chunks_exact(channels).zip(d.chunks_exact_mut(channels)) {
            for c in 0..channels {
                let scale = gamma.map_or(1.0, |gamma| f64::from(gamma[c])) * self.inv_std[c];
                let centred = f64::from(d[c]) - self.d_beta[c] / n - f64::from(x[c]) * self.d_gamma[c] / n;
                d[c] = (scale * centred) as f32;
            }
        }
    }

    /// Writes the gradients of gamma and beta, `[C]` each, of the last [`BatchNorm1d::backward`].
    pub fn write_gradients(&self, d_gamma: &mut [f32], d_beta: &mut [f32]) {
        d_gamma.iter_mut().zip(&self.d_gamma).for_each(|(d, sum)| *d = *sum as f32);
        d_beta.iter_mut().zip(&self.d_beta).for_each(|(d, sum)| *d = *sum as f32);
    }
}
