use super::{Compute, Network};
use crate::{Architecture, Backbone, BackboneKind, Error, Images, Mode, Stem};

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
    (features, network.parameters().gradients.clone())
}

#[test]
fn parameter_counts_are_those_of_pytorch() {
    let count = |kind, stem| Architecture::new(kind, stem).parameters().len();
    assert_eq!(count(BackboneKind::Conv4, Stem::Imagenet), 24_648);
    assert_eq!(count(BackboneKind::Resnet8, Stem::Imagenet), 77_392);
    assert_eq!(count(BackboneKind::Resnet32, Stem::Imagenet), 466_256);
    assert_eq!(count(BackboneKind::Resnet56, Stem::Imagenet), 855_120);
    assert_eq!(count(BackboneKind::Resnet18, Stem::Imagenet), 11_176_512);
    assert_eq!(count(BackboneKind::Resnet34, Stem::Imagenet), 21_284_672);
}

#[test]
fn thread_count_does_not_change_a_bit() {
    for kind in [BackboneKind::Conv4, BackboneKind::Resnet8] {
        let data = images(67, 8, 12);
        let one = step(&mut network(kind, 1), &data, 67, 8, 12);
        let four = step(&mut network(kind, 4), &data, 67, 8, 12);
        assert!(one == four, "{kind:?}");
    }
}

#[test]
fn a_smaller_batch_in_a_larger_plan_gives_the_same_bits() {
    for kind in [BackboneKind::Conv4, BackboneKind::Resnet8] {
        let data = images(5, 9, 11);
        let mut roomy = network(kind, 2);
        roomy.prepare(70, 9, 11, Mode::Train).unwrap();
        step(&mut roomy, &images(70, 9, 11), 70, 9, 11);
        *roomy.parameters_mut() = network(kind, 1).parameters().clone();
        assert!(step(&mut roomy, &data, 5, 9, 11) == step(&mut network(kind, 2), &data, 5, 9, 11), "{kind:?}");
    }
}

#[test]
fn backward_belongs_to_one_forward() {
    let mut network = network(BackboneKind::Conv4, 1);
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
    let error = network(BackboneKind::Conv4, 1).forward(Images::new(&data, 1, 4, 4).unwrap(), Mode::Eval).err();
    assert!(matches!(error, Some(Error::Ops(_))), "{error:?}");
}

#[test]
fn a_network_is_a_candle_module() {
    let mut network = network(BackboneKind::Resnet8, 1);
    let data = images(3, 10, 6);
    let expected = network.forward(Images::new(&data, 3, 10, 6).unwrap(), Mode::Eval).unwrap().to_vec();
    let tensor = candle_core::Tensor::from_vec(data, (3, 10, 6, 3), &candle_core::Device::Cpu).unwrap();
    let features = candle_nn::Module::forward(&network, &tensor).unwrap();
    assert_eq!(features.dims(), [3, 64]);
    assert_eq!(features.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
}
