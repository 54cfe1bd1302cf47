use super::{Compute, Network};
use crate::backbones::{CONV4, RESNET8, RESNET18, RESNET32, RESNET34, RESNET56};
use crate::{Architecture, Backbone, BackboneKind, CandleNetwork, Error, ImageSize, Images, Mode, Op, Stem};
use relata_ops::Isa;

fn network(kind: BackboneKind, threads: usize) -> Network {
    Network::new(Architecture::new(kind, Stem::Imagenet), 3, Compute::new(threads).unwrap())
}

fn images(rows: usize, height: usize, width: usize) -> Vec<f32> {
    (0..rows * height * width * 3).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0).collect()
}

fn step(network: &mut Network, data: &[f32], rows: usize, height: usize, width: usize) -> (Vec<f32>, Vec<f32>) {
    let features = network.forward(Images::new(data, rows, height, width).unwrap(), Mode::Train).unwrap().to_vec();
    let d_features: Vec<f32> = features.iter().enumerate().map(|(i, f)| f * 0.1 + ((i % 7) as f32 - 3.0) * 0.01).collect();
    network.backward(&d_features).unwrap();
    (features, network.parameters().gradients().to_vec())
}

#[test]
fn parameter_counts_are_those_of_pytorch() {
    let count = |kind, stem| Architecture::new(kind, stem).parameters().len();
    assert_eq!(count(CONV4, Stem::Imagenet), 24_648);
    assert_eq!(count(RESNET8, Stem::Imagenet), 77_392);
    assert_eq!(count(RESNET32, Stem::Imagenet), 466_256);
    assert_eq!(count(RESNET56, Stem::Imagenet), 855_120);
    assert_eq!(count(RESNET18, Stem::Imagenet), 11_176_512);
    assert_eq!(count(RESNET34, Stem::Imagenet), 21_284_672);
}

#[test]
fn thread_count_does_not_change_a_bit() {
    for kind in [CONV4, RESNET8] {
        let data = images(67, 8, 12);
        let one = step(&mut network(kind, 1), &data, 67, 8, 12);
        let four = step(&mut network(kind, 4), &data, 67, 8, 12);
        assert!(one == four, "{kind:?}");
    }
}

#[test]
fn a_smaller_batch_in_a_larger_plan_gives_the_same_bits() {
    for kind in [CONV4, RESNET8] {
        let data = images(5, 9, 11);
        let mut roomy = network(kind, 2);
        roomy.prepare(70, ImageSize::new(9, 11, 3), Mode::Train).unwrap();
        step(&mut roomy, &images(70, 9, 11), 70, 9, 11);
        *roomy.parameters_mut() = network(kind, 1).parameters().clone();
        assert!(step(&mut roomy, &data, 5, 9, 11) == step(&mut network(kind, 2), &data, 5, 9, 11), "{kind:?}");
    }
}

#[test]
fn backward_belongs_to_one_forward() {
    let mut network = network(CONV4, 1);
    assert!(matches!(network.backward(&[0.0; 64]), Err(Error::NoForward)));
    let data = images(2, 8, 8);
    network.forward(Images::new(&data, 2, 8, 8).unwrap(), Mode::Train).unwrap();
    assert!(matches!(network.backward(&[0.0; 64]), Err(Error::Size { .. })));
    network.forward(Images::new(&data, 2, 8, 8).unwrap(), Mode::Eval).unwrap();
    assert!(matches!(network.backward(&[0.0; 128]), Err(Error::NoForward)));
}

#[test]
fn images_too_small_for_the_net_are_an_error() {
    let data = images(1, 4, 4);
    let error = network(CONV4, 1).forward(Images::new(&data, 1, 4, 4).unwrap(), Mode::Eval).err();
    let message = error.expect("an error").to_string();
    assert_eq!(message, "images: expected large enough for layer 6 of conv4, got 4 x 4 px, 1 x 1 at that layer");
}

/// f32 through three layers and their batch norms, relative to the largest number.
const PERCEPTRON_TOLERANCE: f32 = 1e-4;

#[track_caller]
fn assert_near(got: &[f32], expected: &[f32], what: &str) {
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let worst = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(got.len() == expected.len() && largest > 0.0, "{what}");
    assert!(worst <= PERCEPTRON_TOLERANCE * largest, "{what}: worst {worst} of {largest}");
}

#[test]
fn a_perceptron_on_rows_is_what_candle_makes_of_it() {
    for (rows, inputs, hidden, width) in [(67, 5, &[33, 7][..], 9), (5, 1, &[][..], 3), (130, 40, &[64][..], 17)] {
        let architecture = Architecture::mlp(inputs, hidden, width);
        let data = &images(rows, inputs, 1)[..rows * inputs];
        let batch = Images::of_rows(data, inputs).unwrap();
        let mut parameters = architecture.parameters();
        parameters.initialise(4, 0);
        let mut oracle = CandleNetwork::new(architecture.clone(), parameters.clone(), &candle_core::Device::Cpu).unwrap();
        let expected = oracle.forward(batch, Mode::Train).unwrap().to_vec();
        let d_features: Vec<f32> = images(rows, width, 1)[..rows * width].to_vec();
        oracle.backward(&d_features).unwrap();
        for isa in Isa::available() {
            let compute = Compute::with_isa(2, isa).unwrap();
            let mut network = Network::with_parameters(architecture.clone(), parameters.clone(), compute).unwrap();
            assert_near(network.forward(batch, Mode::Train).unwrap(), &expected, "features");
            network.backward(&d_features).unwrap();
            assert_near(network.parameters().gradients(), oracle.parameters().gradients(), "gradients");
            assert_near(network.forward(batch, Mode::Eval).unwrap(), oracle.forward(batch, Mode::Eval).unwrap(), "evaluation");
        }
    }
}

#[test]
fn images_of_other_channels_are_an_error() {
    let rows = vec![0.5; 12];
    let mut mlp = Network::new(Architecture::mlp(4, &[8], 3), 1, Compute::new(1).unwrap());
    assert_eq!(mlp.forward(Images::of_rows(&rows, 4).unwrap(), Mode::Train).unwrap().len(), 9);
    for images in [Images::of_rows(&rows, 6).unwrap(), Images::new(&rows, 1, 2, 2).unwrap()] {
        assert!(matches!(mlp.forward(images, Mode::Eval), Err(Error::Size { .. })));
    }
    assert!(matches!(Images::of_rows(&rows, 5), Err(Error::Size { .. })), "rows that are not whole");
    assert!(matches!(Images::of_rows(&rows, 0), Err(Error::Size { .. })));
}

#[test]
fn a_list_that_begins_with_a_pool_is_refused_in_training() {
    let mut architecture = Architecture::mlp(4, &[], 4);
    architecture.layers.retain(|layer| layer.op == Op::GlobalAverage);
    architecture.layers[0].input = 0;
    let error = Network::new(architecture, 1, Compute::new(1).unwrap()).prepare(3, ImageSize::row(4), Mode::Train).err();
    assert!(matches!(error, Some(Error::Unsupported { .. })), "{error:?}");
}

#[test]
fn a_network_is_a_candle_module() {
    let mut network = network(RESNET8, 1);
    let data = images(3, 10, 6);
    let expected = network.forward(Images::new(&data, 3, 10, 6).unwrap(), Mode::Eval).unwrap().to_vec();
    let tensor = candle_core::Tensor::from_vec(data, (3, 10, 6, 3), &candle_core::Device::Cpu).unwrap();
    let features = candle_nn::Module::forward(&network, &tensor).unwrap();
    assert_eq!(features.dims(), [3, 64]);
    assert_eq!(features.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
}
