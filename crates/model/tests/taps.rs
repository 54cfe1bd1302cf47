//! Inner activations beside the features: what both executors hand out, and that what comes back through them is counted.

use relata_model::backbones::{CONV4, RESNET8, RESNET18};
use relata_model::{
    Activations, Architecture, Backbone, BackboneKind, CandleNetwork, Compute, Error, ImageSize, Images, Layout, Mode, Network,
    Parameters, Result, Stem,
};
use relata_testkit::hash_uniforms;

/// Of two executors in f32, relative to a tensor's largest entry; a gradient's sums are longer, and pass kinks that are near.
const TOLERANCE: f32 = 1e-4;
const GRADIENT_TOLERANCE: f32 = 1e-3;

fn numbers(name: &str, len: usize) -> Vec<f32> {
    hash_uniforms(name, len).iter().map(|v| *v as f32).collect()
}

fn network(kind: BackboneKind, stem: Stem, threads: usize) -> Network {
    Network::new(Architecture::new(kind, stem), 3, Compute::new(threads).unwrap())
}

fn names(taps: &[&str]) -> Vec<String> {
    taps.iter().map(|tap| (*tap).to_owned()).collect()
}

/// Features, dense taps and the parameters' gradients of a pass there and back, with gradients for the taps where `back`.
fn pass(backbone: &mut dyn Backbone, [rows, height, width]: [usize; 3], back: bool) -> (Vec<f32>, Vec<Vec<f32>>, Vec<f32>) {
    let data = numbers("images", rows * height * width * 3);
    let images = Images::new(&data, rows, height, width).unwrap();
    let Activations { features, taps } = backbone.forward_with_taps(images, Mode::Train).unwrap();
    let (features, taps) = (features.to_vec(), taps.iter().map(|tap| tap.dense()).collect::<Vec<_>>());
    let d_features = numbers("d_features", features.len());
    let d_taps: Vec<Vec<f32>> = taps
        .iter()
        .enumerate()
        .map(|(at, tap)| numbers(&format!("d_tap {at}"), tap.len()).iter().map(|d| 0.1 * d).collect())
        .collect();
    let d_taps: Vec<&[f32]> = d_taps.iter().map(|d| &d[..]).collect();
    backbone.backward_with_taps(&d_features, if back { &d_taps } else { &[] }).unwrap();
    (features, taps, backbone.parameters().gradients().to_vec())
}

#[track_caller]
fn assert_close(left: &[f32], right: &[f32], tolerance: f32, what: &str) {
    assert_eq!(left.len(), right.len(), "{what}");
    let largest = right.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let worst = left.iter().zip(right).map(|(l, r)| (l - r).abs()).fold(0.0, f32::max);
    assert!(largest > 0.0 && worst <= tolerance * largest, "{what}: off by {worst}, largest {largest}");
}

#[test]
fn both_executors_hand_out_the_same_taps_and_count_their_gradients() {
    // The first map before conv4's pool; one that a residual reads too; one behind a residual, in another order than the layers'; before a
    // maximum; the last one, before the average of all pixels.
    let cases: [(BackboneKind, Stem, [usize; 3], &[&str]); 6] = [
        (CONV4, Stem::Imagenet, [3, 11, 17], &["layer1.bn"]),
        (CONV4, Stem::Imagenet, [2, 9, 12], &["layer4.bn", "layer2.bn"]),
        (RESNET8, Stem::Imagenet, [3, 9, 7], &["bn1"]),
        (RESNET8, Stem::Imagenet, [2, 8, 9], &["layer2.0.bn2", "layer1.0.bn1", "layer2.0.downsample.1"]),
        (RESNET18, Stem::Imagenet, [4, 33, 40], &["bn1"]),
        (RESNET18, Stem::Cifar, [2, 9, 8], &["bn1"]),
    ];
    for (kind, stem, size, taps) in cases {
        let what = format!("{kind:?}, {stem:?}, {taps:?}");
        let mut fused = network(kind, stem, 2);
        let parameters: Parameters = fused.parameters().clone();
        let mut candle = CandleNetwork::new(fused.architecture().clone(), parameters, &candle_core::Device::Cpu).unwrap();
        fused.set_taps(&names(taps)).unwrap();
        candle.set_taps(&names(taps)).unwrap();
        let (features, maps, gradients) = pass(&mut fused, size, true);
        let (expected_features, expected_maps, expected_gradients) = pass(&mut candle, size, true);
        assert_close(&features, &expected_features, TOLERANCE, &format!("features: {what}"));
        assert_eq!(maps.len(), taps.len());
        let layouts = fused.architecture().tap_layouts(ImageSize::new(size[1], size[2], 3)).unwrap();
        for ((map, expected), layout) in maps.iter().zip(&expected_maps).zip(layouts) {
            assert_eq!(map.len(), size[0] * layout.image_len(), "{what}");
            assert_close(map, expected, TOLERANCE, &format!("tap: {what}"));
        }
        // By parameter: deep ones, which a tap's gradient does not reach, must not hide the others.
        let without = pass(&mut network(kind, stem, 2), size, true).2;
        for spec in fused.parameters().specs() {
            let range = spec.range.clone();
            assert_close(
                &gradients[range.clone()],
                &expected_gradients[range],
                GRADIENT_TOLERANCE,
                &format!("{}: {what}", spec.name),
            );
        }
        let first = fused.parameters().specs()[0].range.clone();
        assert!(gradients[first.clone()] != without[first], "the tap's gradient reaches the first layer: {what}");
    }
}

