use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::figure::{Figure, Paint};
use super::scene::{Scene, brightness, numbers};
use super::{Difficulty, Shapes, ShapesOptions};
use crate::{Dataset, Error, Split};

fn shapes(options: ShapesOptions) -> Shapes {
    Shapes::new(options).unwrap()
}

/// The figure's distance at each of the points.
fn distances(figure: Figure, points: &[[f32; 2]]) -> Vec<f32> {
    struct Collect<'a>(&'a [[f32; 2]], &'a mut Vec<f32>);
    impl Paint for Collect<'_> {
        fn run(self, distance: impl Fn([f32; 2]) -> f32) {
            self.1.extend(self.0.iter().map(|&point| distance(point)));
        }
    }
    let mut found = Vec::new();
    figure.with_distance(Collect(points, &mut found));
    found
}

/// Points on a circle about the origin.
fn circle(radius: f32, count: usize) -> Vec<[f32; 2]> {
    let turn = std::f32::consts::TAU / count as f32;
    (0..count).map(|i| (i as f32 * turn).sin_cos()).map(|(sin, cos)| [radius * sin, radius * cos]).collect()
}

#[test]
fn the_pixels_never_change() {
    // If this fails on purpose, raise DRAWING: the same options now draw other pixels.
    let digest = |options: ShapesOptions| {
        let shapes = shapes(options);
        let mut sha = Sha256::new();
        (0..50).for_each(|index| sha.update(shapes.image(index).unwrap().rgb()));
        sha.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let test_hard = ShapesOptions { split: Split::Test, difficulty: Difficulty::Hard, seed: 7, ..Default::default() };
    assert_eq!([digest(ShapesOptions::default()), digest(test_hard)], ["d0addb474dfa9f28", "790d5c19e22cd5e7"]);
}

#[test]
fn an_image_does_not_depend_on_those_before_it() {
    let (one, other) = (shapes(ShapesOptions::default()), shapes(ShapesOptions::default()));
    let forwards: Vec<_> = (0..20).map(|index| one.image(index).unwrap()).collect();
    let backwards: Vec<_> = (0..20).rev().map(|index| other.image(index).unwrap()).collect();
    assert!(forwards.iter().eq(backwards.iter().rev()));
}

#[test]
fn no_test_image_is_a_training_image_or_of_another_seed() {
    let pixels = |split, seed| {
        let shapes = shapes(ShapesOptions { split, seed, ..Default::default() });
        (0..500).map(|index| shapes.image(index).unwrap().into_rgb()).collect::<Vec<_>>()
    };
    let all = [pixels(Split::Train, 1), pixels(Split::Test, 1), pixels(Split::Train, 2)].concat();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 1500);
}

#[test]
fn unlabelled_is_the_training_images_without_labels() {
    let train = shapes(ShapesOptions::default());
    let unlabelled = shapes(ShapesOptions { split: Split::Unlabelled, ..Default::default() });
    assert_eq!(unlabelled.image(4).unwrap(), train.image(4).unwrap());
    assert_eq!((train.label(14), unlabelled.label(14)), (Some(4), None));
    assert_eq!((train.class_names().len(), unlabelled.class_names().len()), (10, 0));
    assert_ne!(train.fingerprint(), unlabelled.fingerprint());
}

#[test]
fn figure_and_background_always_differ_in_brightness_either_way() {
    let (mut brighter, mut darker) = (0, 0);
    for stream in 0..1000 {
        let scene = Scene::draw(&mut numbers(1, stream), Difficulty::Plain);
        let contrast = brightness(scene.foreground) - brightness(scene.background);
        assert!(contrast.abs() >= 0.25, "scene {stream}: {contrast}");
        *(if contrast > 0.0 { &mut brighter } else { &mut darker }) += 1;
    }
    // 1000 throws of a coin: five standard deviations are 79.
    assert!((420..=580).contains(&brighter), "{brighter} brighter, {darker} darker");
}

#[test]
fn colours_say_nothing_of_the_class() {
    let shapes = shapes(ShapesOptions::default());
    let mut sums = [[0.0_f64; 2]; 10];
    for index in 0..5000 {
        let image = shapes.image(index).unwrap();
        let mean = image.rgb().iter().map(|&v| f64::from(v)).sum::<f64>() / image.rgb().len() as f64;
        let sum = &mut sums[index % 10];
        *sum = [sum[0] + mean, sum[1] + mean * mean];
    }
    let of_all = sums.iter().map(|sum| sum[0]).sum::<f64>() / 5000.0;
    for (figure, [sum, squares]) in Figure::ALL.iter().zip(sums) {
        let mean = sum / 500.0;
        let standard_error = ((squares / 500.0 - mean * mean) / 500.0).sqrt();
        assert!((mean - of_all).abs() < 4.0 * standard_error, "{figure:?}: {mean:.1}, all: {of_all:.1}, +- {standard_error:.1}");
    }
}

#[test]
fn figures_reach_about_one_unit() {
    for figure in Figure::ALL {
        assert!(distances(figure, &circle(1.15, 360)).iter().all(|&d| d > 0.0), "{figure:?} reaches too far");
        assert!(distances(figure, &circle(0.85, 360)).iter().any(|&d| d < 0.0), "{figure:?} is too small");
    }
}

