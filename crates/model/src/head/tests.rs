use super::{RelationHead, RelationHeadConfig};
use crate::{Aggregation, Compute, Error, RelationTensors, bce_with_logits, focal_with_logits, relation_logits, seam};
use candle_core::{Device, Tensor, Var};
use relata_ops::PairLoss;

const WIDTH: usize = 7;
const VIEWS: usize = 3;
const HIDDEN: usize = 20;

fn head(aggregation: Aggregation, loss: PairLoss, images: usize, shifts: usize) -> crate::Result<RelationHead> {
    let config = RelationHeadConfig { aggregation, hidden: HIDDEN, loss, shifts };
    RelationHead::new(config, WIDTH, VIEWS, images, 5, Compute::new(1)?)
}

/// f32 against f32, relative to the largest entry of a gradient.
const TOLERANCE: f32 = 2e-5;

fn assert_close(actual: &[f32], expected: &[f32], what: &str) {
    // Not below 5e-3: the first bias has the gradient 0, of which candle leaves what rounding makes of a sum over all rows.
    let largest = expected.iter().fold(5e-3f32, |m, x| m.max(x.abs()));
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (at, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= TOLERANCE * largest, "{what}, entry {at}: {a}, expected {e} (largest {largest})");
    }
}

#[test]
fn loss_and_every_gradient_agree_with_candle() {
    let features: Vec<f32> = (0..4 * VIEWS * WIDTH).map(|i| (i as f32 * 12.9898).sin() * 0.9 + 0.2).collect();
    for aggregation in Aggregation::ALL {
        for (loss, shifts) in [(PairLoss::Bce, 1), (PairLoss::Bce, 5), (PairLoss::Focal { gamma: 2.0, alpha: 0.5 }, 2)] {
            let mut head = head(aggregation, loss, 5, shifts).unwrap();
            let outcome = head.step(4, &features).unwrap();
            let variables: Vec<Var> = head
                .parameters()
                .torch_tensors()
                .iter()
                .take(6)
                .map(|t| Var::from_tensor(&Tensor::from_slice(&t.data, &t.shape[..], &Device::Cpu).unwrap()).unwrap())
                .collect();
            let (expected_loss, d_features, gradients) =
                seam::loss_and_gradients(&features, 4 * VIEWS, WIDTH, &Device::Cpu, &variables, |features| {
                    let tensors = RelationTensors {
                        linear1_weight: &variables[0],
                        linear1_bias: &variables[1],
                        bn1_weight: &variables[2],
                        bn1_bias: &variables[3],
                        linear2_weight: &variables[4],
                        linear2_bias: &variables[5],
                    };
                    let (logits, targets) =
                        relation_logits(features, 4, VIEWS, shifts, aggregation, tensors).map_err(candle_core::Error::wrap)?;
                    match loss {
                        PairLoss::Focal { gamma, alpha } => {
                            focal_with_logits(&logits, &targets, f64::from(gamma), f64::from(alpha))
                        }
                        _ => bce_with_logits(&logits, &targets),
                    }
                })
                .unwrap();
            let what = format!("{aggregation:?} {loss:?} {shifts}");
            assert_eq!(outcome.rows, shifts * 4 * VIEWS * (VIEWS - 1), "{what}");
            assert!((outcome.loss as f32 - expected_loss).abs() < 1e-6, "{what}: {} {expected_loss}", outcome.loss);
            assert_close(head.d_features(), &d_features, &format!("{what}: features"));
            for (ours, theirs) in head.parameters().torch_gradients().iter().zip(&gradients) {
                assert_close(&ours.data, theirs, &format!("{what}: {}", ours.name));
            }
        }
    }
}

#[test]
fn one_image_has_no_negatives() {
    assert!(matches!(head(Aggregation::Cat, PairLoss::Bce, 1, 1), Err(Error::Ops(_))));
    assert!(matches!(head(Aggregation::Cat, PairLoss::Bce, 4, 0), Err(Error::Ops(_))), "no shift");
    let mut head = head(Aggregation::Cat, PairLoss::Bce, 4, 1).unwrap();
    assert!(matches!(head.step(1, &[0.0; VIEWS * WIDTH]), Err(Error::Ops(_))));
    assert!(matches!(head.step(4, &[0.0; VIEWS * WIDTH]), Err(Error::Size { .. })));
}
