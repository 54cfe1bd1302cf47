use super::{Algorithm, Conv2d, ConvSpec, reference};
use crate::simd::worth_streaming;
use crate::test_support::{assert_close, f32s, noise};
use crate::{Buffer, Error, Isa, Layout, chunk_count};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Relative to the largest entry: sums of up to some thousand products, each rounded to f32.
const TOLERANCE: f64 = 3e-6;

fn spec(channels_in: usize, channels_out: usize, kernel: usize, stride: usize) -> ConvSpec {
    ConvSpec { channels_in, channels_out, kernel, stride, padding: kernel / 2 }
}

/// (layer, images, height, width): the nets' own layers, and awkward ones.
fn cases() -> Vec<(ConvSpec, usize, usize, usize)> {
    vec![
        (spec(3, 8, 3, 1), 3, 9, 13),
        (spec(8, 16, 3, 1), 2, 8, 16),
        (spec(16, 16, 3, 1), 2, 7, 11),
        (spec(32, 64, 3, 1), 2, 4, 5),
        (spec(16, 32, 3, 2), 2, 8, 10),
        (spec(16, 32, 3, 2), 1, 7, 9),
        (spec(16, 32, 1, 2), 2, 8, 7),
        (spec(64, 128, 1, 2), 1, 5, 6),
        (spec(128, 64, 3, 1), 1, 3, 2),
        (spec(48, 80, 3, 1), 3, 5, 6),
        (spec(64, 32, 3, 1), 67, 3, 3),
        (spec(16, 128, 3, 1), 2, 1, 1),
        (spec(32, 16, 3, 1), 1, 18, 33),
        (spec(64, 128, 3, 2), 1, 7, 6),
        (spec(32, 64, 1, 2), 2, 5, 8),
        (spec(256, 512, 3, 2), 1, 4, 3),
        (spec(512, 512, 3, 1), 2, 3, 3),
        (spec(3, 64, 7, 2), 1, 15, 12),
        (spec(5, 7, 3, 1), 70, 1, 1),
        (spec(5, 70, 3, 2), 2, 3, 4),
        (spec(1, 1, 1, 1), 1, 1, 3),
        (spec(9, 17, 7, 1), 1, 8, 9),
        (spec(4, 9, 3, 3), 1, 10, 8),
        // Outputs three and two pixels wide, whose rows go in pairs, of an odd number.
        (spec(256, 512, 3, 2), 9, 6, 6),
        (spec(24, 40, 3, 2), 2, 5, 4),
        (spec(64, 16, 1, 1), 2, 3, 3),
        // Even kernels, other paddings than half of the kernel, strides beyond it.
        (ConvSpec { padding: 0, ..spec(16, 32, 2, 2) }, 2, 6, 9),
        (ConvSpec { padding: 1, ..spec(6, 12, 2, 1) }, 2, 5, 4),
        (ConvSpec { padding: 0, ..spec(16, 48, 3, 1) }, 2, 7, 6),
        (ConvSpec { padding: 2, ..spec(16, 32, 3, 1) }, 2, 5, 6),
        (ConvSpec { padding: 0, ..spec(8, 16, 1, 4) }, 2, 9, 7),
        // Shortcuts of so many channels that narrow blocks gather their input, of one group of images and of several.
        (spec(64, 136, 1, 1), 3, 6, 7),
        (spec(128, 256, 1, 2), 40, 5, 6),
        (spec(256, 512, 1, 2), 25, 6, 6),
    ]
}

/// Dense images into a layout with a halo of zeros.
fn with_halo(dense: &[f64], layout: Layout, n: usize) -> Vec<f32> {
    let mut out = vec![0.0; n * layout.image_len()];
    let row = layout.width * layout.channels;
    for image in 0..n {
        for y in 0..layout.height {
            let to = &mut out[image * layout.image_len()..][layout.row(y)];
            for (to, from) in to.iter_mut().zip(&dense[(image * layout.height + y) * row..]) {
                *to = *from as f32;
            }
        }
    }
    out
}

fn without_halo(padded: &[f32], layout: Layout, n: usize) -> Vec<f32> {
    (0..n)
        .flat_map(|image| (0..layout.height).map(move |y| (image, y)))
        .flat_map(|(image, y)| padded[image * layout.image_len()..][layout.row(y)].to_vec())
        .collect()
}

