use super::{DeepPairHead, DeepPairHeadShape};
use crate::loss::{PairLoss, reference as pair_loss};
use crate::pairs::{EPS, PairAggregation, PairOutcome, reference};
use crate::test_support::{assert_close, f32s, noise, rounded};
use crate::{Error, Isa, RunningStats};

/// f32 through up to three layers against f64, relative to the largest entry.
const TOLERANCE: f64 = 1e-5;

const FOCAL: PairLoss = PairLoss::Focal { gamma: 2.0, alpha: 0.5 };
const AGGREGATIONS: [PairAggregation; 4] =
    [PairAggregation::Cat, PairAggregation::Sum, PairAggregation::Mean, PairAggregation::Max];

struct Case {
    views: usize,
    images: usize,
    shape: DeepPairHeadShape,
    features: Vec<f64>,
    params: Vec<f64>,
}

/// What the definition gives, in f64.
struct Expected {
    loss: f64,
    logits: Vec<f64>,
    /// Mean and unbiased variance of each hidden layer's h.
    statistics: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Case {
    fn new(views: usize, images: usize, shape: DeepPairHeadShape) -> Self {
        let name = format!("deep {views} {images} {} {} {}", shape.width, shape.hidden, shape.layers);
        let some = |what: &str, len: usize, scale: f64, add: f64| {
            rounded(noise(&format!("{what} of {name}"), len).iter().map(|x| scale * x + add).collect())
        };
        let mut params = Vec::new();
        for layer in 0..shape.layers {
            let inputs = if layer == 0 { shape.inputs() } else { shape.hidden };
            params.extend(some(&format!("weight {layer}"), inputs * shape.hidden, 0.6, 0.0));
            params.extend(some(&format!("bias {layer}"), shape.hidden, 0.3, 0.1));
            params.extend(some(&format!("gamma {layer}"), shape.hidden, 0.7, 0.2));
            params.extend(some(&format!("beta {layer}"), shape.hidden, 0.4, 0.0));
        }
        params.extend(some("output", shape.hidden + 1, 0.5, 0.1));
        // Means off zero.
        Self { views, images, shape, features: some("features", views * images * shape.width, 1.5, 0.4), params }
    }

    fn rows(&self) -> Vec<(usize, usize, bool)> {
        reference::rows(self.views, self.images, self.shape.shifts)
    }

    /// The definition, row by row.
    fn expected(&self, loss: PairLoss) -> Expected {
        let DeepPairHeadShape { aggregation, width, hidden, layers, .. } = self.shape;
        let feature = |row: usize| &self.features[row * width..][..width];
        let rows = self.rows();
        let mut layer: Vec<Vec<f64>> = rows
            .iter()
            .map(|(a, c, _)| {
                let both = feature(*a).iter().zip(feature(*c));
                match aggregation {
                    PairAggregation::Cat => feature(*a).iter().chain(feature(*c)).copied().collect(),
                    PairAggregation::Sum => both.map(|(a, c)| a + c).collect(),
                    PairAggregation::Mean => both.map(|(a, c)| (a + c) / 2.0).collect(),
                    PairAggregation::Max => both.map(|(a, c)| a.max(*c)).collect(),
                }
            })
            .collect();
        let (mut at, count) = (0, rows.len() as f64);
        let mut take = |len: usize| {
            at += len;
            &self.params[at - len..at]
        };
        let dot = |row: &[f64], w: &[f64]| row.iter().zip(w).map(|(x, w)| x * w).sum::<f64>();
        let mut statistics = Vec::new();
        for _ in 0..layers {
            let inputs = layer[0].len();
            let (weight, bias, gamma, beta) = (take(inputs * hidden), take(hidden), take(hidden), take(hidden));
            let mut outputs = vec![vec![0.0; hidden]; layer.len()];
            let (mut means, mut variances) = (Vec::new(), Vec::new());
            for c in 0..hidden {
                let h: Vec<f64> = layer.iter().map(|row| dot(row, &weight[c * inputs..]) + bias[c]).collect();
                let mean = h.iter().sum::<f64>() / count;
                let squares = h.iter().map(|h| (h - mean).powi(2)).sum::<f64>();
                for (output, h) in outputs.iter_mut().zip(&h) {
                    let u = gamma[c] * (h - mean) / (squares / count + EPS).sqrt() + beta[c];
                    output[c] = if u > 0.0 { u } else { 0.01 * u };
                }
                means.push(mean);
                variances.push(squares / (count - 1.0));
            }
            statistics.push((means, variances));
            layer = outputs;
        }
        let (weight, bias) = (take(hidden), take(1)[0]);
        let logits: Vec<f64> = layer.iter().map(|row| dot(row, weight) + bias).collect();
        let loss = logits.iter().zip(&rows).map(|(z, row)| pair_loss::value(loss, *z, row.2)).sum::<f64>() / count;
        Expected { loss, logits, statistics }
    }

    /// Central differences of the definition by features and by parameters.
    fn slopes(&self, loss: PairLoss) -> [Vec<f64>; 2] {
        const STEP: f64 = 1e-6;
        let by = |of: fn(&mut Self) -> &mut Vec<f64>| {
            let mut case = Self { features: self.features.clone(), params: self.params.clone(), ..*self };
            (0..of(&mut case).len())
                .map(|at| {
                    let from = of(&mut case)[at];
                    let [up, down] = [from + STEP, from - STEP].map(|moved| {
                        of(&mut case)[at] = moved;
                        case.expected(loss).loss
                    });
                    of(&mut case)[at] = from;
                    (up - down) / (2.0 * STEP)
                })
                .collect()
        };
        [by(|case| &mut case.features), by(|case| &mut case.params)]
    }

    fn found(&self, isa: Isa, spare: usize, loss: PairLoss) -> Found {
        let DeepPairHeadShape { hidden, layers, .. } = self.shape;
        let mut head =
            DeepPairHead::new(isa, self.views, self.images + spare, self.shape, &mut crate::Buffers::allocated()).unwrap();
        let (features, params) = (f32s(&self.features), f32s(&self.params));
        let (mut d_features, mut grads) = (vec![f32::NAN; features.len()], vec![f32::NAN; params.len()]);
        let mut running = vec![(vec![0.5; hidden], vec![2.0; hidden]); layers];
        let of_layers = running.iter_mut().map(|(mean, var)| RunningStats { mean, var, momentum: 0.1 });
        let outcome =
            head.forward_backward(self.images, &features, &params, of_layers, loss, &mut d_features, &mut grads).unwrap();
        Found { outcome, logits: head.logits().to_vec(), d_features, grads, running }
    }
}

struct Found {
    outcome: PairOutcome,
    logits: Vec<f32>,
    d_features: Vec<f32>,
    grads: Vec<f32>,
    running: Vec<(Vec<f32>, Vec<f32>)>,
}

/// Three views of five images, each pair twice, hidden width 12 and features of 7: none of them a multiple of a vector.
fn awkward(aggregation: PairAggregation, layers: usize) -> Case {
    Case::new(3, 5, DeepPairHeadShape { aggregation, width: 7, hidden: 12, layers, shifts: 2 })
}

#[test]
fn loss_and_gradients_are_those_of_the_definition_and_its_slopes() {
    for (aggregation, layers) in AGGREGATIONS.into_iter().flat_map(|aggregation| [1, 2, 3].map(|layers| (aggregation, layers))) {
        let case = awkward(aggregation, layers);
        for loss in [PairLoss::Bce, FOCAL] {
            let expected = case.expected(loss);
            let [d_features, d_params] = case.slopes(loss);
            for (isa, spare) in Isa::available().into_iter().flat_map(|isa| [(isa, 0), (isa, 3)]) {
                let what = format!("{aggregation:?}, {layers} layers, {loss:?}, {isa}, {spare} spare");
                let found = case.found(isa, spare, loss);
                assert_close(&found.logits, &expected.logits, TOLERANCE, &format!("logits: {what}"));
                assert!((found.outcome.loss - expected.loss).abs() <= TOLERANCE * expected.loss, "loss: {what}");
                let rows = case.rows();
                let correct = |target: bool| {
                    let classified = expected.logits.iter().zip(&rows);
                    classified.filter(|(z, row)| row.2 == target && (**z > 0.0) == target).count()
                };
                let PairOutcome { positives_correct, negatives_correct, rows, .. } = found.outcome;
                assert_eq!((positives_correct, negatives_correct, rows), (correct(true), correct(false), 60), "{what}");
                assert_close(&found.d_features, &d_features, TOLERANCE, &format!("d_features: {what}"));
                let mut at = 0;
                let mut part = |len: usize| {
                    at += len;
                    (&found.grads[at - len..at], &d_params[at - len..at])
                };
                for layer in 0..layers {
                    for (name, len) in [("weight", if layer == 0 { case.shape.inputs() * 12 } else { 144 }), ("bias", 12)] {
                        let (found, expected) = part(len);
                        if name == "bias" {
                            assert!(found.iter().all(|d| *d == 0.0), "bias of layer {layer}: {what}");
                            assert!(expected.iter().all(|d| d.abs() < 1e-8), "a slope by a bias before a norm: {what}");
                        } else {
                            assert_close(found, expected, TOLERANCE, &format!("{name} of layer {layer}: {what}"));
                        }
                    }
                    for name in ["gamma", "beta"] {
                        let (found, expected) = part(12);
                        assert_close(found, expected, TOLERANCE, &format!("{name} of layer {layer}: {what}"));
                    }
                    let (means, variances) = &expected.statistics[layer];
                    let [mean, var] = [(0.5, means), (2.0, variances)]
                        .map(|(old, new)| new.iter().map(|new| 0.9 * old + 0.1 * new).collect::<Vec<f64>>());
                    assert_close(&found.running[layer].0, &mean, TOLERANCE, &format!("running mean {layer}: {what}"));
                    assert_close(&found.running[layer].1, &var, TOLERANCE, &format!("running variance {layer}: {what}"));
                }
                for (name, len) in [("output weight", 12), ("output bias", 1)] {
                    let (found, expected) = part(len);
                    assert_close(found, expected, TOLERANCE, &format!("{name}: {what}"));
                }
                assert_eq!(at, found.grads.len());
            }
        }
    }
}

#[test]
fn constant_channels_of_any_layer_are_no_trouble() {
    let mut case = awkward(PairAggregation::Cat, 2);
    let shape = case.shape;
    // Channel 3 of the first layer has no variance; channel 4 of the second reads nothing.
    case.params[3 * shape.inputs()..4 * shape.inputs()].fill(0.0);
    let second = (shape.inputs() + 3) * shape.hidden;
    case.params[second + 4 * shape.hidden..second + 5 * shape.hidden].fill(0.0);
    let expected = case.expected(PairLoss::Bce);
    let found = case.found(Isa::best(), 0, PairLoss::Bce);
    assert_close(&found.logits, &expected.logits, TOLERANCE, "logits");
    assert_close(&found.d_features, &case.slopes(PairLoss::Bce)[0], TOLERANCE, "d_features");
    assert!(found.grads.iter().all(|d| d.is_finite()));
}

#[test]
fn thread_count_does_not_change_a_bit() {
    for aggregation in [PairAggregation::Cat, PairAggregation::Max] {
        let shape = DeepPairHeadShape { aggregation, width: 6, hidden: 17, layers: 3, shifts: 1 };
        // 4608 rows: 64 pieces of them, and several of the matrix products'.
        let case = Case::new(9, 64, shape);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| case.found(Isa::best(), 0, FOCAL));
            let running = found.running.into_iter().flat_map(|(mean, var)| [mean, var]);
            let all: Vec<Vec<f32>> = [found.logits, found.d_features, found.grads].into_iter().chain(running).collect();
            let bits: Vec<Vec<u32>> = all.iter().map(|values| values.iter().map(|v| v.to_bits()).collect()).collect();
            (found.outcome.loss.to_bits(), bits)
        };
        assert!(run(1) == run(4), "{aggregation:?}");
    }
}

