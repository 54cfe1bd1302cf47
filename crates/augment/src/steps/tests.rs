use std::collections::HashSet;

use super::crop::middle_box;
use super::jitter::permutation;
use crate::step::Sizes;
use crate::{
    Adjustment, AffineConfig, Crop, CropBox, CropConfig, CropKind, CutoutConfig, GrayscaleConfig, InvertConfig, PipelineConfig,
    ViewKey, ViewParameters,
};

const VIEWS: u32 = 20_000;
const SIDE_PX: usize = 32;

/// Five standard errors of a mean of VIEWS values uniform in 0..1: sqrt(1/12/20000) = 0.002.
const FIVE_ERRORS: f64 = 0.0102;

fn draw(config: &PipelineConfig, key: ViewKey, image_width_px: usize, image_height_px: usize) -> ViewParameters {
    ViewParameters::draw(config, key, Sizes { image_width_px, image_height_px, side_px: SIDE_PX })
}

fn views(config: &PipelineConfig, width_px: usize, height_px: usize) -> Vec<ViewParameters> {
    (0..VIEWS).map(|view| draw(config, ViewKey { seed: 5, epoch: 3, image: 11, view }, width_px, height_px)).collect()
}

fn boxes(config: &PipelineConfig, width_px: usize, height_px: usize) -> Vec<CropBox> {
    let crop = |parameters: &ViewParameters| match parameters.crop {
        Crop::Resized(crop) => crop,
        other => panic!("{other:?} is no box"),
    };
    views(config, width_px, height_px).iter().map(crop).collect()
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().sum::<f64>() / f64::from(VIEWS)
}

#[track_caller]
fn assert_uniform(values: impl IntoIterator<Item = f64>, low: f64, high: f64) {
    let shares: Vec<f64> = values.into_iter().map(|value| (value - low) / (high - low)).collect();
    let (least, most) = shares.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
    assert!((0.0..0.001).contains(&least) && (0.999..=1.0).contains(&most), "reaches {least} to {most} of the range");
    let scale = FIVE_ERRORS * (shares.len() as f64 / f64::from(VIEWS)).sqrt().recip();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    let square = shares.iter().map(|v| v * v).sum::<f64>() / shares.len() as f64;
    assert!((mean - 0.5).abs() < scale && (square - 1.0 / 3.0).abs() < scale, "mean {mean}, mean square {square}");
}

#[test]
fn factors_are_uniform_over_their_range() {
    let jitters: Vec<_> = views(&PipelineConfig::default(), 32, 32).iter().filter_map(|view| view.jitter).collect();
    let share = jitters.len() as f64 / f64::from(VIEWS);
    assert!((share - 0.8).abs() < 0.015, "jitter in {share} of the views");
    assert_uniform(jitters.iter().map(|j| f64::from(j.brightness)), 0.2, 1.8 + 1e-6);
    assert_uniform(jitters.iter().map(|j| f64::from(j.contrast)), 0.2, 1.8 + 1e-6);
    assert_uniform(jitters.iter().map(|j| f64::from(j.saturation)), 0.2, 1.8 + 1e-6);
    assert_uniform(jitters.iter().map(|j| f64::from(j.hue)), -0.2 - 1e-6, 0.2 + 1e-6);
}

#[test]
fn a_strength_above_one_reaches_down_to_zero_only() {
    let mut config = PipelineConfig::default();
    config.jitter.brightness = 1.5;
    let jitters = views(&config, 32, 32).into_iter().filter_map(|view| view.jitter);
    assert_uniform(jitters.map(|j| f64::from(j.brightness)), 0.0, 2.5 + 1e-6);
}

#[test]
fn every_order_of_the_jitter_comes_as_often() {
    let mut counts = std::collections::HashMap::new();
    let jitters: Vec<_> = views(&PipelineConfig::default(), 32, 32).iter().filter_map(|view| view.jitter).collect();
    for jitter in &jitters {
        *counts.entry(format!("{:?}", jitter.order)).or_insert(0_usize) += 1;
    }
    assert_eq!(counts.len(), 24);
    let expected = jitters.len() as f64 / 24.0;
    // Five standard deviations of a count.
    assert!(counts.values().all(|&count| (count as f64 - expected).abs() < 5.0 * expected.sqrt()), "{counts:?}");
}

