use super::{RelationHead, RelationHeadConfig};
use crate::{Aggregation, Buffers, Compute, Error, bce_with_logits, focal_with_logits, relation_logits, seam};
use candle_core::{Device, Tensor, Var};
use relata_ops::PairLoss;

const WIDTH: usize = 7;
const VIEWS: usize = 3;
const HIDDEN: usize = 20;

fn head(aggregation: Aggregation, loss: PairLoss, images: usize, layers: usize, shifts: usize) -> crate::Result<RelationHead> {
    let config = RelationHeadConfig { aggregation, hidden: HIDDEN, layers, loss, shifts };
    RelationHead::new(config, WIDTH, VIEWS, images, 5, Compute::new(1)?, &mut Buffers::allocated())
}

/// f32 against f32, relative to the largest entry of a gradient.
const TOLERANCE: f32 = 2e-5;

fn assert_close(actual: &[f32], expected: &[f32], what: &str) {
    // Not below 5e-3: the last bias's gradient is what is left of a sum whose terms nearly cancel.
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
        let focal = PairLoss::Focal { gamma: 2.0, alpha: 0.5 };
        for (loss, layers, shifts) in [
            (PairLoss::Bce, 1, 1),
            (PairLoss::Bce, 1, 5),
            (focal, 1, 2),
            (PairLoss::Bce, 2, 1),
            (focal, 3, 2),
            (PairLoss::Bce, 4, 5),
        ] {
            let mut head = head(aggregation, loss, 5, layers, shifts).unwrap();
            let outcome = head.step(4, &features).unwrap();
            let variables: Vec<Var> = head
                .parameters()
                .torch_tensors()
                .iter()
                .take(4 * layers + 2)
                .map(|t| Var::from_tensor(&Tensor::from_slice(&t.data, &t.shape[..], &Device::Cpu).unwrap()).unwrap())
                .collect();
            let (expected_loss, d_features, gradients) =
                seam::loss_and_gradients(&features, 4 * VIEWS, WIDTH, &Device::Cpu, &variables, |features| {
                    let tensors: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
                    let (logits, targets) =
                        relation_logits(features, 4, VIEWS, shifts, aggregation, &tensors).map_err(candle_core::Error::wrap)?;
                    match loss {
                        PairLoss::Focal { gamma, alpha } => {
                            focal_with_logits(&logits, &targets, f64::from(gamma), f64::from(alpha))
                        }
                        _ => bce_with_logits(&logits, &targets),
                    }
                })
                .unwrap();
            let what = format!("{aggregation:?} {loss:?} {layers} layers {shifts} shifts");
            assert_eq!(outcome.rows, shifts * 4 * VIEWS * (VIEWS - 1), "{what}");
            assert!((outcome.loss as f32 - expected_loss).abs() < 1e-6, "{what}: {} {expected_loss}", outcome.loss);
            assert_close(head.d_features(), &d_features, &format!("{what}: features"));
            for (ours, theirs) in head.parameters().torch_gradients().iter().zip(&gradients) {
                // Before a batch norm: 0, of which candle leaves what rounding makes of a sum over all rows.
                let is_constant = ours.name.ends_with(".bias")
                    && ours.name.starts_with("linear")
                    && ours.name != format!("linear{}.bias", layers + 1);
                if is_constant {
                    assert!(
                        ours.data.iter().all(|d| *d == 0.0) && theirs.iter().all(|d| d.abs() < 1e-6),
                        "{what}: {}",
                        ours.name
                    );
                } else {
                    assert_close(&ours.data, theirs, &format!("{what}: {}", ours.name));
                }
            }
        }
    }
}

#[test]
fn one_image_has_no_negatives() {
    for layers in [1, 2] {
        assert!(matches!(head(Aggregation::Cat, PairLoss::Bce, 1, layers, 1), Err(Error::Ops(_))));
        assert!(matches!(head(Aggregation::Cat, PairLoss::Bce, 4, layers, 0), Err(Error::Ops(_))), "no shift");
        let mut head = head(Aggregation::Cat, PairLoss::Bce, 4, layers, 1).unwrap();
        assert!(matches!(head.step(1, &[0.0; VIEWS * WIDTH]), Err(Error::Ops(_))));
        assert!(matches!(head.step(4, &[0.0; VIEWS * WIDTH]), Err(Error::Size { .. })));
    }
    assert!(matches!(head(Aggregation::Cat, PairLoss::Bce, 4, 0, 1), Err(Error::Ops(_))), "no layer");
}

#[test]
fn names_and_shapes_go_on_by_number() {
    let head = head(Aggregation::Cat, PairLoss::Bce, 4, 2, 1).unwrap();
    let found: Vec<(String, Vec<usize>)> = head.parameters().torch_tensors().into_iter().map(|t| (t.name, t.shape)).collect();
    let layer = |number: usize, inputs: usize| {
        let (linear, norm) = (format!("linear{number}"), format!("bn{number}"));
        [
            (format!("{linear}.weight"), vec![HIDDEN, inputs]),
            (format!("{linear}.bias"), vec![HIDDEN]),
            (format!("{norm}.weight"), vec![HIDDEN]),
            (format!("{norm}.bias"), vec![HIDDEN]),
        ]
    };
    let mut expected: Vec<_> = layer(1, 2 * WIDTH).into_iter().chain(layer(2, HIDDEN)).collect();
    expected.extend([("linear3.weight".to_owned(), vec![1, HIDDEN]), ("linear3.bias".to_owned(), vec![1])]);
    assert_eq!(found[..expected.len()], expected[..]);
    let running: Vec<&str> =
        found[expected.len()..].iter().map(|(name, _)| name.as_str()).filter(|n| n.contains("running")).collect();
    assert_eq!(running, ["bn1.running_mean", "bn1.running_var", "bn2.running_mean", "bn2.running_var"]);
}