struct Case {
    layer: Conv2d,
    n: usize,
    sides: (usize, usize),
    input: Vec<f64>,
    weights: Vec<f64>,
    d_output: Vec<f64>,
}

fn each_case(check: impl Fn(&Case)) {
    for isa in Isa::available() {
        for (spec, n, h, w) in cases() {
            let input_layout = Layout { height: h, width: w, channels: spec.channels_in, halo: spec.padding.max(1) };
            let halo = Conv2d::gradient_halo(spec, input_layout);
            let layer = Conv2d::new(isa, spec, input_layout, halo).unwrap();
            let input = noise("input", n * input_layout.pixels() * spec.channels_in);
            let weights = noise("weights", spec.weight_len());
            let d_output = noise("d_output", n * layer.output().pixels() * spec.channels_out);
            check(&Case { layer, n, sides: (h, w), input, weights, d_output });
        }
    }
}

#[test]
fn forward_matches_the_definition_and_its_sums() {
    each_case(|case| {
        let Case { layer, n, .. } = case;
        let spec = layer.spec();
        let mut packed = vec![f32::NAN; layer.forward_packed_len()];
        layer.pack_forward(&f32s(&case.weights), &mut packed);
        let mut output = vec![0.0; n * layer.output().image_len()];
        let mut sums = vec![f64::NAN; chunk_count(*n) * 2 * spec.channels_out];
        layer.forward(*n, &with_halo(&case.input, layer.input(), *n), &packed, &mut output, Some(&mut sums));
        let expected = reference::forward(spec, *n, case.sides, &case.input, &case.weights);
        assert_close(&without_halo(&output, layer.output(), *n), &expected, TOLERANCE, &format!("{spec:?}"));
        let inner: f64 = without_halo(&output, layer.output(), *n).iter().map(|x| f64::from(x.abs())).sum();
        let all: f64 = output.iter().map(|x| f64::from(x.abs())).sum();
        assert!((inner - all).abs() <= 1e-9 * all, "the halo was written: {spec:?}");
        for channel in 0..spec.channels_out {
            let of = |power: i32| expected.iter().skip(channel).step_by(spec.channels_out).map(|x| x.powi(power)).sum::<f64>();
            let got = |row: usize| sums.chunks(2 * spec.channels_out).map(|s| s[row * spec.channels_out + channel]).sum::<f64>();
            assert!((got(0) - of(1)).abs() <= 1e-5 * (1.0 + of(2)), "sum of channel {channel}: {spec:?}");
            assert!((got(1) - of(2)).abs() <= 1e-5 * (1.0 + of(2)), "squares of channel {channel}: {spec:?}");
        }
    });
}

#[test]
fn data_gradient_matches_the_definition_and_accumulates() {
    each_case(|case| {
        let Case { layer, n, .. } = case;
        let spec = layer.spec();
        let mut packed = vec![f32::NAN; layer.backward_packed_len()];
        layer.pack_backward(&f32s(&case.weights), &mut packed);
        let d_output = with_halo(&case.d_output, layer.output(), *n);
        let expected = reference::data_gradient(spec, *n, case.sides, &case.d_output, &case.weights);
        let mut d_input = vec![f32::NAN; expected.len()];
        layer.data_gradient(*n, &d_output, &packed, &mut d_input, false);
        assert_close(&d_input, &expected, TOLERANCE, &format!("{spec:?}"));
        layer.data_gradient(*n, &d_output, &packed, &mut d_input, true);
        let twice: Vec<f64> = expected.iter().map(|x| 2.0 * x).collect();
        assert_close(&d_input, &twice, TOLERANCE, &format!("accumulated {spec:?}"));
    });
}

