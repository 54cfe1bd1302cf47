//! The loss of one pair: binary cross-entropy on a logit, plain or focal.
//!
//! With z the logit, p = sigmoid(z), t the target (1 for two views of one image, 0 for views of two images):
//!
//! - BCE: `max(z, 0) − z·t + ln(1 + exp(−|z|))`, gradient `p − t`
//! - focal: `(1 − p_t)^gamma · alpha_t · BCE`, with `p_t = p` and `alpha_t = alpha` for t = 1, `p_t = 1 − p` and
//!   `alpha_t = 1 − alpha` for t = 0 (Lin et al., *Focal Loss for Dense Object Detection*, 2017)
//!
//! In terms of `x = z` for t = 1 and `x = −z` for t = 0, `s(x) = ln(1 + exp(x))` and sigma its derivative, all of it is
//! `BCE = s(−x)`, `(1 − p_t)^gamma = exp(−gamma · s(x))`, and no logarithm of a rounded probability is ever taken.

#[cfg(test)]
pub(crate) mod reference;
#[cfg(test)]
mod tests;

use crate::Isa;
use crate::simd::multiversion;

/// The loss of a pair's logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PairLoss {
    /// Binary cross-entropy with logits, as PyTorch's `BCEWithLogitsLoss`.
    Bce,
    /// Sigmoid focal loss. The reference code runs gamma 2 and alpha 0.5.
    Focal {
        /// Exponent of `1 − p_t`, at least 0; at 0 only alpha is left.
        gamma: f32,
        /// Weight of positives, in [0, 1]; negatives weigh `1 − alpha`.
        alpha: f32,
    },
}

impl PairLoss {
    /// The loss of one logit and its derivative by that logit; `positive` is target 1.
    ///
    /// Both are finite for every finite logit; of a NaN both are NaN.
    #[inline]
    #[must_use]
    pub fn value_and_gradient(self, logit: f32, positive: bool) -> (f32, f32) {
        match self {
            Self::Bce => cross_entropy(logit, positive),
            Self::Focal { gamma, alpha } => focal(logit, positive, gamma, alpha),
        }
    }

    /// Rows of one target at once: the sum of their losses, and `scale` times their derivatives into `d_logits`.
    pub(crate) fn rows(self, isa: Isa, positive: bool, scale: f32, logits: &[f32], d_logits: &mut [f32]) -> f64 {
        match self {
            Self::Bce => cross_entropy_rows(isa, positive, scale, logits, d_logits),
            Self::Focal { gamma, alpha } => focal_rows(isa, positive, gamma, alpha, scale, logits, d_logits),
        }
    }
}

/// Losses that are added up in f32 before the sum goes on in f64.
const LANES: usize = 16;

#[inline(always)]
fn each_row(scale: f32, logits: &[f32], d_logits: &mut [f32], loss: impl Fn(f32) -> (f32, f32)) -> f64 {
    let mut sum = 0.0;
    for (logits, d_logits) in logits.chunks(LANES).zip(d_logits.chunks_mut(LANES)) {
        let mut values = [0.0; LANES];
        for ((z, d), value) in logits.iter().zip(d_logits).zip(&mut values) {
            let (v, gradient) = loss(*z);
            *value = v;
            *d = scale * gradient;
        }
        sum += values.iter().map(|v| f64::from(*v)).sum::<f64>();
    }
    sum
}

multiversion! {
    fn cross_entropy_rows(isa, positive: bool, scale: f32, logits: &[f32], d_logits: &mut [f32]) -> f64 {
        each_row(scale, logits, d_logits, #[inline(always)] |z| cross_entropy(z, positive))
    }
}

multiversion! {
    fn focal_rows(isa, positive: bool, gamma: f32, alpha: f32, scale: f32, logits: &[f32], d_logits: &mut [f32]) -> f64 {
        each_row(scale, logits, d_logits, #[inline(always)] |z| focal(z, positive, gamma, alpha))
    }
}

#[inline(always)]
fn cross_entropy(logit: f32, positive: bool) -> (f32, f32) {
    let sign = if positive { 1.0 } else { -1.0 };
    let softplus = Softplus::at(sign * logit);
    (softplus.of_minus_x, -sign * softplus.slope_of_minus_x)
}

#[inline(always)]
fn focal(logit: f32, positive: bool, gamma: f32, alpha: f32) -> (f32, f32) {
    let (sign, weight) = if positive { (1.0, alpha) } else { (-1.0, 1.0 - alpha) };
    let s = Softplus::at(sign * logit);
    let modulated = weight * exp_of_nonpositive(-gamma * s.of_x);
    (modulated * s.of_minus_x, -sign * modulated * (gamma * s.slope_of_x * s.of_minus_x + s.slope_of_minus_x))
}

/// `ln(1 + exp(y))` and its derivative, the sigmoid, at y = x and y = −x.
struct Softplus {
    of_x: f32,
    of_minus_x: f32,
    slope_of_x: f32,
    slope_of_minus_x: f32,
}

impl Softplus {
    #[inline(always)]
    fn at(x: f32) -> Self {
        let e = exp_of_nonpositive(-x.abs());
        let ln_1p = ln_1p_of_unit(e);
        let (large, small) = (1.0 / (1.0 + e), e / (1.0 + e));
        let (rising, falling) = if x > 0.0 { (x, 0.0) } else { (0.0, -x) };
        Self {
            of_x: rising + ln_1p,
            of_minus_x: falling + ln_1p,
            slope_of_x: if x > 0.0 { large } else { small },
            slope_of_minus_x: if x > 0.0 { small } else { large },
        }
    }
}

/// `exp(x)` for x ≤ 0, within 2 ULP, and 0 where it is below the normal numbers. Branch-free, so that it vectorises.
#[inline(always)]
fn exp_of_nonpositive(x: f32) -> f32 {
    const LOWEST: f32 = -87.0;
    /// Adding 1.5 · 2^23 rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x < LOWEST { LOWEST } else { x };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * LN_2_HIGH) - n * LN_2_LOW;
    // Taylor's polynomial on |r| ≤ ln(2) / 2: the next term is 5e-9.
    let mut p = 1.0 / 5040.0;
    for factorial in [720.0, 120.0, 24.0, 6.0, 2.0] {
        p = p * r + 1.0 / factorial;
    }
    let p = p * r * r + r + 1.0;
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < LOWEST { 0.0 } else { p * power }
}

/// `ln(1 + e)` for e in [0, 1], relative error 3e-7 also where e is tiny.
#[inline(always)]
fn ln_1p_of_unit(e: f32) -> f32 {
    // 2 · artanh(s) with s = e / (2 + e) ≤ 1/3; the first term left out is 1.4e-9 of the sum.
    let s = e / (2.0 + e);
    let q = s * s;
    let mut p = 1.0 / 15.0;
    for odd in [13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        p = p * q + 1.0 / odd;
    }
    2.0 * (s + s * q * p)
}
