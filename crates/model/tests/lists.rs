//! Lists of layers of one's own, as docs/EXTENDING.md promises them: the fused executor does with them what candle does, or says
//! what it cannot do.

use relata_model::{
    Architecture, Backbone, CandleNetwork, Compute, ConvNorm, Error, ImageSize, Images, Layer, Mode, Network, Node, Op,
};
use relata_ops::ConvSpec;

/// f32 through a few layers and their batch norms, relative to the largest number.
const TOLERANCE: f32 = 2e-4;

const SIZE: ImageSize = ImageSize::new(10, 7, 3);

/// A convolution of 3 x 3 or 1 x 1 of `channels` in and out.
fn conv(input: Node, channels: (usize, usize), kernel: usize, stride: usize, residual: Option<Node>, name: &str) -> Layer {
    let conv = ConvSpec { channels_in: channels.0, channels_out: channels.1, kernel, stride, padding: kernel / 2 };
    let (conv_name, norm_name) = (format!("{name}.conv"), format!("{name}.bn"));
    Layer { input, op: Op::ConvNorm(ConvNorm { conv, conv_name, norm_name, residual, relu: true }) }
}

fn list(name: &str, channels: usize, mut layers: Vec<Layer>, width: usize) -> Architecture {
    layers.push(Layer { input: layers.len(), op: Op::GlobalAverage });
    Architecture { name: name.to_owned(), channels, layers, width, taps: Vec::new() }
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|at| ((at as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

#[track_caller]
fn assert_near(got: &[f32], expected: &[f32], what: &str) {
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let worst = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(got.len() == expected.len() && largest > 0.0, "{what}");
    assert!(worst <= TOLERANCE * largest, "{what}: worst {worst} of {largest}");
}

/// Two training steps and two evaluations of other images, beside candle's.
#[track_caller]
fn assert_is_what_candle_makes_of_it(architecture: &Architecture) {
    const ROWS: usize = 5;
    let mut parameters = architecture.parameters();
    parameters.initialise(4, 0);
    let mut oracle = CandleNetwork::new(architecture.clone(), parameters.clone(), &candle_core::Device::Cpu).unwrap();
    let mut network = Network::with_parameters(architecture.clone(), parameters, Compute::new(2).unwrap()).unwrap();
    let ImageSize { height, width, .. } = SIZE;
    let data = numbers(2 * ROWS * height * width * architecture.channels);
    for data in data.chunks_exact(data.len() / 2) {
        let images = || Images::of_size(data, ROWS, ImageSize::new(height, width, architecture.channels)).unwrap();
        let what = &architecture.name;
        let expected = oracle.forward(images(), Mode::Train).unwrap().to_vec();
        assert_near(network.forward(images(), Mode::Train).unwrap(), &expected, what);
        let d_features = numbers(ROWS * architecture.width);
        oracle.backward(&d_features).unwrap();
        network.backward(&d_features).unwrap();
        assert_near(network.parameters().gradients(), oracle.parameters().gradients(), &format!("{what}, gradients"));
        let expected = oracle.forward(images(), Mode::Eval).unwrap().to_vec();
        assert_near(network.forward(images(), Mode::Eval).unwrap(), &expected, &format!("{what}, evaluation"));
    }
}

#[test]
fn residuals_of_every_kind_are_what_candle_makes_of_them() {
    let first = || conv(0, (3, 8), 3, 1, None, "first");
    for (name, layers) in [
        (
            "a shortcut that adds its neighbour",
            vec![first(), conv(1, (8, 16), 3, 2, None, "wide"), conv(1, (8, 16), 1, 2, Some(2), "narrow")],
        ),
        ("a layer that adds its own input", vec![first(), conv(1, (8, 8), 3, 1, Some(1), "second")]),
        (
            "a value added by two later layers",
            vec![first(), conv(1, (8, 8), 3, 1, Some(1), "second"), conv(2, (8, 8), 1, 1, Some(1), "third")],
        ),
        (
            "a value read by a layer behind the one that adds it",
            vec![
                first(),
                conv(1, (8, 8), 3, 1, None, "second"),
                conv(2, (8, 8), 3, 1, Some(1), "third"),
                conv(1, (8, 8), 1, 1, Some(3), "fourth"),
            ],
        ),
        (
            "a pool listed behind the convolution beside it",
            vec![
                first(),
                conv(1, (8, 8), 3, 2, None, "second"),
                Layer { input: 1, op: Op::MaxPool },
                conv(3, (8, 8), 1, 1, Some(2), "third"),
            ],
        ),
    ] {
        let channels = if name.starts_with("a shortcut") { 16 } else { 8 };
        assert_is_what_candle_makes_of_it(&list(name, 3, layers, channels));
    }
    assert_is_what_candle_makes_of_it(&list("images as a residual", 8, vec![conv(0, (8, 8), 3, 1, Some(0), "only")], 8));
}

#[test]
fn a_pool_that_would_overwrite_a_gradient_is_refused_in_training() {
    let layers =
        vec![conv(0, (3, 8), 3, 1, None, "first"), Layer { input: 1, op: Op::MaxPool }, conv(1, (8, 8), 3, 2, Some(2), "second")];
    let mut network = Network::new(list("pool first", 3, layers, 8), 1, Compute::new(1).unwrap());
    let error = network.prepare(2, SIZE, Mode::Train).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the fused executor cannot run the pool of value 1 (layer 2) before others that read it, in training"
    );
    network.prepare(2, SIZE, Mode::Eval).unwrap();
}

#[test]
fn lists_that_do_not_fit_together_are_refused_by_their_layer() {
    let first = || conv(0, (3, 8), 3, 1, None, "first");
    let message = |architecture: Architecture| {
        let mut network = Network::new(architecture.clone(), 1, Compute::new(1).unwrap());
        let message = network.prepare(2, SIZE, Mode::Train).unwrap_err().to_string();
        let mut parameters = architecture.parameters();
        parameters.initialise(1, 0);
        let data = vec![0.5; 210 * architecture.channels];
        let images = Images::of_size(&data, 3, ImageSize { channels: architecture.channels, ..SIZE }).unwrap();
        let oracle = CandleNetwork::new(architecture, parameters, &candle_core::Device::Cpu);
        let candles = match oracle {
            Ok(mut oracle) => oracle.forward(images, Mode::Eval).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(message, candles, "both executors say the same");
        message
    };
    let of = |layers, width| message(list("net", 3, layers, width));
    assert_eq!(of(vec![first()], 16), "net: does not end in a global average of 16 channels, the features' width");
    assert_eq!(
        message(Architecture { layers: vec![first()], ..list("net", 3, Vec::new(), 8) }),
        "net: does not end in a global average of 8 channels, the features' width"
    );
    assert_eq!(of(vec![conv(2, (3, 8), 3, 1, None, "first")], 8), "net: layer 1 reads value 2, which does not stand before it");
    assert_eq!(of(vec![conv(0, (4, 8), 3, 1, None, "first")], 8), "net: layer 1 reads 4 channels of 3");
    assert_eq!(of(vec![conv(0, (3, 8), 3, 0, None, "first")], 8), "net: layer 1 has a kernel, a stride or an output of 0");
    for tap in [0, 2, 9] {
        let tapped = Architecture { taps: vec![tap], ..list("net", 3, vec![first()], 8) };
        assert_eq!(message(tapped), format!("net: taps value {tap}, which no convolution gives"));
    }
    assert_eq!(
        of(vec![first(), conv(1, (8, 16), 3, 1, Some(1), "second")], 16),
        "net: layer 2 adds value 1, of 8 channels, to 16"
    );
    assert_eq!(
        of(vec![first(), conv(1, (8, 8), 3, 2, Some(1), "second")], 8),
        "net: layer 2 adds value 1, of 10 x 7 px, to 5 x 4"
    );
    assert_eq!(
        of(vec![first(), conv(1, (8, 8), 3, 1, None, "first")], 8),
        "net: layer 2 has the name first.conv, as another has"
    );
}

#[test]
fn parameters_of_another_net_are_refused() {
    let one = list("one", 3, vec![conv(0, (3, 8), 3, 1, None, "first")], 8);
    let other = list("other", 3, vec![conv(0, (3, 8), 1, 1, None, "first")], 8);
    let error = Network::with_parameters(one, other.parameters(), Compute::new(1).unwrap()).unwrap_err();
    assert!(matches!(error, Error::OtherParameters { .. }), "{error}");
}

#[test]
fn a_new_plan_takes_the_way_back_of_the_old_one_with_it() {
    let architecture = list("one", 3, vec![conv(0, (3, 8), 3, 1, None, "first")], 8);
    let mut network = Network::new(architecture, 1, Compute::new(1).unwrap());
    let data = numbers(2 * 70 * 3);
    network.forward(Images::of_size(&data, 2, SIZE).unwrap(), Mode::Train).unwrap();
    network.prepare(4, SIZE, Mode::Train).unwrap();
    assert!(matches!(network.backward(&[0.0; 16]), Err(Error::NoForward)));
}

#[test]
fn evaluation_reuses_the_buffers_of_values_that_nobody_reads_again() {
    let layers = |depth: usize| {
        let first = conv(0, (3, 16), 3, 1, None, "0");
        std::iter::once(first).chain((1..depth).map(|at| conv(at, (16, 16), 3, 1, None, &at.to_string()))).collect()
    };
    let compute = Compute::new(1).unwrap();
    let bytes = |depth, mode| {
        Network::plan_bytes(&list("deep", 3, layers(depth), 16), &compute, 64, ImageSize::square_rgb(32), mode).unwrap()
    };
    let of_a_value = 64 * 34 * 34 * 16 * size_of::<f32>();
    let grown = |mode| bytes(20, mode) - bytes(4, mode);
    assert!(grown(Mode::Eval) < of_a_value, "sixteen more values in {} bytes, one is {of_a_value}", grown(Mode::Eval));
    assert!(grown(Mode::Train) > 16 * of_a_value, "training keeps every value");
}