#[test]
fn weight_gradient_matches_the_definition() {
    each_case(|case| {
        let Case { layer, n, .. } = case;
        let spec = layer.spec();
        let mut workspace = vec![f32::NAN; layer.gradient_workspace_len(*n)];
        let mut d_weights = vec![f32::NAN; spec.weight_len()];
        let input = with_halo(&case.input, layer.input(), *n);
        let d_output = with_halo(&case.d_output, layer.output(), *n);
        layer.weight_gradient(*n, &input, &d_output, &mut workspace, &mut d_weights);
        let expected = reference::weight_gradient(spec, *n, case.sides, &case.input, &case.d_output);
        assert_close(&d_weights, &expected, TOLERANCE, &format!("{spec:?}"));
    });
}

#[test]
fn thread_count_does_not_change_a_bit() {
    // The direct form and Winograd's, in many pieces of the batch and, where the weights are large, in few.
    for (spec, n, height, width) in [
        (spec(8, 16, 3, 1), 67, 6, 5),
        (spec(16, 32, 3, 1), 67, 6, 5),
        (spec(256, 256, 3, 1), 9, 3, 2),
        (spec(256, 512, 3, 2), 9, 3, 3),
    ] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let layout = Layout { height, width, channels: spec.channels_in, halo: 1 };
                let layer = Conv2d::new(Isa::best(), spec, layout, 1).unwrap();
                let input = with_halo(&noise("input", n * layout.pixels() * layout.channels), layout, n);
                let out = layer.output();
                let mut d_output = with_halo(&noise("d_output", n * out.pixels() * out.channels), out, n);
                let weights = f32s(&noise("weights", spec.weight_len()));
                let mut packed = vec![0.0; layer.forward_packed_len()];
                layer.pack_forward(&weights, &mut packed);
                let mut output = vec![0.0; n * out.image_len()];
                let mut sums = vec![0.0; chunk_count(n) * 2 * out.channels];
                layer.forward(n, &input, &packed, &mut output, Some(&mut sums));
                let mut packed = vec![0.0; layer.backward_packed_len()];
                layer.pack_backward(&weights, &mut packed);
                let mut d_input = vec![0.0; n * layout.pixels() * layout.channels];
                layer.data_gradient(n, &d_output, &packed, &mut d_input, false);
                let mut workspace = vec![0.0; layer.gradient_workspace_len(n)];
                let mut d_weights = vec![0.0; spec.weight_len()];
                layer.weight_gradient(n, &input, &d_output, &mut workspace, &mut d_weights);
                let (mut d_input_at_once, mut d_weights_at_once) = (d_input.clone(), d_weights.clone());
                let to = Some((&mut d_input_at_once[..], true));
                layer.backward(n, &input, &mut d_output, |_, _| {}, &packed, to, &mut workspace, &mut d_weights_at_once);
                (output, sums, d_input, d_weights, d_input_at_once, d_weights_at_once)
            })
        };
        assert!(run(1) == run(4), "{spec:?}");
    }
}

#[test]
fn large_results_are_the_same_bits_as_small_ones_though_stores_are_non_temporal() {
    // Winograd's form, the direct one, and blocks that are not filled.
    for (spec, n, height, width) in
        [(spec(16, 16, 3, 1), 66, 32, 32), (spec(16, 32, 1, 2), 130, 32, 32), (spec(16, 48, 3, 2), 84, 31, 33)]
    {
        for isa in Isa::available() {
            let layout = Layout { height, width, channels: spec.channels_in, halo: spec.padding };
            let layer = Conv2d::new(isa, spec, layout, 1).unwrap();
            let (in_len, out_len) = (layout.image_len(), layer.output().image_len());
            let d_in_len = layout.pixels() * layout.channels;
            let input = with_halo(&noise("input", n * d_in_len), layout, n);
            let out = layer.output();
            let d_output = with_halo(&noise("d_output", n * out.pixels() * out.channels), out, n);
            let weights = f32s(&noise("weights", spec.weight_len()));
            let mut packed = vec![0.0; layer.forward_packed_len()];
            layer.pack_forward(&weights, &mut packed);
            let mut packed_backward = vec![0.0; layer.backward_packed_len()];
            layer.pack_backward(&weights, &mut packed_backward);

            let (mut output, mut d_input) = (Buffer::zeros(n * out_len), Buffer::zeros(n * d_in_len));
            let non_temporal = |results: &[f32], channels| worth_streaming(results, channels) || !cfg!(target_arch = "x86_64");
            assert!(
                non_temporal(&output, out.channels) && non_temporal(&d_input, layout.channels),
                "this test must be of large results"
            );
            layer.forward(n, &input, &packed, &mut output, None);
            layer.data_gradient(n, &d_output, &packed_backward, &mut d_input, false);

            let (mut one, mut d_one) = (vec![0.0; out_len], vec![0.0; d_in_len]);
            for at in 0..n {
                layer.forward(1, &input[at * in_len..], &packed, &mut one, None);
                assert!(one == output[at * out_len..][..out_len], "{spec:?} by {isa}: image {at}");
                layer.data_gradient(1, &d_output[at * out_len..], &packed_backward, &mut d_one, false);
                assert!(d_one == d_input[at * d_in_len..][..d_in_len], "{spec:?} by {isa}: gradient of image {at}");
            }

            // Off a cache line's border stores are ordinary ones.
            let mut shifted = Buffer::zeros(n * out_len + 1);
            layer.forward(n, &input, &packed, &mut shifted[1..], None);
            assert!(shifted[1..] == output[..], "{spec:?} by {isa}: off a line's border");
        }
    }
}

