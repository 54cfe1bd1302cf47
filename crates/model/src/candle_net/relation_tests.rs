use super::tests::{f64s, tensor, weighted, worst_slope};
use super::*;
use crate::Aggregation;

/// A head's tensors, of `layers` hidden layers.
fn relation_head(inputs: usize, hidden: usize, layers: usize) -> Vec<Tensor> {
    let mut shapes = Vec::new();
    for layer in 0..layers {
        shapes.extend([vec![hidden, if layer == 0 { inputs } else { hidden }], vec![hidden], vec![hidden], vec![hidden]]);
    }
    shapes.extend([vec![1, hidden], vec![1]]);
    shapes.iter().zip(50..).map(|(shape, seed)| tensor(shape, seed)).collect()
}

/// The reference's double loop, one row at a time.
fn slow_logits(
    features: &[Vec<f64>],
    images: usize,
    views: usize,
    shifts: usize,
    aggregation: Aggregation,
    head: &[Tensor],
) -> (Vec<f64>, Vec<f64>) {
    let (mut rows, mut targets, mut shift) = (Vec::new(), Vec::new(), 1);
    for i in 0..views {
        for at in 0..(views - i - 1) * shifts {
            let j = i + 1 + at / shifts;
            let second: Vec<&Vec<f64>> = (0..images).map(|b| &features[j * images + b]).collect();
            let mut rolled = second.clone();
            rolled.rotate_right(shift);
            for (second, target) in [(second, 1.0), (rolled, 0.0)] {
                for (b, c) in second.into_iter().enumerate() {
                    let a = &features[i * images + b];
                    let both = a.iter().zip(c);
                    rows.push(match aggregation {
                        Aggregation::Cat => a.iter().chain(c).copied().collect::<Vec<f64>>(),
                        Aggregation::Sum => both.map(|(a, c)| a + c).collect(),
                        Aggregation::Mean => both.map(|(a, c)| 0.5 * (a + c)).collect(),
                        Aggregation::Max => both.map(|(a, c)| a.max(*c)).collect(),
                    });
                    targets.push(target);
                }
            }
            shift += 1;
            if shift >= images {
                shift = 1;
            }
        }
    }
    let (layers, output) = head.split_at(head.len() - 2);
    for layer in layers.chunks(4) {
        let [w, b, gamma, beta] = [0, 1, 2, 3].map(|part| f64s(&layer[part]));
        let dot = |row: &[f64], c: usize| row.iter().zip(&w[c * row.len()..]).map(|(x, w)| x * w).sum::<f64>();
        let mut outputs = vec![Vec::new(); rows.len()];
        for c in 0..b.len() {
            let h: Vec<f64> = rows.iter().map(|row| b[c] + dot(row, c)).collect();
            let mean = h.iter().sum::<f64>() / h.len() as f64;
            let var = h.iter().map(|h| (h - mean).powi(2)).sum::<f64>() / h.len() as f64;
            for (output, h) in outputs.iter_mut().zip(h) {
                let u = gamma[c] * (h - mean) / (var + 1e-5).sqrt() + beta[c];
                output.push(if u > 0.0 { u } else { 0.01 * u });
            }
        }
        rows = outputs;
    }
    let (w, b) = (f64s(&output[0]), f64s(&output[1])[0]);
    let logits = rows.iter().map(|row| b + row.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>()).collect();
    (logits, targets)
}

#[test]
fn relation_rows_follow_the_reference_s_order() {
    for (images, views, shifts, width, layers) in
        [(2, 4, 1, 3, 1), (3, 5, 1, 4, 1), (5, 2, 1, 2, 2), (4, 3, 5, 3, 1), (5, 3, 2, 4, 3)]
    {
        let features = tensor(&[images * views, width], 8);
        let rows: Vec<Vec<f64>> = features.to_vec2().unwrap();
        for aggregation in Aggregation::ALL {
            let head = relation_head(aggregation.width(width), 6, layers);
            let (logits, targets) = relation_logits(&features, images, views, shifts, aggregation, &head).unwrap();
            let (expected, expected_targets) = slow_logits(&rows, images, views, shifts, aggregation, &head);
            assert_eq!(f64s(&targets), expected_targets);
            assert_eq!(expected.len(), shifts * images * views * (views - 1));
            let worst = f64s(&logits).iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-12, "{aggregation:?}, {images} images, {views} views, {layers} layers: {worst}");
        }
    }
}

