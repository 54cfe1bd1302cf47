use super::*;
use crate::backbones::{CONV4, RESNET8, RESNET18};
use crate::{BACKBONES, BackboneKind, Stem};
use relata_ops::ConvSpec;

/// Central differences in f64 with a step of 1e-6 are good to about 1e-8 of a loss of order 1; kinks that the step
/// crosses and deep nets take more.
const DIFFERENCE_TOLERANCE: f64 = 1e-5;
/// f32 arithmetic through tens of layers.
const F32_TOLERANCE: f32 = 2e-4;

/// Numbers in (−1, 1) without a pattern, the same everywhere.
fn numbers(count: usize, salt: u64) -> Vec<f64> {
    let hash = |index: u64| {
        let mut x = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..count as u64).map(hash).collect()
}

pub(super) fn tensor(shape: &[usize], salt: u64) -> Tensor {
    Tensor::from_vec(numbers(shape.iter().product(), salt), shape, &Device::Cpu).unwrap()
}

fn images(rows: usize, height: usize, width: usize) -> Vec<f32> {
    numbers(rows * height * width * 3, 77).into_iter().map(|v| v as f32).collect()
}

fn network(kind: BackboneKind, stem: Stem) -> CandleNetwork {
    let architecture = Architecture::new(kind, stem);
    let mut parameters = architecture.parameters();
    parameters.initialise(5, 0);
    CandleNetwork::new(architecture, parameters, &Device::Cpu).unwrap()
}

