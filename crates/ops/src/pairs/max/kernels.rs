//! The inner loops of [`super::MaxPairHead`] apart from its matrix products: over whole rows, channels innermost.

use crate::Buffers;
use crate::pairs::{PairHeadParams, SLOPE, leaky};
use crate::simd::multiversion;

/// BatchNorm as `u = h · scale + shift` and `x̂ = (h − mean) · inv_std`, for h without the linear layer's bias.
#[derive(Debug)]
pub(super) struct Normalisation {
    pub(super) mean: Vec<f32>,
    inv_std: Vec<f32>,
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl Normalisation {
    pub(super) fn new(hidden: usize, buffers: &mut Buffers) -> Self {
        let mut zeros = || buffers.vec(hidden);
        Self { mean: zeros(), inv_std: zeros(), scale: zeros(), bias: zeros() }
    }

    pub(super) fn set(&mut self, c: usize, mean: f64, var: f64, eps: f64, params: PairHeadParams<'_>) {
        let inv_std = 1.0 / (var + eps).sqrt();
        self.mean[c] = mean as f32;
        self.inv_std[c] = inv_std as f32;
        self.scale[c] = (f64::from(params.bn_weight[c]) * inv_std) as f32;
        self.bias[c] = params.bn_bias[c];
    }

    #[inline(always)]
    fn channels(&self) -> usize {
        self.mean.len()
    }

    #[inline(always)]
    fn slices(&self) -> [&[f32]; 4] {
        let n = self.channels();
        [&self.mean[..n], &self.inv_std[..n], &self.scale[..n], &self.bias[..n]]
    }
}

/// LeakyReLU's derivative.
#[inline(always)]
fn slope_at(u: f32) -> f32 {
    if u > 0.0 { 1.0 } else { SLOPE }
}

multiversion! {
    /// Overwrites `sums [3][Hd]` with those of `h − origin` and of its square.
    pub(super) fn moments(isa, h: &[f32], origin: &[f32], sums: &mut [f32]) {
        sums.fill(0.0);
        let (sum, rest) = sums.split_at_mut(origin.len());
        for h in h.chunks_exact(origin.len()) {
            for (((h, origin), sum), square) in h.iter().zip(origin).zip(&mut *sum).zip(&mut *rest) {
                let x = h - origin;
                *sum += x;
                *square += x * x;
            }
        }
    }
}

multiversion! {
    pub(super) fn logits(isa, h: &[f32], norm: &Normalisation, w2: &[f32], b2: f32, logits: &mut [f32]) {
        const LANES: usize = 16;
        let [mean, _, scale, bias] = norm.slices();
        for (h, logit) in h.chunks_exact(norm.channels()).zip(logits) {
            let mut lanes = [0.0; LANES];
            let affine = mean.chunks(LANES).zip(scale.chunks(LANES)).zip(bias.chunks(LANES));
            for ((h, ((mean, scale), bias)), w2) in h.chunks(LANES).zip(affine).zip(w2.chunks(LANES)) {
                let values = h.iter().zip(mean).zip(scale).zip(bias).zip(w2);
                for (lane, ((((h, mean), scale), bias), w2)) in lanes.iter_mut().zip(values) {
                    *lane += leaky((h - mean) * scale + bias) * w2;
                }
            }
            *logit = lanes.iter().sum::<f32>() + b2;
        }
    }
}

multiversion! {
    /// Overwrites `sums [3][Hd]` with `Σ dz · LeakyReLU'(u)`, `Σ dz · LeakyReLU(u)` and `Σ dz · LeakyReLU'(u) · x̂`.
    pub(super) fn slope_sums(isa, h: &[f32], norm: &Normalisation, d_logits: &[f32], sums: &mut [f32]) {
        let channels = norm.channels();
        let [mean, inv_std, scale, bias] = norm.slices();
        sums.fill(0.0);
        let (slopes, rest) = sums.split_at_mut(channels);
        let (outputs, standards) = rest.split_at_mut(channels);
        let standards = &mut standards[..channels];
        for (h, d) in h.chunks_exact(channels).zip(d_logits) {
            for c in 0..channels {
                let x = h[c] - mean[c];
                let u = x * scale[c] + bias[c];
                let slope = d * slope_at(u);
                slopes[c] += slope;
                outputs[c] += slope * u;
                standards[c] += slope * (x * inv_std[c]);
            }
        }
    }
}

multiversion! {
    /// The gradient of h in its place: `scale · (dz · w2 · LeakyReLU'(u) − (d_bias + x̂ · d_weight) · share)`, with
    /// share = 1 / P.
    pub(super) fn hidden_gradient(
        isa, norm: &Normalisation, w2: &[f32], d_norm: [&[f32]; 2], share: f32, d_logits: &[f32], h: &mut [f32],
    ) {
        let channels = norm.channels();
        let [mean, inv_std, scale, bias] = norm.slices();
        let [w2, d_bias, d_weight] = [w2, d_norm[0], d_norm[1]].map(|values| &values[..channels]);
        for (h, d) in h.chunks_exact_mut(channels).zip(d_logits) {
            for c in 0..channels {
                let x = h[c] - mean[c];
                let d_u = d * w2[c] * slope_at(x * scale[c] + bias[c]);
                h[c] = scale[c] * (d_u - (d_bias[c] + x * inv_std[c] * d_weight[c]) * share);
            }
        }
    }
}