#[test]
fn a_tap_that_nothing_comes_back_through_changes_no_bit() {
    for (kind, tap) in [(CONV4, "layer1.bn"), (RESNET8, "bn1"), (RESNET18, "bn1")] {
        let size = [5, 18, 22];
        let (features, _, gradients) = pass(&mut network(kind, Stem::Imagenet, 2), size, false);
        let mut tapped = network(kind, Stem::Imagenet, 1);
        tapped.set_taps(&names(&[tap])).unwrap();
        let (tapped_features, taps, tapped_gradients) = pass(&mut tapped, size, false);
        assert!(features == tapped_features && gradients == tapped_gradients, "{kind:?}");
        assert!(taps[0].iter().all(|value| *value >= 0.0) && taps[0].iter().any(|value| *value > 0.0), "behind the ReLU");
    }
}

#[test]
fn taps_are_there_until_others_are_asked_for_and_only_in_training() {
    let mut backbone = network(CONV4, Stem::Imagenet, 1);
    let data = numbers("images", 2 * 8 * 8 * 3);
    let images = Images::new(&data, 2, 8, 8).unwrap();
    backbone.set_taps(&names(&["layer3.bn"])).unwrap();
    for _ in 0..2 {
        let taps = backbone.forward_with_taps(images, Mode::Train).unwrap().taps;
        assert_eq!((taps.len(), taps[0].layout.channels, taps[0].layout.height), (1, 32, 2));
    }
    assert!(backbone.forward_with_taps(images, Mode::Eval).unwrap().taps.is_empty());
    backbone.set_taps(&[]).unwrap();
    assert!(backbone.forward_with_taps(images, Mode::Train).unwrap().taps.is_empty());
}

#[test]
fn a_tapped_plan_says_what_it_takes() {
    let compute = Compute::new(1).unwrap();
    let bytes = |architecture: &Architecture, mode| {
        Network::plan_bytes(architecture, &compute, 8, ImageSize::square_rgb(32), mode).unwrap()
    };
    let plain = Architecture::new(CONV4, Stem::Imagenet);
    let tapped = plain.clone().with_taps(&["layer1.bn"]).unwrap();
    assert_eq!(tapped.tap_layouts(ImageSize::square_rgb(32)).unwrap(), [Layout::dense(32, 32, 8)]);
    // The map and its gradient, which are there as the pooled ones otherwise are.
    let map = 4 * 8 * 32 * 32 * 8;
    let more = bytes(&tapped, Mode::Train) - bytes(&plain, Mode::Train);
    assert!((map..=2 * map).contains(&more), "{more} bytes for maps of {map}");
    assert_eq!(bytes(&tapped, Mode::Eval), bytes(&plain, Mode::Eval));
}

/// One number an image.
struct Foreign {
    architecture: Architecture,
    parameters: Parameters,
    features: Vec<f32>,
}

impl Backbone for Foreign {
    fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn forward(&mut self, images: Images<'_>, _: Mode) -> Result<&[f32]> {
        self.features = vec![1.0; images.rows];
        Ok(&self.features)
    }

    fn backward(&mut self, _: &[f32]) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_tap_that_is_not_there_and_gradients_that_do_not_fit_are_errors() {
    let architecture = Architecture::new(CONV4, Stem::Imagenet);
    let mut foreign = Foreign { architecture, parameters: Parameters::default(), features: Vec::new() };
    foreign.set_taps(&[]).unwrap();
    assert!(matches!(foreign.set_taps(&names(&["layer1.bn"])), Err(Error::NoActivation { .. })));
    assert!(matches!(foreign.backward_with_taps(&[1.0], &[&[1.0]]), Err(Error::Size { .. })));

    let mut fused = network(CONV4, Stem::Imagenet, 1);
    let parameters = fused.parameters().clone();
    let mut candle = CandleNetwork::new(fused.architecture().clone(), parameters, &candle_core::Device::Cpu).unwrap();
    let backbones: [&mut dyn Backbone; 2] = [&mut fused, &mut candle];
    for backbone in backbones {
        backbone.set_taps(&names(&["layer1.bn"])).unwrap();
        let error = backbone.set_taps(&names(&["layer1.bn", "bn1"])).unwrap_err();
        assert!(
            matches!(&error, Error::NoActivation { name, known, .. } if name == "bn1" && known[..2] == ["layer1.bn", "layer2.bn"])
        );
        let data = numbers("images", 2 * 8 * 8 * 3);
        let (d_features, map) = ([0.5; 128], vec![0.5; 2 * 8 * 8 * 8]);
        for d_taps in [&[&map[1..]][..], &[&map, &map]] {
            backbone.forward_with_taps(Images::new(&data, 2, 8, 8).unwrap(), Mode::Train).unwrap();
            assert!(matches!(backbone.backward_with_taps(&d_features, d_taps), Err(Error::Size { .. })));
        }
        backbone.forward(Images::new(&data, 2, 8, 8).unwrap(), Mode::Train).unwrap();
        backbone.backward(&d_features).unwrap();
    }
}
