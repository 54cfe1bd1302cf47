use super::{PairLoss, reference};
use crate::Isa;

/// Of f32 against f64, relative to the larger of the value and 1e-30: some roundings of two short polynomials.
const TOLERANCE: f64 = 2e-6;

const LOSSES: [PairLoss; 4] = [
    PairLoss::Bce,
    PairLoss::Focal { gamma: 2.0, alpha: 0.5 },
    PairLoss::Focal { gamma: 0.5, alpha: 0.25 },
    PairLoss::Focal { gamma: 0.0, alpha: 1.0 },
];

fn logits() -> impl Iterator<Item = f32> {
    (-300..=300).map(|i| i as f32 / 10.0 + 0.013)
}

fn each_case(mut check: impl FnMut(PairLoss, bool, f32)) {
    for loss in LOSSES {
        for positive in [false, true] {
            logits().for_each(|z| check(loss, positive, z));
        }
    }
}

/// A power's relative error grows with its exponent, which grows with the logit.
#[track_caller]
fn assert_near(actual: f32, expected: f64, z: f32, what: &str) {
    let error = (f64::from(actual) - expected).abs() / expected.abs().max(1e-30);
    let bound = TOLERANCE * (1.0 + f64::from(z.abs()) / 5.0);
    assert!(error <= bound, "{what}: {actual}, expected {expected}: off by {error:.2e} of it");
}

#[test]
fn value_and_gradient_match_the_definition() {
    each_case(|loss, positive, z| {
        let (value, gradient) = loss.value_and_gradient(z, positive);
        let what = format!("{loss:?} at {z}, positive {positive}");
        assert_near(value, reference::value(loss, f64::from(z), positive), z, &what);
        assert_near(gradient, reference::gradient(loss, f64::from(z), positive), z, &format!("gradient of {what}"));
    });
}

#[test]
fn reference_gradient_is_the_slope_of_the_reference() {
    each_case(|loss, positive, z| {
        let (z, h) = (f64::from(z), 1e-5);
        let slope = (reference::value(loss, z + h, positive) - reference::value(loss, z - h, positive)) / (2.0 * h);
        let gradient = reference::gradient(loss, z, positive);
        assert!((slope - gradient).abs() <= 1e-8, "{loss:?} at {z}: slope {slope}, gradient {gradient}");
    });
}

#[test]
fn certain_logits_stay_finite() {
    for loss in LOSSES {
        for (z, positive) in [(1e4, true), (-1e4, false), (1e4, false), (-1e4, true), (f32::MAX, true), (f32::MIN, true)] {
            let (value, gradient) = loss.value_and_gradient(z, positive);
            assert!(value.is_finite() && gradient.is_finite(), "{loss:?} at {z}: {value}, {gradient}");
        }
        assert!(loss.value_and_gradient(f32::NAN, true).0.is_nan(), "{loss:?} hides a NaN");
    }
    assert_eq!(PairLoss::Bce.value_and_gradient(1e4, true), (0.0, -0.0));
    assert_eq!(PairLoss::Bce.value_and_gradient(1e4, false), (1e4, 1.0));
    assert_eq!(PairLoss::Bce.value_and_gradient(-1e4, true), (1e4, -1.0));
}

#[test]
fn rows_are_the_single_losses_on_every_instruction_set() {
    let z: Vec<f32> = logits().collect();
    for loss in LOSSES {
        for positive in [false, true] {
            let (mut sum, mut expected) = (0.0, vec![0.0; z.len()]);
            for (z, d) in z.iter().zip(&mut expected) {
                let (value, gradient) = loss.value_and_gradient(*z, positive);
                sum += f64::from(value);
                *d = 0.25 * gradient;
            }
            for isa in Isa::available() {
                let mut d = vec![f32::NAN; z.len()];
                let total = loss.rows(isa, positive, 0.25, &z, &mut d);
                assert!((total - sum).abs() <= 1e-12 * sum, "{loss:?} on {isa}: {total}, expected {sum}");
                assert!(d == expected, "{loss:?} on {isa}");
            }
        }
    }
}
