//! What is done to hidden rows between the matrix products.

use crate::simd::{by_channel_group, group, group_mut, multiversion};

/// Sums of a dot product that run side by side, so that it has one order on every instruction set.
const LANES: usize = 16;

/// A ReLU that lets NaN through, so that it shows in the loss.
#[inline(always)]
fn rectified(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

multiversion! {
    /// From projected positions `u [P, H]`, in the first half of `hidden [2P, H]`, to the first hidden layer: `relu(u + own)` in the first half,
    /// `relu(u + other)` in the second.
    pub(super) fn first_layer(isa, own: &[f32], other: &[f32], hidden: &mut [f32]) {
        let width = own.len();
        let (positive, negative) = hidden.split_at_mut(hidden.len() / 2);
        for (p, n) in positive.chunks_exact_mut(width).zip(negative.chunks_exact_mut(width)) {
            by_channel_group!(width, G, from, {
                let (own, other) = (group::<G>(&own[from..]), group::<G>(&other[from..]));
                let (p, n) = (group_mut::<G>(&mut p[from..]), group_mut::<G>(&mut n[from..]));
                for c in 0..G {
                    n[c] = rectified(p[c] + other[c]);
                    p[c] = rectified(p[c] + own[c]);
                }
            });
        }
    }
}

multiversion! {
    /// `h = relu(h + b2)` in its place, and the logits `w3 · h + b3`.
    pub(super) fn logits(isa, b2: &[f32], w3: &[f32], b3: f32, hidden: &mut [f32], logits: &mut [f32]) {
        let width = b2.len();
        for (h, logit) in hidden.chunks_exact_mut(width).zip(logits) {
            let mut sums = [0.0f32; LANES];
            by_channel_group!(width, G, from, {
                let (b, w, h) = (group::<G>(&b2[from..]), group::<G>(&w3[from..]), group_mut::<G>(&mut h[from..]));
                for c in 0..G {
                    h[c] = rectified(h[c] + b[c]);
                    sums[c] += h[c] * w[c];
                }
            });
            for half in [8, 4, 2, 1] {
                for lane in 0..half {
                    sums[lane] += sums[lane + half];
                }
            }
            *logit = sums[0] + b3;
        }
    }
}

multiversion! {
    /// From the logits' gradients to that of the second layer before its ReLU, in the place of `hidden`; adds up the gradients of w3 and b2.
    pub(super) fn into_second_layer(isa, d_logits: &[f32], w3: &[f32], hidden: &mut [f32], d_w3: &mut [f32], d_b2: &mut [f32]) {
        let width = w3.len();
        by_channel_group!(width, G, from, {
            let (w, d_w, d_b) = (group::<G>(&w3[from..]), group_mut::<G>(&mut d_w3[from..]), group_mut::<G>(&mut d_b2[from..]));
            for (h, d) in hidden.chunks_exact_mut(width).zip(d_logits) {
                let h = group_mut::<G>(&mut h[from..]);
                for c in 0..G {
                    d_w[c] += d * h[c];
                    h[c] = if h[c] > 0.0 { d * w[c] } else { 0.0 };
                    d_b[c] += h[c];
                }
            }
        });
    }
}

multiversion! {
    /// Puts the gradient of the first hidden layer `d_hidden [2P, H]` through its ReLU, adds its halves up in `d_own` and `d_other`, and leaves
    /// their sum, the gradient of the projected positions `[P, H]`, in the first half.
    pub(super) fn into_first_layer(isa, hidden: &[f32], d_hidden: &mut [f32], d_own: &mut [f32], d_other: &mut [f32]) {
        let (width, half) = (d_own.len(), hidden.len() / 2);
        let (d_positive, d_negative) = d_hidden.split_at_mut(half);
        by_channel_group!(width, G, from, {
            let (own, other) = (group_mut::<G>(&mut d_own[from..]), group_mut::<G>(&mut d_other[from..]));
            let hidden = hidden[..half].chunks_exact(width).zip(hidden[half..].chunks_exact(width));
            let gradients = d_positive.chunks_exact_mut(width).zip(d_negative.chunks_exact(width));
            for ((p, n), (d_p, d_n)) in hidden.zip(gradients) {
                let (p, n) = (group::<G>(&p[from..]), group::<G>(&n[from..]));
                let (d_p, d_n) = (group_mut::<G>(&mut d_p[from..]), group::<G>(&d_n[from..]));
                for c in 0..G {
                    let positive = if p[c] > 0.0 { d_p[c] } else { 0.0 };
                    let negative = if n[c] > 0.0 { d_n[c] } else { 0.0 };
                    own[c] += positive;
                    other[c] += negative;
                    d_p[c] = positive + negative;
                }
            }
        });
    }
}