#[test]
fn gradients_of_the_relation_head_match_central_differences() {
    for (aggregation, layers) in Aggregation::ALL.into_iter().flat_map(|aggregation| [(aggregation, 1), (aggregation, 2)]) {
        let head = relation_head(aggregation.width(3), 5, layers);
        let inputs: Vec<Tensor> = std::iter::once(tensor(&[12, 3], 9)).chain(head).collect();
        let worst = worst_slope(&inputs, |inputs| {
            let (logits, targets) = relation_logits(&inputs[0], 3, 4, 1, aggregation, &inputs[1..]).unwrap();
            let focal = focal_with_logits(&logits, &targets, 2.0, 0.3).unwrap();
            (bce_with_logits(&logits, &targets).unwrap() + focal).unwrap()
        });
        assert!(worst < 1e-7, "{aggregation:?}, {layers} layers: {worst}");
    }
}

#[test]
fn the_first_of_two_equal_features_takes_the_gradient_of_their_maximum() {
    let head = relation_head(1, 4, 1);
    let features = Var::from_tensor(&Tensor::new(&[[3.0_f64], [3.0], [3.0], [-1.0]], &Device::Cpu).unwrap()).unwrap();
    let (logits, _) = relation_logits(&features, 2, 2, 1, Aggregation::Max, &head).unwrap();
    let gradients = weighted(&logits).backward().unwrap();
    let gradient = f64s(gradients.get(&features).unwrap());
    assert_eq!(gradient[2..], [0.0, 0.0], "the second view is nowhere larger");
    assert!(gradient[0] != 0.0 && gradient[1] != 0.0);
}

#[test]
fn one_image_has_no_negative_and_is_refused() {
    let head = relation_head(6, 5, 1);
    let features = tensor(&[4, 3], 9);
    for (images, views, shifts) in [(1, 4, 1), (4, 1, 1), (2, 3, 1), (2, 2, 0)] {
        let refused = relation_logits(&features, images, views, shifts, Aggregation::Cat, &head);
        assert!(matches!(refused, Err(Error::Size { .. })), "{images} images, {views} views, {shifts} shifts");
    }
    for part in [&head[..5], &head[..2], &head[1..]] {
        let refused = relation_logits(&features, 2, 2, 1, Aggregation::Cat, part);
        assert!(matches!(refused, Err(Error::Size { what: "relation head", .. })), "{} tensors", part.len());
    }
}

#[test]
fn losses_and_their_gradients_stay_finite_and_right_far_out() {
    let logits = [-1e4_f32, -100.0, -3.0, 0.0, 0.0, 3.0, 100.0, 1e4];
    for right in [true, false] {
        let targets: Vec<f32> = logits.iter().map(|z| f32::from((*z > 0.0) == right)).collect();
        let targets_tensor = Tensor::new(targets.as_slice(), &Device::Cpu).unwrap();
        let loss = |gamma: Option<f64>| {
            let result = seam::loss_and_gradient(&logits, 8, 1, &Device::Cpu, |z| {
                let z = z.flatten_all()?;
                match gamma {
                    None => bce_with_logits(&z, &targets_tensor),
                    Some(gamma) => focal_with_logits(&z, &targets_tensor, gamma, 0.25),
                }
            });
            result.unwrap()
        };
        let (bce, gradient) = loss(None);
        let mut expected = 0.0;
        for ((z, t), found) in logits.iter().zip(&targets).zip(gradient) {
            let (z, t) = (f64::from(*z), f64::from(*t));
            expected += z.max(0.0) - z * t + (-z.abs()).exp().ln_1p();
            let slope = 1.0 / (1.0 + (-z).exp()) - t;
            assert!((f64::from(found) - slope / 8.0).abs() < 1e-7, "logit {z}: {found}, expected {}", slope / 8.0);
        }
        assert!((f64::from(bce) - expected / 8.0).abs() < 1e-6 * expected.max(1.0));
        for gamma in [0.5, 2.0] {
            let (focal, gradient) = loss(Some(gamma));
            let weigh = |(z, t): (&f32, &f32)| {
                let (z, t) = (f64::from(*z), f64::from(*t));
                let wrong = if t == 1.0 { 1.0 / (1.0 + z.exp()) } else { 1.0 / (1.0 + (-z).exp()) };
                let alpha = if t == 1.0 { 0.25 } else { 0.75 };
                alpha * wrong.powf(gamma) * (z.max(0.0) - z * t + (-z.abs()).exp().ln_1p())
            };
            let expected: f64 = logits.iter().zip(&targets).map(weigh).sum::<f64>() / 8.0;
            assert!(
                (f64::from(focal) - expected).abs() < 1e-6 * expected.max(1.0),
                "gamma {gamma}: {focal}, expected {expected}"
            );
            assert!(gradient.iter().all(|slope| slope.is_finite()), "gamma {gamma}: {gradient:?}");
        }
    }
}