#[test]
fn the_24_orders_differ_and_hold_all_four() {
    let orders: HashSet<String> = (0..24).map(|number| format!("{:?}", permutation(number))).collect();
    assert_eq!(orders.len(), 24);
    for order in (0..24).map(permutation) {
        for adjustment in [Adjustment::Brightness, Adjustment::Contrast, Adjustment::Saturation, Adjustment::Hue] {
            assert!(order.contains(&adjustment));
        }
    }
}

#[test]
fn flips_grays_and_negatives_come_as_often_as_requested() {
    let config = PipelineConfig { invert: InvertConfig { p: 0.3 }, ..PipelineConfig::default() };
    let views = views(&config, 32, 32);
    let share = |what: fn(&ViewParameters) -> bool| mean(views.iter().map(|view| f64::from(u8::from(what(view)))));
    for (share, p) in [(share(|v| v.flip), 0.5), (share(|v| v.grayscale), 0.2), (share(|v| v.invert), 0.3)] {
        assert!((share - p).abs() < 0.018, "{share} of the views, requested {p}");
    }
}

#[test]
fn probabilities_of_none_and_all_are_kept() {
    let config =
        PipelineConfig { grayscale: GrayscaleConfig { p: 1.0 }, invert: InvertConfig { p: 0.0 }, ..PipelineConfig::default() };
    assert!(views(&config, 32, 32).iter().all(|view| view.grayscale && !view.invert));
}

#[test]
fn crops_reach_both_ends_of_the_image() {
    let boxes = boxes(&PipelineConfig::default(), 23, 17);
    assert!(boxes.iter().all(|crop| crop.fits(23, 17)));
    assert!(boxes.iter().any(|crop| crop.left_px == 0) && boxes.iter().any(|crop| crop.top_px == 0));
    assert!(boxes.iter().any(|crop| crop.left_px + crop.width_px == 23 && crop.left_px > 0));
    assert!(boxes.iter().any(|crop| crop.top_px + crop.height_px == 17 && crop.top_px > 0));
    // Every position for boxes of one size.
    let lefts: HashSet<usize> = boxes.iter().filter(|crop| crop.width_px == 12).map(|crop| crop.left_px).collect();
    assert_eq!(lefts, (0..=11).collect());
}

#[test]
fn areas_are_uniform_and_ratios_log_uniform() {
    // So large that rounding to pixels does not show, and areas so small that every first try fits.
    let config = PipelineConfig { crop: CropConfig { scale: [0.08, 0.5], ..CropConfig::default() }, ..PipelineConfig::default() };
    let boxes = boxes(&config, 100_000, 100_000);
    let area = |crop: &CropBox| crop.width_px as f64 * crop.height_px as f64 / 1e10;
    let ratio = |crop: &CropBox| (crop.width_px as f64 / crop.height_px as f64).ln();
    assert_uniform(boxes.iter().map(area), 0.08 - 1e-5, 0.5 + 1e-5);
    assert_uniform(boxes.iter().map(ratio), 0.75_f64.ln() - 1e-4, (4.0_f64 / 3.0).ln() + 1e-4);
    assert_uniform(boxes.iter().map(|crop| crop.left_px as f64 / (100_000 - crop.width_px) as f64), 0.0, 1.0);
    assert_uniform(boxes.iter().map(|crop| crop.top_px as f64 / (100_000 - crop.height_px) as f64), 0.0, 1.0);
}

#[test]
fn an_image_that_no_box_fits_is_cropped_in_the_middle() {
    let config = PipelineConfig { crop: CropConfig { scale: [0.9, 1.0], ..CropConfig::default() }, ..PipelineConfig::default() };
    let middle = CropBox { top_px: 0, left_px: 43, height_px: 10, width_px: 13 };
    assert!(boxes(&config, 100, 10).iter().all(|&crop| crop == middle));
    assert_eq!(middle_box([0.75, 4.0 / 3.0], 10, 100), CropBox { top_px: 43, left_px: 0, height_px: 13, width_px: 10 });
    assert_eq!(middle_box([0.75, 4.0 / 3.0], 1, 1), CropBox::whole(1, 1));
    assert_eq!(middle_box([0.75, 4.0 / 3.0], 11, 10), CropBox::whole(11, 10));
    assert_eq!(middle_box([900.0, 1000.0], 5, 7).height_px, 1);
}

