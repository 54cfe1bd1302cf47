//! The definition, in f64: every position of every map beside both feature rows, one row after the other.

use super::LocalHeadShape;

#[derive(Clone)]
pub(super) struct Case {
    pub(super) shape: LocalHeadShape,
    pub(super) weight: f64,
    /// `[N, positions, C]`.
    pub(super) map: Vec<f64>,
    /// `[N, D]`.
    pub(super) features: Vec<f64>,
    pub(super) foreign: Vec<usize>,
    /// W1, b1, W2, b2, w3, b3.
    pub(super) parameters: [Vec<f64>; 6],
}

/// Gradients of map, features and the parameters.
pub(super) struct Gradients {
    pub(super) map: Vec<f64>,
    pub(super) features: Vec<f64>,
    pub(super) parameters: [Vec<f64>; 6],
}

pub(super) struct Outcome {
    pub(super) loss: f64,
    pub(super) correct: usize,
    /// The number nearest to a ReLU's kink.
    pub(super) nearest: f64,
}

/// Loss and gradients, row by row.
pub(super) fn step(case: &Case) -> (Outcome, Gradients) {
    let LocalHeadShape { channels, width, hidden } = case.shape;
    let n = case.foreign.len();
    let positions = case.map.len() / (n * channels);
    let [w1, b1, w2, b2, w3, b3] = &case.parameters;
    let zeros = |like: &Vec<f64>| vec![0.0; like.len()];
    let mut gradients =
        Gradients { map: zeros(&case.map), features: zeros(&case.features), parameters: case.parameters.each_ref().map(zeros) };
    let mut outcome = Outcome { loss: 0.0, correct: 0, nearest: f64::MAX };
    let inputs = channels + width;
    for image in 0..n {
        for (row, positive) in [(image, true), (case.foreign[image], false)] {
            for position in 0..positions {
                let at = (image * positions + position) * channels;
                let input = [&case.map[at..][..channels], &case.features[row * width..][..width]].concat();
                let layer = |w: &[f64], b: &[f64], input: &[f64]| -> Vec<f64> {
                    b.iter().enumerate().map(|(o, b)| b + dot(&w[o * input.len()..][..input.len()], input)).collect()
                };
                let relu = |a: &[f64]| -> Vec<f64> { a.iter().map(|a| a.max(0.0)).collect() };
                let a1 = layer(w1, b1, &input);
                let h1 = relu(&a1);
                let a2 = layer(w2, b2, &h1);
                let h2 = relu(&a2);
                outcome.nearest = a1.iter().chain(&a2).fold(outcome.nearest, |least, a| least.min(a.abs()));
                let z = dot(w3, &h2) + b3[0];
                let sign = if positive { 1.0 } else { -1.0 };
                let share = case.weight / (n * positions) as f64;
                outcome.loss += share * (-sign * z).exp().ln_1p();
                outcome.correct += usize::from((z > 0.0) == positive);
                let d_z = -sign * share / (1.0 + (sign * z).exp());

                let [d_w1, d_b1, d_w2, d_b2, d_w3, d_b3] = &mut gradients.parameters;
                d_b3[0] += d_z;
                let mut d_h1 = vec![0.0; hidden];
                for o in 0..hidden {
                    d_w3[o] += d_z * h2[o];
                    let d = if a2[o] > 0.0 { d_z * w3[o] } else { 0.0 };
                    d_b2[o] += d;
                    for i in 0..hidden {
                        d_w2[o * hidden + i] += d * h1[i];
                        d_h1[i] += d * w2[o * hidden + i];
                    }
                }
                for o in 0..hidden {
                    let d = if a1[o] > 0.0 { d_h1[o] } else { 0.0 };
                    d_b1[o] += d;
                    for i in 0..inputs {
                        d_w1[o * inputs + i] += d * input[i];
                        let to = if i < channels {
                            &mut gradients.map[at + i]
                        } else {
                            &mut gradients.features[row * width + i - channels]
                        };
                        *to += d * w1[o * inputs + i];
                    }
                }
            }
        }
    }
    (outcome, gradients)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
