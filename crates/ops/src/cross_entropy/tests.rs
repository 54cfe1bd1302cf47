use super::{CrossEntropy, Reduction, cross_entropy_f32, reference};
use crate::test_support::{assert_close, f32s, noise};

/// Of gradients that are rounded once, against f64, relative to the largest entry.
const TOLERANCE: f64 = 1e-7;
/// The same of exponentials and sums in f32.
const TOLERANCE_F32: f64 = 1e-6;

/// (rows, classes): one of each, odd numbers, and more classes than a vector.
const SIZES: [(usize, usize); 5] = [(1, 1), (1, 10), (3, 2), (67, 5), (9, 131)];

fn case(rows: usize, classes: usize) -> (Vec<f64>, Vec<usize>, Vec<f64>) {
    let logits = noise(&format!("logits {rows} {classes}"), rows * classes).iter().map(|z| 4.0 * z).collect();
    let targets = (0..rows).map(|row| (row * 7 + 3) % classes).collect();
    let weights = noise(&format!("weights {classes}"), classes).iter().map(|w| 1.5 + w).collect();
    (logits, targets, weights)
}

#[test]
fn loss_and_gradients_match_the_definition() {
    for (rows, classes) in SIZES {
        let (logits, targets, weights) = case(rows, classes);
        for weights in [None, Some(&weights)] {
            for reduction in [Reduction::Mean, Reduction::Sum] {
                let ones = vec![1.0; classes];
                let weight_of = weights.unwrap_or(&ones);
                let total = match reduction {
                    Reduction::Mean => targets.iter().map(|&target| weight_of[target]).sum(),
                    Reduction::Sum => 1.0,
                };
                let (loss, gradients) = reference::loss_and_gradients(&logits, &targets, weight_of, total);
                let (mut found, mut d_bias) = (f32s(&logits), vec![f64::NAN; classes]);
                let by = CrossEntropy { classes, weights: weights.map(Vec::as_slice), reduction };
                let outcome = by.loss_and_gradients(&mut found, |row| targets[row], &mut d_bias);
                let what = format!("{rows} x {classes}, {by:?}");
                assert!((outcome.loss - loss).abs() <= 1e-7 * loss.abs(), "{what}: {outcome:?}, expected {loss}");
                assert_close(&found, &gradients, TOLERANCE, &what);
                for (class, sum) in d_bias.iter().enumerate() {
                    let expected: f64 = gradients.iter().skip(class).step_by(classes).sum();
                    assert!((sum - expected).abs() <= 1e-6 * expected.abs().max(1e-3), "{what}: {sum}, expected {expected}");
                }
                let largest = |z: &[f64]| (0..classes).fold(0, |best, at| if z[at] > z[best] { at } else { best });
                let correct = logits.chunks(classes).zip(&targets).filter(|(z, target)| largest(z) == **target).count();
                assert_eq!((outcome.correct, outcome.rows), (correct, rows), "{what}");
            }
        }
    }
}

#[test]
fn the_f32_form_matches_the_definition() {
    for (rows, classes) in SIZES {
        let (logits, targets, _) = case(rows, classes);
        let (loss, gradients) = reference::loss_and_gradients(&logits, &targets, &vec![1.0; classes], rows as f64);
        let mut found = f32s(&logits);
        let sum = cross_entropy_f32(&mut found, classes, &targets);
        assert!((sum / rows as f64 - loss).abs() <= TOLERANCE_F32 * loss.max(1.0), "{rows} x {classes}: {sum}, expected {loss}");
        assert_close(&found, &gradients, TOLERANCE_F32, &format!("{rows} x {classes}"));
    }
}

#[test]
fn reference_gradients_are_slopes_of_the_reference() {
    let (logits, targets, weights) = case(3, 5);
    let (_, gradients) = reference::loss_and_gradients(&logits, &targets, &weights, 2.0);
    for (at, gradient) in gradients.iter().enumerate() {
        let loss = |step: f64| {
            let mut moved = logits.clone();
            moved[at] += step;
            reference::loss_and_gradients(&moved, &targets, &weights, 2.0).0
        };
        let slope = (loss(1e-6) - loss(-1e-6)) / 2e-6;
        assert!((slope - gradient).abs() < 1e-8, "entry {at}: slope {slope}, gradient {gradient}");
    }
}

#[test]
fn large_logits_stay_finite_and_a_nan_shows_in_the_loss() {
    let mut d_bias = [0.0; 2];
    let mut logits = [1e4, -1e4, f32::MAX, f32::MIN];
    let outcome = CrossEntropy::mean(2).loss_and_gradients(&mut logits, |row| row, &mut d_bias);
    assert!(outcome.loss.is_finite() || outcome.loss == f64::INFINITY);
    assert!(logits.iter().all(|d| d.is_finite()), "{logits:?}");
    assert_eq!(outcome.correct, 1);
    let mut logits = [1e4, -1e4, 3e4, 2e4];
    assert_eq!(cross_entropy_f32(&mut logits, 2, &[0, 0]), 0.0);
    assert_eq!(logits, [0.0; 4]);
    let loss = CrossEntropy::mean(2).loss_and_gradients(&mut [0.0, f32::NAN], |_| 0, &mut d_bias).loss;
    assert!(loss.is_nan() && cross_entropy_f32(&mut [0.0, f32::NAN], 2, &[0]).is_nan());
}