#[test]
fn padded_crops_reach_every_offset_alike() {
    let crop = CropConfig { kind: CropKind::Padded, padding: 2, ..CropConfig::default() };
    let config = PipelineConfig { crop, ..PipelineConfig::default() };
    let mut counts = std::collections::HashMap::new();
    for view in views(&config, 32, 32) {
        let Crop::Shifted { top_px, left_px } = view.crop else { panic!("a box") };
        assert!((-2..=2).contains(&top_px) && (-2..=2).contains(&left_px));
        *counts.entry((top_px, left_px)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 25);
    // 800 expected; five standard deviations.
    assert!(counts.values().all(|count| (660..=940).contains(count)), "{counts:?}");
}

#[test]
fn one_transform_switched_off_leaves_the_others_as_they_were() {
    let all = PipelineConfig { invert: InvertConfig { p: 0.5 }, ..PipelineConfig::default() };
    let mut fewer = all.clone();
    fewer.flip.p = 0.0;
    fewer.crop.kind = CropKind::Whole;
    for (with, without) in views(&all, 32, 32).iter().zip(views(&fewer, 32, 32)) {
        assert_eq!((with.jitter, with.grayscale, with.invert), (without.jitter, without.grayscale, without.invert));
    }
}

#[test]
fn every_part_of_the_key_changes_the_view() {
    let key = ViewKey { seed: 1, epoch: 2, image: 3, view: 4 };
    let config = PipelineConfig { crop: CropConfig::default(), ..PipelineConfig::default() };
    let of = |key| draw(&config, key, 10_000, 10_000);
    assert_eq!(of(key), of(key));
    for other in
        [ViewKey { seed: 2, ..key }, ViewKey { epoch: 3, ..key }, ViewKey { image: 4, ..key }, ViewKey { view: 5, ..key }]
    {
        assert_ne!(of(key).crop, of(other).crop);
    }
    // The same numbers in other fields are another key.
    assert_ne!(of(key).crop, of(ViewKey { seed: 3, image: 1, ..key }).crop);
}

#[test]
fn affine_maps_are_uniform_over_their_ranges_and_shift_by_whole_pixels() {
    let config = PipelineConfig { affine: AffineConfig { p: 0.5, ..AffineConfig::default() }, ..PipelineConfig::default() };
    let maps: Vec<_> = views(&config, 32, 32).iter().filter_map(|view| view.affine).collect();
    let share = maps.len() as f64 / f64::from(VIEWS);
    assert!((share - 0.5).abs() < 0.018, "{share} of the views are mapped");
    assert_uniform(maps.iter().map(|map| f64::from(map.angle_deg)), -18.0 - 1e-5, 18.0 + 1e-5);
    assert_uniform(maps.iter().map(|map| f64::from(map.scale)), 0.9 - 1e-6, 1.1 + 1e-6);
    assert_uniform(maps.iter().map(|map| f64::from(map.shear_deg)), -10.0 - 1e-5, 10.0 + 1e-5);
    // 3.2 px either way, rounded: both ends are reached, and less often than the others.
    for shift in [|map: &crate::Affine| map.right_px, |map: &crate::Affine| map.down_px] {
        let count = |px| maps.iter().filter(|map| shift(map) == px).count() as f64;
        assert_eq!(maps.iter().map(shift).collect::<HashSet<_>>(), (-3..=3).collect());
        assert!(count(3) < 0.8 * count(0) && count(-3) < 0.8 * count(0));
    }
}

#[test]
fn cutouts_reach_every_position_alike() {
    let config = PipelineConfig { cutout: CutoutConfig { p: 0.5, area: 0.765 }, ..PipelineConfig::default() };
    let cuts: Vec<_> = views(&config, 32, 32).iter().filter_map(|view| view.cutout).collect();
    assert!((cuts.len() as f64 / f64::from(VIEWS) - 0.5).abs() < 0.018);
    let mut counts = std::collections::HashMap::new();
    for cut in &cuts {
        // sqrt(0.765) · 32 = 27.99.
        assert_eq!((cut.height_px, cut.width_px), (28, 28));
        *counts.entry((cut.top_px, cut.left_px)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 25);
    // 400 expected; five standard deviations.
    assert!(counts.values().all(|count| (300..=500).contains(count)), "{counts:?}");
    let whole = PipelineConfig { cutout: CutoutConfig { p: 1.0, area: 0.9999 }, ..PipelineConfig::default() };
    assert!(views(&whole, 32, 32).iter().all(|view| view.cutout.is_none()), "as large as the view: none, as in torchvision");
}
