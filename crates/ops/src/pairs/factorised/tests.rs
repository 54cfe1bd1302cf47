use super::PairHead;
use crate::loss::PairLoss;
use crate::pairs::RelationPairs;
use crate::pairs::reference::{self, Head};
use crate::pairs::test_buffers::{Buffers, TOLERANCE, assert_outcome, head_of};
use crate::test_support::{assert_close, f32s, noise, rounded};
use crate::{Error, Isa};

const FOCAL: PairLoss = PairLoss::Focal { gamma: 2.0, alpha: 0.5 };

/// (views, images, hidden width)
const SHAPES: [(usize, usize, usize); 7] = [(2, 2, 16), (2, 2, 20), (5, 3, 20), (3, 7, 33), (4, 2, 5), (4, 9, 256), (13, 17, 18)];

/// Rolls of a pair: the paper's one, and more than there are other images in most of the shapes.
const SHIFTS: [usize; 3] = [1, 2, 9];

struct Case {
    views: usize,
    images: usize,
    shifts: usize,
    hidden: usize,
    left: Vec<f64>,
    right: Vec<f64>,
    head: Head,
}

impl Case {
    fn new((views, images, hidden): (usize, usize, usize)) -> Self {
        let name = format!("{views} {images} {hidden}");
        let n = views * images * hidden;
        // A mean well off zero, and one side wider than the other.
        let left = rounded(noise(&format!("left {name}"), n).iter().map(|x| 1.5 * x + 3.0).collect());
        let right = rounded(noise(&format!("right {name}"), n).iter().map(|x| 0.5 * x - 1.0).collect());
        Self { views, images, shifts: 1, hidden, left, right, head: head_of(&name, hidden) }
    }

    fn rows(&self) -> Vec<(usize, usize, bool)> {
        reference::rows(self.views, self.images, self.shifts)
    }

    fn hidden_rows(&self) -> Vec<f64> {
        reference::factorised(&self.rows(), &self.left, &self.right, &self.head.bias)
    }

    fn forward(&self, loss: PairLoss) -> reference::Forward {
        reference::forward(&self.hidden_rows(), &self.rows(), &self.head, loss, None)
    }

    /// Gradients by left, right and the head's parameters.
    fn backward(&self, loss: PairLoss) -> (Vec<f64>, Vec<f64>, Head) {
        let gradients = reference::backward(&self.hidden_rows(), &self.rows(), &self.head, loss, &self.forward(loss));
        let mut d_left = vec![0.0; self.left.len()];
        let mut d_right = d_left.clone();
        for ((a, c, _), d) in self.rows().iter().zip(gradients.h.chunks(self.hidden)) {
            for (x, d) in d.iter().enumerate() {
                d_left[a * self.hidden + x] += d;
                d_right[c * self.hidden + x] += d;
            }
        }
        (d_left, d_right, gradients.head)
    }
}

#[test]
fn rows_are_those_of_the_plain_loops() {
    for views in 0..=6 {
        for images in 0..=9 {
            for shifts in 0..=4 {
                let mut rows = Vec::new();
                for pair in RelationPairs::new(views, images, shifts) {
                    rows.extend((0..images).map(|b| (pair.first * images + b, pair.second * images + b, true)));
                    rows.extend((0..images).map(|b| (pair.first * images + b, pair.second * images + pair.rolled(b), false)));
                }
                let what = format!("{views} views of {images} images, {shifts} shifts");
                assert_eq!(rows.len(), RelationPairs::rows(views, images, shifts), "{what}");
                if images >= 2 {
                    assert_eq!(rows.len(), shifts * images * (views * views - views), "{what}");
                    assert_eq!(rows, reference::rows(views, images, shifts), "{what}");
                }
            }
        }
    }
}

