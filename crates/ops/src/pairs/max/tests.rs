use super::MaxPairHead;
use crate::loss::PairLoss;
use crate::pairs::reference;
use crate::pairs::test_buffers::{Buffers, assert_outcome, head_of};
use crate::test_support::{assert_close, f32s, noise, rounded};
use crate::{Error, Isa};

/// As for the factorised head, with a matrix product before and behind.
const TOLERANCE: f64 = 1e-5;

/// (views, images, feature width, hidden width)
const SHAPES: [(usize, usize, usize, usize); 5] =
    [(2, 2, 7, 16), (5, 3, 9, 20), (3, 7, 64, 33), (4, 9, 13, 256), (13, 33, 5, 18)];

struct Case {
    views: usize,
    images: usize,
    shifts: usize,
    features: Vec<f64>,
    weight: Vec<f64>,
    head: reference::Head,
}

impl Case {
    fn new((views, images, width, hidden): (usize, usize, usize, usize)) -> Self {
        let name = format!("max {views} {images} {width}");
        let mut features = rounded(noise(&name, views * images * width));
        // One channel that is the same everywhere: all of its maxima are ties.
        features.iter_mut().skip(1).step_by(width).for_each(|f| *f = 0.5);
        let weight = rounded(noise(&format!("weight of {name}"), hidden * width));
        Self { views, images, shifts: 1, features, weight, head: head_of(&name, hidden) }
    }

    fn rows(&self) -> Vec<(usize, usize, bool)> {
        reference::rows(self.views, self.images, self.shifts)
    }

    fn width(&self) -> usize {
        self.features.len() / (self.views * self.images)
    }

    /// Gradients by features, weight and the head's parameters.
    fn backward(&self, loss: PairLoss, h: &[f64], forward: &reference::Forward) -> (Vec<f64>, Vec<f64>, reference::Head) {
        let width = self.width();
        let gradients = reference::backward(h, &self.rows(), &self.head, loss, forward);
        let (mut d_features, mut d_weight) = (vec![0.0; self.features.len()], vec![0.0; self.weight.len()]);
        for ((a, c, _), d_h) in self.rows().into_iter().zip(gradients.h.chunks(self.head.w2.len())) {
            for i in 0..width {
                let (f_a, f_c) = (self.features[a * width + i], self.features[c * width + i]);
                let larger = if f_a >= f_c { a } else { c };
                for (o, d) in d_h.iter().enumerate() {
                    d_weight[o * width + i] += d * f_a.max(f_c);
                    d_features[larger * width + i] += d * self.weight[o * width + i];
                }
            }
        }
        (d_features, d_weight, gradients.head)
    }
}

#[test]
fn loss_and_gradients_match_the_rows_written_out() {
    for (shape, shifts) in SHAPES.into_iter().flat_map(|shape| [(shape, 1), (shape, 3)]) {
        let case = Case { shifts, ..Case::new(shape) };
        let rows = case.rows();
        let h = reference::maxima(&rows, &case.features, &case.weight, &case.head.bias);
        for loss in [PairLoss::Bce, PairLoss::Focal { gamma: 2.0, alpha: 0.5 }] {
            let forward = reference::forward(&h, &rows, &case.head, loss, None);
            let (d_features, d_weight, d_head) = case.backward(loss, &h, &forward);
            for isa in Isa::available() {
                let what = format!("{shape:?}, {shifts} shifts, {loss:?}, {isa}");
                for spare in [0, 2] {
                    let images = case.images + spare;
                    let mut head = MaxPairHead::with_shifts(
                        isa,
                        case.views,
                        images,
                        case.width(),
                        shape.3,
                        shifts,
                        &mut crate::Buffers::allocated(),
                    )
                    .unwrap();
                    let mut buffers = Buffers::new(&case.head);
                    let (params, running, grads) = buffers.parts();
                    let (features, weight) = (f32s(&case.features), f32s(&case.weight));
                    let (mut to_features, mut to_weight) = (vec![f32::NAN; features.len()], vec![f32::NAN; weight.len()]);
                    let outcome = head
                        .forward_backward(
                            case.images,
                            &features,
                            &weight,
                            params,
                            running,
                            loss,
                            &mut to_features,
                            &mut to_weight,
                            grads,
                        )
                        .unwrap();
                    buffers.assert_matches(outcome, head.logits(), &rows, &forward, &d_head, &what);
                    assert_close(&to_features, &d_features, TOLERANCE, &format!("d_features: {what}"));
                    assert_close(&to_weight, &d_weight, TOLERANCE, &format!("d_weight: {what}"));
                }
            }
        }
    }
}