#[test]
#[should_panic(expected = "halo of a convolution's output gradient")]
fn a_gradient_without_its_halo_is_never_read() {
    let layout = Layout { height: 4, width: 4, channels: 3, halo: 1 };
    let layer = Conv2d::new(Isa::best(), spec(3, 8, 3, 1), layout, 0).unwrap();
    let mut d_input = vec![0.0; 48];
    layer.data_gradient(1, &[0.0; 128], &vec![0.0; layer.backward_packed_len()], &mut d_input, false);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let new = |spec: ConvSpec, layout: Layout| Conv2d::new(Isa::best(), spec, layout, 1).err();
    let layout = Layout { height: 4, width: 4, channels: 3, halo: 1 };
    let is_shape = |error: Option<Error>| matches!(error, Some(Error::Shape { operator: "convolution", .. }));
    assert!(is_shape(new(spec(4, 8, 3, 1), layout)), "channels differ");
    assert!(is_shape(new(spec(3, 8, 7, 1), layout)), "halo narrower than the padding");
    assert!(is_shape(new(ConvSpec { padding: 0, ..spec(3, 8, 5, 1) }, layout)), "kernel larger than the image");
    assert!(is_shape(new(ConvSpec { stride: 0, ..spec(3, 8, 3, 1) }, layout)), "stride of zero");
    assert!(is_shape(new(ConvSpec { kernel: 0, ..spec(3, 8, 3, 1) }, layout)), "kernel of zero");
    assert!(is_shape(new(spec(3, 0, 3, 1), layout)), "no channels");
    assert!(is_shape(new(spec(3, 8, 1, 1), Layout { height: 0, ..layout })), "no pixels");
    assert!(is_shape(new(spec(3, usize::MAX / 16, 3, 1), layout)), "more weights than can be addressed");
    // A stride whose products wrap would have gradients read anywhere.
    for stride in [(1 << 63) + 1, usize::MAX, 1 << 60] {
        assert!(is_shape(new(spec(3, 8, 3, stride), layout)), "stride of {stride}");
        assert_eq!(Conv2d::gradient_halo(ConvSpec { stride: 0, ..spec(3, 8, 3, 1) }, layout), 0);
    }
}

/// The root mean square distance from f64, relative to the root mean square of what is computed.
fn distance(actual: &[f32], expected: &[f64]) -> f64 {
    let squares: f64 = expected.iter().map(|e| e * e).sum();
    let off: f64 = actual.iter().zip(expected).map(|(a, e)| (f64::from(*a) - e).powi(2)).sum();
    (off / squares).sqrt()
}