pub(super) fn f64s(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn number(tensor: &Tensor) -> f64 {
    f64s(tensor)[0]
}

/// Worst difference of the gradient of `f` at `inputs` from central differences, one direction an input, relative to the
/// larger of 1 and the slope.
pub(super) fn worst_slope(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) -> f64 {
    let variables: Vec<Var> = inputs.iter().map(|input| Var::from_tensor(input).unwrap()).collect();
    let tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let gradients = f(&tensors).backward().unwrap();
    let step = 1e-6;
    let slope = |index: usize| {
        let direction = tensor(inputs[index].dims(), 1000 + index as u64);
        let along = number(&(gradients.get(&variables[index]).unwrap() * &direction).unwrap().sum_all().unwrap());
        let at = |sign: f64| {
            let mut moved = inputs.to_vec();
            moved[index] = (&moved[index] + (&direction * (sign * step)).unwrap()).unwrap();
            number(&f(&moved))
        };
        let measured = (at(1.0) - at(-1.0)) / (2.0 * step);
        (along - measured).abs() / measured.abs().max(1.0)
    };
    (0..inputs.len()).map(slope).fold(0.0, f64::max)
}

/// A number that depends on every output, each with its own weight.
pub(super) fn weighted(output: &Tensor) -> Tensor {
    (output * tensor(output.dims(), 31)).unwrap().sum_all().unwrap()
}

fn whole_net_slope(kind: BackboneKind, stem: Stem, rows: usize, height: usize, width: usize) -> f64 {
    let net = network(kind, stem);
    let images = Tensor::from_vec(images(rows, height, width), (rows, height, width, 3), &Device::Cpu).unwrap();
    let images = expressions::nchw_from_nhwc(&images, DType::F64).unwrap();
    worst_slope(&net.leaves(DType::F64).unwrap(), |leaves| weighted(&net.run(&images, leaves, Mode::Train).unwrap().features))
}

#[test]
fn gradients_of_conv4_match_central_differences_on_a_non_square_image() {
    assert!(whole_net_slope(CONV4, Stem::Imagenet, 3, 9, 13) < DIFFERENCE_TOLERANCE);
}

#[test]
fn gradients_through_features_and_taps_together_match_central_differences() {
    for (kind, taps) in [(CONV4, ["layer1.bn", "layer3.bn"]), (RESNET8, ["bn1", "layer2.0.bn2"])] {
        let mut net = network(kind, Stem::Imagenet);
        net.set_taps(&taps.map(str::to_owned)).unwrap();
        let images = Tensor::from_vec(images(2, 9, 10), (2, 9, 10, 3), &Device::Cpu).unwrap();
        let images = expressions::nchw_from_nhwc(&images, DType::F64).unwrap();
        let worst = worst_slope(&net.leaves(DType::F64).unwrap(), |leaves| {
            let ForwardResult { features, taps, .. } = net.run(&images, leaves, Mode::Train).unwrap();
            // Means, so that no part drowns the others.
            let part = |values: &Tensor| (weighted(values) / values.elem_count() as f64).unwrap();
            taps.iter().fold(part(&features), |sum, tap| (sum + part(tap)).unwrap())
        });
        assert!(worst < DIFFERENCE_TOLERANCE, "{kind:?}: {worst}");
    }
}

#[test]
fn gradients_of_resnet8_match_central_differences_on_odd_and_even_sides() {
    for (height, width) in [(8, 8), (7, 7), (6, 9)] {
        let worst = whole_net_slope(RESNET8, Stem::Imagenet, 2, height, width);
        assert!(worst < DIFFERENCE_TOLERANCE, "{height} x {width}: {worst}");
    }
}

#[test]
fn gradients_of_a_strided_convolution_match_central_differences() {
    for (kernel, height, width) in [(3, 5, 6), (3, 6, 5), (3, 8, 8), (1, 6, 7), (1, 5, 5), (7, 10, 13), (7, 9, 9)] {
        let spec = ConvSpec { channels_in: 2, channels_out: 3, kernel, stride: 2, padding: kernel / 2 };
        let inputs = [tensor(&[2, 2, height, width], 1), tensor(&[3, 2, kernel, kernel], 2)];
        let worst = worst_slope(&inputs, |inputs| weighted(&expressions::conv(&inputs[0], &inputs[1], spec).unwrap()));
        assert!(worst < 1e-7, "kernel {kernel}, {height} x {width}: {worst}");
    }
}

/// If this fails, candle has learned it and `layers` may take the straight way.
#[test]
fn candle_s_own_gradients_still_need_going_around() {
    let slopes = |f: &dyn Fn(&Tensor) -> candle_core::Result<Tensor>, input: &Tensor| {
        let input = Var::from_tensor(input).unwrap();
        let gradients = f(input.as_tensor())?.sum_all()?.backward()?;
        candle_core::Result::Ok(f64s(gradients.get(&input).unwrap()))
    };
    let weight = tensor(&[1, 1, 3, 3], 2);
    assert!(slopes(&|x| x.conv2d(&weight, 1, 2, 1, 1), &tensor(&[1, 1, 5, 6], 1)).is_err(), "unequal parity");
    assert!(slopes(&|x| x.max_pool2d_with_stride(3, 2), &tensor(&[1, 1, 5, 5], 1)).is_err(), "overlapping windows");
    let average = slopes(&|x| x.avg_pool2d(2), &tensor(&[1, 1, 3, 2], 1)).unwrap_or_default();
    assert_ne!(average, [0.25, 0.25, 0.25, 0.25, 0.0, 0.0], "the last row is in no window");
    let zero = Tensor::zeros(1, DType::F64, &Device::Cpu).unwrap();
    assert_eq!(slopes(&|x| x.relu(), &zero).unwrap(), [1.0], "PyTorch: 0");
    assert_eq!(slopes(&|x| x.maximum(&zero), &zero).unwrap(), [0.5], "torch.max over a stack: 1");
}

#[test]
fn convolution_matches_its_definition() {
    for (kernel, height, width) in [(3, 5, 6), (7, 6, 9), (1, 4, 5)] {
        let spec = ConvSpec { channels_in: 2, channels_out: 3, kernel, stride: 2, padding: kernel / 2 };
        let (input, weight) = (tensor(&[1, 2, height, width], 1), tensor(&[3, 2, kernel, kernel], 2));
        let output = expressions::conv(&input, &weight, spec).unwrap();
        let (rows, columns) = (spec.output_side(height).unwrap(), spec.output_side(width).unwrap());
        assert_eq!(output.dims(), [1, 3, rows, columns]);
        let (input, weight, output) = (f64s(&input), f64s(&weight), f64s(&output));
        for (at, found) in output.iter().enumerate() {
            let (o, y, x) = (at / (rows * columns), at / columns % rows, at % columns);
            let mut expected = 0.0;
            for (tap, w) in weight[o * 2 * kernel * kernel..(o + 1) * 2 * kernel * kernel].iter().enumerate() {
                let (c, ky, kx) = (tap / (kernel * kernel), tap / kernel % kernel, tap % kernel);
                let (row, column) = (2 * y + ky, 2 * x + kx);
                let inside = |at: usize, side: usize| (spec.padding..side + spec.padding).contains(&at);
                if inside(row, height) && inside(column, width) {
                    expected += w * input[(c * height + row - spec.padding) * width + column - spec.padding];
                }
            }
            assert!((found - expected).abs() < 1e-12, "kernel {kernel}, output {at}: {found}, expected {expected}");
        }
    }
}

#[test]
fn pools_match_their_definitions_and_central_differences_on_odd_sides() {
    for (height, width) in [(5, 7), (4, 6), (1, 2), (7, 4)] {
        let input = tensor(&[1, 2, height, width], 3);
        let values = f64s(&input);
        let output = expressions::max_pool_3_2(&input).unwrap();
        let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
        assert_eq!(output.dims(), [1, 2, rows, columns]);
        for (at, found) in f64s(&output).into_iter().enumerate() {
            let (c, y, x) = (at / (rows * columns), at / columns % rows, at % columns);
            let near = |centre: usize, side: usize| (2 * centre).saturating_sub(1)..(2 * centre + 2).min(side);
            let window = near(y, height).flat_map(|row| near(x, width).map(move |column| (c * height + row) * width + column));
            assert_eq!(found, window.map(|pixel| values[pixel]).fold(f64::MIN, f64::max));
        }
        let worst = worst_slope(&[input], |inputs| weighted(&expressions::max_pool_3_2(&inputs[0]).unwrap()));
        assert!(worst < 1e-7, "maximum, {height} x {width}: {worst}");
    }
    for (height, width) in [(5, 7), (4, 6), (2, 3)] {
        let input = tensor(&[2, 2, height, width], 3);
        let output = expressions::average_pool_2(&input).unwrap();
        assert_eq!(output.dims(), [2, 2, height / 2, width / 2]);
        let values = f64s(&input);
        assert!((f64s(&output)[0] - (values[0] + values[1] + values[width] + values[width + 1]) / 4.0).abs() < 1e-12);
        let worst = worst_slope(&[input], |inputs| weighted(&expressions::average_pool_2(&inputs[0]).unwrap()));
        assert!(worst < 1e-7, "average, {height} x {width}: {worst}");
    }
}

#[test]
fn max_pool_gives_the_gradient_to_the_first_of_equals() {
    let input = Var::from_tensor(&Tensor::zeros((1, 1, 2, 2), DType::F64, &Device::Cpu).unwrap()).unwrap();
    let gradients = expressions::max_pool_3_2(input.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
    assert_eq!(f64s(gradients.get(&input).unwrap()), [1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn relu_has_no_slope_at_zero() {
    let input = Var::from_tensor(&Tensor::new(&[-1.0_f64, 0.0, 2.0], &Device::Cpu).unwrap()).unwrap();
    for (slope, expected) in [(0.0, [0.0, 0.0, 1.0]), (0.25, [0.25, 0.25, 1.0])] {
        let output = if slope == 0.0 { expressions::relu(&input) } else { expressions::leaky_relu(&input, slope) };
        let gradients = output.unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(f64s(gradients.get(&input).unwrap()), expected);
    }
}

#[test]
fn backward_fills_the_gradients_in_the_native_layout() {
    let mut net = network(RESNET8, Stem::Imagenet);
    let data = images(2, 6, 6);
    let batch = Images::new(&data, 2, 6, 6).unwrap();
    let width = net.architecture().width;
    let d_features: Vec<f32> = numbers(2 * width, 31).into_iter().map(|v| v as f32).collect();
    net.forward(batch, Mode::Train).unwrap();
    net.backward(&d_features).unwrap();
    let gradients: Vec<f32> = net.parameters().gradients().to_vec();
    let exact = {
        let batch = Tensor::from_slice(&data, (2, 6, 6, 3), &Device::Cpu).unwrap();
        let batch = expressions::nchw_from_nhwc(&batch, DType::F64).unwrap();
        let variables: Vec<Var> = net.leaves(DType::F64).unwrap().iter().map(|leaf| Var::from_tensor(leaf).unwrap()).collect();
        let leaves: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        let loss = weighted(&net.run(&batch, &leaves, Mode::Train).unwrap().features);
        let gradients = loss.backward().unwrap();
        variables.iter().flat_map(|variable| f64s(gradients.get(variable).unwrap())).collect::<Vec<_>>()
    };
    let largest = exact.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let worst = gradients.iter().zip(&exact).map(|(gradient, exact)| (f64::from(*gradient) - exact).abs()).fold(0.0, f64::max);
    assert!(largest > 0.1 && worst < f64::from(F32_TOLERANCE) * largest, "worst {worst} of {largest}");
    // One weight by hand: conv1's native [ky, kx, c, o] = [0, 2, 1, 5] moves the loss as its gradient says.
    let (index, step) = ((2 * 3 + 1) * 16 + 5, 1e-3_f32);
    let mut loss_at = |moved: f32| {
        net.parameters_mut().values_mut()[index] += moved;
        let features = net.forward(batch, Mode::Train).unwrap().to_vec();
        net.parameters_mut().values_mut()[index] -= moved;
        features.iter().zip(&d_features).map(|(f, d)| f64::from(f * d)).sum::<f64>()
    };
    let measured = (loss_at(step) - loss_at(-step)) / f64::from(2.0 * step);
    assert!(
        (measured - f64::from(gradients[index])).abs() < 0.02 * measured.abs().max(0.5),
        "{measured} but {}",
        gradients[index]
    );
}

#[test]
fn running_statistics_follow_the_unbiased_batch() {
    let mut net = network(CONV4, Stem::Imagenet);
    let data = images(2, 9, 11);
    let batch = Images::new(&data, 2, 9, 11).unwrap();
    net.parameters_mut().norms_mut()[0].mean.fill(0.5);
    net.forward(batch, Mode::Train).unwrap();
    let nchw = Tensor::from_slice(&data, (2, 9, 11, 3), &Device::Cpu).unwrap();
    let nchw = expressions::nchw_from_nhwc(&nchw, DType::F64).unwrap();
    let weight = net.leaves(DType::F64).unwrap()[0].permute((3, 2, 0, 1)).unwrap().contiguous().unwrap();
    let maps = nchw.conv2d(&weight, 1, 1, 1, 1).unwrap();
    for channel in 0..8 {
        let values = f64s(&maps.narrow(1, channel, 1).unwrap());
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let norm = &net.parameters().norms()[0];
        assert!((f64::from(norm.mean[channel]) - (0.9 * 0.5 + 0.1 * mean)).abs() < 1e-6);
        assert!((f64::from(norm.var[channel]) - (0.9 + 0.1 * var)).abs() < 1e-6);
    }
    assert_eq!(net.parameters().batches_tracked(), 1);
    let before = net.parameters().clone();
    net.forward(batch, Mode::Eval).unwrap();
    assert_eq!(net.parameters(), &before, "evaluation changes nothing");
}

#[test]
fn evaluation_equals_training_once_the_running_statistics_are_the_batch_s() {
    let mut net = network(RESNET18, Stem::Imagenet);
    let data = images(4, 33, 40);
    let batch = Images::new(&data, 4, 33, 40).unwrap();
    let trained = net.forward(batch, Mode::Train).unwrap().to_vec();
    let fresh = net.architecture().parameters().norms().to_vec();
    // Steps of 0.1 from 0 and 1: take the batch's own statistics back out, its variance biased again.
    let counts = [4 * 17 * 20, 4 * 9 * 10, 4 * 5 * 5, 4 * 3 * 3, 4 * 2 * 2];
    for (norm, start) in net.parameters_mut().norms_mut().iter_mut().zip(&fresh) {
        let stage = norm.name.strip_prefix("layer").map_or(0, |rest| rest[..1].parse().unwrap());
        let count = counts[stage] as f32;
        norm.mean.iter_mut().for_each(|mean| *mean *= 10.0);
        norm.var.iter_mut().zip(&start.var).for_each(|(var, start)| *var = (10.0 * *var - 9.0 * start) * (count - 1.0) / count);
    }
    let evaluated = net.forward(batch, Mode::Eval).unwrap();
    let worst = trained.iter().zip(evaluated).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let largest = trained.iter().copied().fold(0.0, f32::max);
    assert!(largest > 0.5 && worst < 5e-3 * largest, "worst {worst} of {largest}");
}

#[test]
fn every_backbone_runs_and_learns_nothing_unasked() {
    for &kind in BACKBONES {
        for stem in [Stem::Imagenet, Stem::Cifar] {
            let mut net = network(kind, stem);
            let data = images(1, 8, 10);
            let features = net.forward(Images::new(&data, 1, 8, 10).unwrap(), Mode::Eval).unwrap();
            assert_eq!(features.len(), net.architecture().width);
            assert!(net.forward(Images::new(&data, 1, 8, 10).unwrap(), Mode::Eval).unwrap().iter().all(|f| f.is_finite()));
        }
    }
}

#[test]
fn misuse_is_an_error_with_a_name() {
    let mut net = network(CONV4, Stem::Imagenet);
    let data = images(2, 9, 9);
    let batch = Images::new(&data, 2, 9, 9).unwrap();
    assert!(matches!(net.backward(&[0.0; 128]), Err(Error::NoForward)));
    net.forward(batch, Mode::Train).unwrap();
    assert!(matches!(net.backward(&[0.0; 127]), Err(Error::Size { .. })));
    net.forward(batch, Mode::Train).unwrap();
    net.backward(&[0.0; 128]).unwrap();
    assert!(matches!(net.backward(&[0.0; 128]), Err(Error::NoForward)), "used up");
    net.forward(batch, Mode::Train).unwrap();
    net.forward(batch, Mode::Eval).unwrap();
    assert!(matches!(net.backward(&[0.0; 128]), Err(Error::NoForward)), "the last pass did not learn");
    let small = images(2, 7, 9);
    assert!(matches!(net.forward(Images::new(&small, 2, 7, 9).unwrap(), Mode::Eval), Err(Error::Size { .. })));
    let other = Architecture::new(RESNET8, Stem::Imagenet);
    let parameters = net.into_parameters();
    assert!(matches!(CandleNetwork::new(other, parameters, &Device::Cpu), Err(Error::MissingTensor { .. })));
}

#[test]
fn the_seam_gives_a_head_its_gradients_too() {
    let weight = Var::from_tensor(&Tensor::new(&[[2.0_f32], [3.0]], &Device::Cpu).unwrap()).unwrap();
    let idle = Var::zeros(2, DType::F32, &Device::Cpu).unwrap();
    let variables = [weight.clone(), idle];
    let f = |features: &Tensor| features.matmul(weight.as_tensor())?.sum_all();
    let (loss, d_features, others) = seam::loss_and_gradients(&[1.0, 4.0, 5.0, 6.0], 2, 2, &Device::Cpu, &variables, f).unwrap();
    assert_eq!((loss, d_features), (42.0, vec![2.0, 3.0, 2.0, 3.0]));
    assert_eq!(others, [vec![6.0, 10.0], vec![0.0, 0.0]]);
    let many = seam::loss_and_gradient(&[1.0, 2.0], 1, 2, &Device::Cpu, |features| Ok(features.clone()));
    assert!(matches!(many, Err(Error::Size { what: "loss", .. })));
}