#[test]
fn evaluation_uses_the_running_statistics() {
    let case = Case::new((4, 5, 6, 19));
    let mean = rounded(noise("running mean", 19));
    let var = rounded(noise("running variance", 19).iter().map(|x| x + 1.5).collect());
    let rows = case.rows();
    let h = reference::maxima(&rows, &case.features, &case.weight, &case.head.bias);
    let expected = reference::forward(&h, &rows, &case.head, PairLoss::Bce, Some((&mean, &var)));
    for isa in Isa::available() {
        let mut head = MaxPairHead::new(isa, 4, 5, 6, 19).unwrap();
        let mut buffers = Buffers::new(&case.head);
        let (params, ..) = buffers.parts();
        let (features, weight) = (f32s(&case.features), f32s(&case.weight));
        let outcome = head.forward_eval(5, &features, &weight, params, &f32s(&mean), &f32s(&var), PairLoss::Bce).unwrap();
        assert_outcome(outcome, head.logits(), &rows, &expected, isa.name());
    }
}

#[test]
fn reference_gradients_are_slopes_of_the_reference() {
    const STEP: f64 = 1e-6;
    let make = || {
        let mut case = Case::new((3, 4, 5, 3));
        // A tie has no slope.
        case.features = noise("without ties", case.features.len());
        case
    };
    let loss_of = |case: &Case| {
        let h = reference::maxima(&case.rows(), &case.features, &case.weight, &case.head.bias);
        let forward = reference::forward(&h, &case.rows(), &case.head, PairLoss::Bce, None);
        (forward.loss, case.backward(PairLoss::Bce, &h, &forward))
    };
    let (_, (d_features, d_weight, _)) = loss_of(&make());
    let check = |what: &str, gradient: &[f64], of: fn(&mut Case) -> &mut [f64]| {
        for (index, gradient) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut case = make();
                of(&mut case)[index] += by;
                loss_of(&case).0
            };
            let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            assert!((slope - gradient).abs() <= 1e-7, "{what}[{index}]: slope {slope}, gradient {gradient}");
        }
    };
    check("features", &d_features, |case| &mut case.features);
    check("weight", &d_weight, |case| &mut case.weight);
}

#[test]
fn thread_count_does_not_change_a_bit() {
    // More rows than one block holds.
    let case = Case::new((9, 64, 6, 17));
    let (features, weight) = (f32s(&case.features), f32s(&case.weight));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut head = MaxPairHead::new(Isa::best(), 9, 64, 6, 17).unwrap();
            let mut buffers = Buffers::new(&case.head);
            let (params, running, grads) = buffers.parts();
            let (mut d_features, mut d_weight) = (vec![0.0; features.len()], vec![0.0; weight.len()]);
            let outcome = head
                .forward_backward(64, &features, &weight, params, running, PairLoss::Bce, &mut d_features, &mut d_weight, grads)
                .unwrap();
            let bits =
                [d_features, d_weight, buffers.d_bn_weight, buffers.d_w2, head.logits().to_vec(), buffers.mean, buffers.var]
                    .map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>());
            (outcome.loss.to_bits(), bits)
        })
    };
    assert!(run(1) == run(4));
}

#[test]
fn a_batch_without_pairs_is_an_error() {
    let is_shape = |error: Option<Error>| matches!(error, Some(Error::Shape { operator: "relation head", .. }));
    assert!(is_shape(MaxPairHead::new(Isa::best(), 1, 4, 3, 8).err()), "one view");
    assert!(is_shape(MaxPairHead::new(Isa::best(), 2, 1, 3, 8).err()), "one image");
    assert!(is_shape(MaxPairHead::new(Isa::best(), 2, 2, 0, 8).err()), "no features");
    assert!(is_shape(MaxPairHead::with_shifts(Isa::best(), 2, 2, 3, 8, 0, &mut crate::Buffers::counted()).err()), "no shift");
    let mut head = MaxPairHead::new(Isa::best(), 2, 4, 3, 8).unwrap();
    let head_params = head_of("error", 8);
    let mut buffers = Buffers::new(&head_params);
    let (params, ..) = buffers.parts();
    let outcome = head.forward_eval(1, &[0.0; 6], &[0.0; 24], params, &[0.0; 8], &[1.0; 8], PairLoss::Bce);
    assert!(is_shape(outcome.err()));
}