#[test]
fn winograd_rounds_as_docs_numerics_says() {
    // Maps that tiles of 2 x 2 and of 4 x 4 cover, and how many times the definition's distance they may have.
    for (side, channels, forward, weight_gradient) in
        [(10, 16, 1.0, 1.2), (10, 64, 1.0, 1.2), (10, 256, 1.0, 1.2), (8, 16, 3.0, 3.5), (8, 64, 2.5, 3.5), (8, 256, 2.0, 3.5)]
    {
        let (spec, n) = (spec(channels, channels, 3, 1), 1);
        let layout = Layout { height: side, width: side, channels, halo: 1 };
        let input = noise("input", n * layout.pixels() * channels);
        let weights = noise("weights", spec.weight_len());
        let d_output = noise("d_output", n * layout.pixels() * channels);
        let outputs = reference::forward(spec, n, (side, side), &input, &weights);
        let gradients = reference::weight_gradient(spec, n, (side, side), &input, &d_output);
        let distances = |algorithm: Algorithm| {
            let layer = Conv2d::with_algorithm(Isa::best(), spec, layout, 1, algorithm).unwrap();
            let mut packed = vec![0.0; layer.forward_packed_len()];
            layer.pack_forward(&f32s(&weights), &mut packed);
            let mut output = vec![0.0; n * layer.output().image_len()];
            let input = with_halo(&input, layout, n);
            layer.forward(n, &input, &packed, &mut output, None);
            let mut workspace = vec![0.0; layer.gradient_workspace_len(n)];
            let mut d_weights = vec![0.0; spec.weight_len()];
            layer.weight_gradient(n, &input, &with_halo(&d_output, layout, n), &mut workspace, &mut d_weights);
            (distance(&without_halo(&output, layer.output(), n), &outputs), distance(&d_weights, &gradients))
        };
        let (direct, winograd) = (distances(Algorithm::Direct), distances(Algorithm::Auto));
        assert!(winograd.0 <= forward * direct.0, "forward, {side} px, {channels} channels: {winograd:?}, direct {direct:?}");
        assert!(
            winograd.1 <= weight_gradient * direct.1,
            "weights, {side} px, {channels} channels: {winograd:?}, direct {direct:?}"
        );
    }
}

#[test]
fn both_gradients_at_once_are_the_same_bits_and_complete_every_image_once() {
    for (spec, n, side) in [
        (spec(16, 32, 3, 1), 67, 5),
        (spec(8, 16, 3, 1), 67, 6),
        (spec(16, 8, 3, 2), 9, 7),
        (spec(64, 64, 3, 1), 3, 4),
        (spec(16, 32, 3, 1), 67, 3),
        (spec(8, 16, 3, 2), 131, 6),
    ] {
        let layout = Layout { height: side, width: side, channels: spec.channels_in, halo: 1 };
        let layer = Conv2d::new(Isa::best(), spec, layout, Conv2d::gradient_halo(spec, layout)).unwrap();
        let input = with_halo(&noise("input", n * layout.pixels() * spec.channels_in), layout, n);
        let out = layer.output();
        let d_output = with_halo(&noise("d_output", n * out.pixels() * spec.channels_out), out, n);
        let mut packed = vec![0.0; layer.backward_packed_len()];
        layer.pack_backward(&f32s(&noise("weights", spec.weight_len())), &mut packed);
        let mut workspace = vec![0.0; layer.gradient_workspace_len(n)];
        let start = f32s(&noise("d_input", n * layout.pixels() * spec.channels_in));
        for accumulate in [false, true] {
            let (mut d_input, mut d_weights) = (start.clone(), vec![0.0; spec.weight_len()]);
            layer.weight_gradient(n, &input, &d_output, &mut workspace, &mut d_weights);
            layer.data_gradient(n, &d_output, &packed, &mut d_input, accumulate);
            // Half of the gradient at first; `complete` doubles it.
            let mut half: Vec<f32> = d_output.iter().map(|d| 0.5 * d).collect();
            let seen: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            let complete = |first: usize, images: &mut [f32]| {
                images.iter_mut().for_each(|d| *d *= 2.0);
                seen[first..][..images.len() / out.image_len()].iter().for_each(|seen| _ = seen.fetch_add(1, Ordering::Relaxed));
            };
            let (mut at_once, mut weights_at_once) = (start.clone(), vec![f32::NAN; spec.weight_len()]);
            let to = Some((&mut at_once[..], accumulate));
            layer.backward(n, &input, &mut half, complete, &packed, to, &mut workspace, &mut weights_at_once);
            assert!(at_once == d_input && weights_at_once == d_weights, "{spec:?}");
            assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1), "{spec:?}");
        }
    }
}
