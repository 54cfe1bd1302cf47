//! The definitions, in f64: every row of every pair is written out, then put through the head.

use super::EPS;
use crate::loss::{PairLoss, reference as pair_loss};

/// Slope of LeakyReLU; the f32 constant is not exactly this.
const SLOPE: f64 = 0.01;

/// (feature row of the first view, feature row of the second, whether they show one image), as the loops of the reference
/// code go through them; with more shifts a pair, the inner loop's body as often.
pub(super) fn rows(views: usize, images: usize, shifts: usize) -> Vec<(usize, usize, bool)> {
    let mut rows = Vec::new();
    let mut shift = 1;
    for i in 0..views {
        for j in i + 1..views {
            for _ in 0..shifts {
                rows.extend((0..images).map(|b| (i * images + b, j * images + b, true)));
                rows.extend((0..images).map(|b| (i * images + b, j * images + (b + images - shift) % images, false)));
                shift += 1;
                if shift >= images {
                    shift = 1;
                }
            }
        }
    }
    rows
}

#[derive(Clone)]
pub(super) struct Head {
    pub(super) bias: Vec<f64>,
    pub(super) bn_weight: Vec<f64>,
    pub(super) bn_bias: Vec<f64>,
    pub(super) w2: Vec<f64>,
    pub(super) b2: f64,
}

pub(super) struct Forward {
    pub(super) loss: f64,
    pub(super) logits: Vec<f64>,
    pub(super) mean: Vec<f64>,
    /// Biased.
    pub(super) var: Vec<f64>,
}

/// The loss of hidden rows `h [P, Hd]`, by their own statistics or by those given.
pub(super) fn forward(
    h: &[f64],
    rows: &[(usize, usize, bool)],
    head: &Head,
    loss: PairLoss,
    statistics: Option<(&[f64], &[f64])>,
) -> Forward {
    let (hidden, count) = (head.w2.len(), rows.len() as f64);
    let (mean, var): (Vec<f64>, Vec<f64>) = match statistics {
        Some((mean, var)) => (mean.to_vec(), var.to_vec()),
        None => (0..hidden)
            .map(|c| {
                let mean = h.iter().skip(c).step_by(hidden).sum::<f64>() / count;
                (mean, h.iter().skip(c).step_by(hidden).map(|x| (x - mean).powi(2)).sum::<f64>() / count)
            })
            .unzip(),
    };
    let logit = |h: &[f64]| {
        let u = |c: usize| head.bn_weight[c] * (h[c] - mean[c]) / (var[c] + EPS).sqrt() + head.bn_bias[c];
        head.b2 + (0..hidden).map(|c| head.w2[c] * if u(c) > 0.0 { u(c) } else { SLOPE * u(c) }).sum::<f64>()
    };
    let logits: Vec<f64> = h.chunks(hidden).map(logit).collect();
    let loss = logits.iter().zip(rows).map(|(z, row)| pair_loss::value(loss, *z, row.2)).sum::<f64>() / count;
    Forward { loss, logits, mean, var }
}

pub(super) struct Gradients {
    pub(super) h: Vec<f64>,
    pub(super) head: Head,
}

/// All gradients of [`forward`] with its own statistics.
pub(super) fn backward(h: &[f64], rows: &[(usize, usize, bool)], head: &Head, loss: PairLoss, forward: &Forward) -> Gradients {
    let (hidden, count) = (head.w2.len(), rows.len() as f64);
    let zeros = || vec![0.0; hidden];
    let mut d = Head { bias: zeros(), bn_weight: zeros(), bn_bias: zeros(), w2: zeros(), b2: 0.0 };
    let mut d_h = vec![0.0; h.len()];
    let standard = |r: usize, c: usize| (h[r * hidden + c] - forward.mean[c]) / (forward.var[c] + EPS).sqrt();
    for (r, row) in rows.iter().enumerate() {
        let d_logit = pair_loss::gradient(loss, forward.logits[r], row.2) / count;
        d.b2 += d_logit;
        for c in 0..hidden {
            let u = head.bn_weight[c] * standard(r, c) + head.bn_bias[c];
            let slope = if u > 0.0 { 1.0 } else { SLOPE };
            let d_u = d_logit * head.w2[c] * slope;
            d.w2[c] += d_logit * u * slope;
            d.bn_bias[c] += d_u;
            d.bn_weight[c] += d_u * standard(r, c);
            d_h[r * hidden + c] = d_u;
        }
    }
    for r in 0..rows.len() {
        for c in 0..hidden {
            let scale = head.bn_weight[c] / (forward.var[c] + EPS).sqrt();
            let d_u = d_h[r * hidden + c];
            d_h[r * hidden + c] = scale * (d_u - d.bn_bias[c] / count - standard(r, c) * d.bn_weight[c] / count);
            d.bias[c] += d_h[r * hidden + c];
        }
    }
    Gradients { h: d_h, head: d }
}

/// `left[a] + right[c] + bias`.
pub(super) fn factorised(rows: &[(usize, usize, bool)], left: &[f64], right: &[f64], bias: &[f64]) -> Vec<f64> {
    let hidden = bias.len();
    rows.iter().flat_map(|(a, c, _)| (0..hidden).map(move |x| left[a * hidden + x] + right[c * hidden + x] + bias[x])).collect()
}

/// `W · max(f_a, f_c) + bias`, `W [Hd, D]`.
pub(super) fn maxima(rows: &[(usize, usize, bool)], features: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let width = weight.len() / bias.len();
    let mut h = Vec::new();
    for (a, c, _) in rows {
        for (o, bias) in bias.iter().enumerate() {
            let products = (0..width).map(|i| weight[o * width + i] * features[a * width + i].max(features[c * width + i]));
            h.push(products.sum::<f64>() + bias);
        }
    }
    h
}