#[test]
fn a_distance_is_never_longer_than_the_way() {
    // A signed distance changes no faster than the point moves: otherwise edges would be drawn too sharp.
    let points: Vec<[f32; 2]> =
        (0..60).flat_map(|y| (0..60).map(move |x| [x as f32 / 20.0 - 1.49, y as f32 / 20.0 - 1.51])).collect();
    let moved: Vec<[f32; 2]> = points.iter().map(|[x, y]| [x + 0.006, y - 0.008]).collect();
    for figure in Figure::ALL {
        for (point, (a, b)) in points.iter().zip(distances(figure, &points).iter().zip(distances(figure, &moved))) {
            // 0.01 is the way, the rest f32 rounding.
            assert!((a - b).abs() < 0.01 + 1e-5, "{figure:?} at {point:?}: {a} to {b}");
        }
    }
}

#[test]
fn star_and_burst_have_equal_points() {
    for (figure, points) in [(Figure::Star, 5), (Figure::Burst, 8)] {
        for radius in [0.5, 0.7, 0.9, 1.2] {
            let around = distances(figure, &circle(radius, 20 * points));
            for (place, distance) in around.iter().enumerate() {
                // f32 rounding of the folds and of the circle.
                assert!((distance - around[place % 20]).abs() < 2e-6, "{figure:?}, radius {radius}, place {place}");
            }
        }
        let (tip, notch) = (distances(figure, &[[0.0, 0.9]])[0], distances(figure, &circle(0.9, 2 * points))[1]);
        assert!(tip < 0.0 && notch > 0.0, "{figure:?}: a tip at {tip}, a notch at {notch}");
    }
}

#[test]
fn figures_differ_from_each_other_at_any_turn() {
    let points: Vec<[f32; 2]> = (1..=11).flat_map(|ring| circle(ring as f32 * 0.1, 72)).collect();
    let inside = |figure| distances(figure, &points).iter().map(|d| *d < 0.0).collect::<Vec<_>>();
    for (i, one) in Figure::ALL.into_iter().enumerate() {
        for other in Figure::ALL.into_iter().skip(i + 1) {
            let (fixed, turning) = (inside(one), inside(other));
            let differing = |turn: usize| {
                let turned = |at: usize| turning[at / 72 * 72 + (at + turn) % 72];
                fixed.iter().enumerate().filter(|&(at, &inside)| inside != turned(at)).count()
            };
            let least = (0..72).map(differing).min().unwrap();
            assert!(least >= 40, "{one:?} and {other:?} differ in {least} of {} points only", points.len());
        }
    }
}

#[test]
fn a_larger_side_shows_the_same_picture() {
    let small = shapes(ShapesOptions::default());
    let large = shapes(ShapesOptions { side_px: 64, ..Default::default() });
    for index in 0..20 {
        let (small, large) = (small.image(index).unwrap(), large.image(index).unwrap());
        let mut off = 0.0;
        for (x, y) in (0..32).flat_map(|y| (0..32).map(move |x| (x, y))) {
            let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| large.pixel(2 * x + dx, 2 * y + dy));
            for channel in 0..3 {
                let mean = four.iter().map(|pixel| f32::from(pixel[channel])).sum::<f32>() / 4.0;
                off += (mean - f32::from(small.pixel(x, y)[channel])).abs() / 3072.0;
            }
        }
        // Noise of 7.7 grey levels against a mean of four such: 6.8 on average; the edges add a little.
        assert!(off < 9.0, "image {index}: {off}");
    }
}

#[test]
fn hard_images_are_the_plain_ones_with_more_in_the_way() {
    for stream in 0..200 {
        let [plain, hard] = [Difficulty::Plain, Difficulty::Hard].map(|level| Scene::draw(&mut numbers(3, stream), level));
        assert_eq!((plain.foreground, plain.centre, plain.turn), (hard.foreground, hard.centre, hard.turn));
        assert!(plain.dots.len() <= 1 && plain.dots.len() <= hard.dots.len() && hard.dots.len() <= 4);
        assert!(plain.stripes.tint.iter().all(|t| t.abs() <= 0.06));
    }
}

#[test]
fn options_out_of_range_are_named() {
    for (options, name) in [
        (ShapesOptions { side_px: 7, ..Default::default() }, "side_px"),
        (ShapesOptions { side_px: 1025, ..Default::default() }, "side_px"),
        (ShapesOptions { train_images: 0, ..Default::default() }, "train_images"),
        (ShapesOptions { test_images: 0, ..Default::default() }, "test_images"),
    ] {
        assert!(matches!(Shapes::new(options), Err(Error::Setting { key, .. }) if key == name));
    }
}

#[test]
fn an_index_past_the_end_is_an_error() {
    let shapes = shapes(ShapesOptions::default());
    assert!(matches!(shapes.image(10_000), Err(Error::IndexOutOfRange { index: 10_000, len: 10_000 })));
    assert_eq!(shapes.label(10_000), None);
}