#[test]
fn no_negative_meets_itself_and_the_shift_wraps_at_the_batch() {
    for images in 2..=9 {
        let mut expected_shift = 1;
        for pair in RelationPairs::new(7, images, 1).chain(RelationPairs::new(7, images, 3)) {
            // Each begins again.
            if (pair.first, pair.second) == (0, 1) && pair.shift == 1 {
                expected_shift = 1;
            }
            assert_eq!(pair.shift, expected_shift, "{pair:?}");
            expected_shift = if expected_shift + 1 == images { 1 } else { expected_shift + 1 };
            let mut met: Vec<usize> = (0..images).map(|b| pair.rolled(b)).collect();
            assert!(met.iter().enumerate().all(|(b, other)| b != *other), "{pair:?}");
            let runs = pair.negative_runs().into_iter().flat_map(|(a, c)| a.zip(c));
            assert!(runs.clone().count() == images && runs.clone().all(|(a, c)| met[a] == c), "{pair:?}");
            met.sort_unstable();
            assert!(met.into_iter().eq(0..images), "{pair:?}: every image is met once");
        }
    }
}

#[test]
fn loss_and_gradients_match_the_rows_written_out() {
    for (shape, shifts) in SHAPES.into_iter().flat_map(|shape| SHIFTS.map(|shifts| (shape, shifts))) {
        let case = Case { shifts, ..Case::new(shape) };
        for loss in [PairLoss::Bce, FOCAL] {
            let forward = case.forward(loss);
            let (d_left, d_right, d_head) = case.backward(loss);
            for isa in Isa::available() {
                let what = format!("{shape:?}, {shifts} shifts, {loss:?}, {isa}");
                // Buffers for more images than come: a short last batch.
                for spare in [0, 3] {
                    let mut head = PairHead::with_shifts(
                        isa,
                        case.views,
                        case.images + spare,
                        case.hidden,
                        shifts,
                        &mut crate::Buffers::allocated(),
                    )
                    .unwrap();
                    let mut buffers = Buffers::new(&case.head);
                    let (params, running, grads) = buffers.parts();
                    let (mut to_left, mut to_right) = (vec![f32::NAN; d_left.len()], vec![f32::NAN; d_right.len()]);
                    let (left, right) = (f32s(&case.left), f32s(&case.right));
                    let outcome = head
                        .forward_backward(case.images, &left, &right, params, running, loss, &mut to_left, &mut to_right, grads)
                        .unwrap();
                    buffers.assert_matches(outcome, head.logits(), &case.rows(), &forward, &d_head, &what);
                    assert_close(&to_left, &d_left, TOLERANCE, &format!("d_left: {what}"));
                    assert_close(&to_right, &d_right, TOLERANCE, &format!("d_right: {what}"));
                }
            }
        }
    }
}

#[test]
fn evaluation_uses_the_running_statistics() {
    for shape in SHAPES {
        let case = Case::new(shape);
        let mean = rounded(noise("running mean", case.hidden));
        let var = rounded(noise("running variance", case.hidden).iter().map(|x| x + 1.5).collect());
        let rows = case.rows();
        let expected = reference::forward(&case.hidden_rows(), &rows, &case.head, FOCAL, Some((&mean, &var)));
        for isa in Isa::available() {
            let mut head = PairHead::new(isa, case.views, case.images, case.hidden).unwrap();
            let mut buffers = Buffers::new(&case.head);
            let (params, ..) = buffers.parts();
            let (left, right) = (f32s(&case.left), f32s(&case.right));
            let outcome = head.forward_eval(case.images, &left, &right, params, &f32s(&mean), &f32s(&var), FOCAL).unwrap();
            assert_outcome(outcome, head.logits(), &rows, &expected, &format!("{shape:?}, {isa}"));
        }
    }
}

#[test]
fn reference_gradients_are_slopes_of_the_reference() {
    const STEP: f64 = 1e-6;
    for shape in [(2, 2, 4), (3, 3, 5), (4, 5, 3)] {
        for loss in [PairLoss::Bce, FOCAL] {
            let (d_left, d_right, d_head) = Case::new(shape).backward(loss);
            let check = |what: &str, gradient: &[f64], of: fn(&mut Case) -> &mut [f64]| {
                for (index, gradient) in gradient.iter().enumerate() {
                    let moved = |by: f64| {
                        let mut case = Case::new(shape);
                        of(&mut case)[index] += by;
                        case.forward(loss).loss
                    };
                    let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                    assert!((slope - gradient).abs() <= 1e-7, "{what}[{index}] of {shape:?}: slope {slope}, gradient {gradient}");
                }
            };
            check("left", &d_left, |case| &mut case.left);
            check("right", &d_right, |case| &mut case.right);
            check("bias", &d_head.bias, |case| &mut case.head.bias);
            check("bn_weight", &d_head.bn_weight, |case| &mut case.head.bn_weight);
            check("bn_bias", &d_head.bn_bias, |case| &mut case.head.bn_bias);
            check("w2", &d_head.w2, |case| &mut case.head.w2);
            check("b2", &[d_head.b2], |case| std::slice::from_mut(&mut case.head.b2));
        }
    }
}