#[test]
fn a_batch_without_pairs_or_a_head_without_size_is_an_error() {
    let is_shape = |error: Option<Error>| matches!(error, Some(Error::Shape { operator: "relation head", .. }));
    let shape = DeepPairHeadShape { aggregation: PairAggregation::Sum, width: 3, hidden: 4, layers: 2, shifts: 1 };
    assert!(is_shape(DeepPairHead::new(Isa::best(), 1, 4, shape, &mut crate::Buffers::counted()).err()), "one view");
    assert!(is_shape(DeepPairHead::new(Isa::best(), 2, 1, shape, &mut crate::Buffers::counted()).err()), "one image");
    for (what, shape) in [
        ("no features", DeepPairHeadShape { width: 0, ..shape }),
        ("no width", DeepPairHeadShape { hidden: 0, ..shape }),
        ("no layer", DeepPairHeadShape { layers: 0, ..shape }),
        ("no shift", DeepPairHeadShape { shifts: 0, ..shape }),
    ] {
        assert!(is_shape(DeepPairHead::new(Isa::best(), 2, 4, shape, &mut crate::Buffers::counted()).err()), "{what}");
    }
    let mut head = DeepPairHead::new(Isa::best(), 2, 4, shape, &mut crate::Buffers::allocated()).unwrap();
    let params = vec![0.5; shape.parameter_count()];
    let (mut d_features, mut grads) = (vec![0.0; 6], vec![0.0; params.len()]);
    let outcome = head.forward_backward(1, &[0.0; 6], &params, [], PairLoss::Bce, &mut d_features, &mut grads);
    assert!(is_shape(outcome.err()));
    assert!(head.logits().is_empty());
}