#[test]
fn bits_depend_neither_on_threads_nor_on_the_instruction_set() {
    let case = Case { shifts: 2, ..Case::new((6, 19, 40)) };
    let (left, right) = (f32s(&case.left), f32s(&case.right));
    let run = |isa: Isa, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut head =
                PairHead::with_shifts(isa, case.views, case.images, case.hidden, case.shifts, &mut crate::Buffers::allocated())
                    .unwrap();
            let mut buffers = Buffers::new(&case.head);
            let (params, running, grads) = buffers.parts();
            let (mut d_left, mut d_right) = (vec![0.0; left.len()], vec![0.0; left.len()]);
            let outcome = head
                .forward_backward(case.images, &left, &right, params, running, FOCAL, &mut d_left, &mut d_right, grads)
                .unwrap();
            let bits = [d_left, d_right, buffers.d_bn_weight, buffers.d_w2, head.logits().to_vec(), buffers.mean, buffers.var]
                .map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>());
            (outcome.loss.to_bits(), bits)
        })
    };
    let expected = run(Isa::best(), 1);
    assert!(run(Isa::best(), 4) == expected, "four threads");
    for isa in Isa::available() {
        assert!(run(isa, 2) == expected, "{isa}");
    }
}

#[test]
fn closed_units_and_constant_channels_are_no_trouble() {
    let mut case = Case::new((3, 4, 8));
    // Channel 0: BatchNorm's output is 0 everywhere. Channel 1: no variance. Channel 2: negative scale.
    (case.head.bn_weight[0], case.head.bn_bias[0]) = (0.0, 0.0);
    for row in 0..12 {
        (case.left[row * 8 + 1], case.right[row * 8 + 1]) = (2.5, -0.75);
    }
    case.head.bn_weight[2] = -0.8;
    let forward = case.forward(PairLoss::Bce);
    let (d_left, d_right, d_head) = case.backward(PairLoss::Bce);
    let mut head = PairHead::new(Isa::best(), 3, 4, 8).unwrap();
    let mut buffers = Buffers::new(&case.head);
    let (params, running, grads) = buffers.parts();
    let (mut to_left, mut to_right) = (vec![f32::NAN; 96], vec![f32::NAN; 96]);
    let (left, right) = (f32s(&case.left), f32s(&case.right));
    let outcome =
        head.forward_backward(4, &left, &right, params, running, PairLoss::Bce, &mut to_left, &mut to_right, grads).unwrap();
    buffers.assert_matches(outcome, head.logits(), &case.rows(), &forward, &d_head, "degenerate channels");
    assert_close(&to_left, &d_left, TOLERANCE, "d_left");
    assert_close(&to_right, &d_right, TOLERANCE, "d_right");
}

#[test]
fn a_batch_without_pairs_is_an_error() {
    let is_shape = |error: Option<Error>| matches!(error, Some(Error::Shape { operator: "relation head", .. }));
    assert!(is_shape(PairHead::new(Isa::best(), 1, 4, 8).err()), "one view");
    assert!(is_shape(PairHead::new(Isa::best(), 2, 1, 8).err()), "one image");
    assert!(is_shape(PairHead::new(Isa::best(), 2, 4, 0).err()), "no width");
    assert!(is_shape(PairHead::with_shifts(Isa::best(), 2, 4, 8, 0, &mut crate::Buffers::counted()).err()), "no shift");
    let mut head = PairHead::new(Isa::best(), 2, 4, 8).unwrap();
    let case = Case::new((2, 2, 8));
    let mut buffers = Buffers::new(&case.head);
    let (params, ..) = buffers.parts();
    let rows = vec![0.0; 16];
    for images in [0, 1, 5] {
        let outcome = head.forward_eval(images, &rows, &rows, params, &[0.0; 8], &[1.0; 8], PairLoss::Bce);
        assert!(is_shape(outcome.err()), "{images} images");
    }
}
