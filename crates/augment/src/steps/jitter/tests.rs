use proptest::prelude::*;

use super::{Adjust, turned};
use crate::canvas::{BLOCK, Canvas, Change, Normalise};
use crate::step::Step;
use crate::steps::{Grayscale, Invert};
use crate::{Adjustment, Jitter, JitterConfig};

/// A few roundings of values up to 1 (of hues up to 6).
const CLOSE: f32 = 3e-6;

const PLAIN: Normalise = Normalise { mean: [0.0; 3], inverse_std: [1.0; 3] };

/// Interleaved pixels of a square view through the changes.
fn changed<C: Change>(list: &[C], normalise: &Normalise, pixels: &[[f32; 3]]) -> Vec<[f32; 3]> {
    let padded = pixels.len().next_multiple_of(BLOCK);
    // What lies in the padding must not matter.
    let mut planes = [0, 1, 2].map(|c| pixels.iter().map(|pixel| pixel[c]).chain(std::iter::repeat(0.7)).take(padded).collect());
    let (mut waiting, mut workspace, mut out) = (Vec::new(), Vec::new(), vec![0.0; pixels.len() * 3]);
    let mut canvas = Canvas::new(pixels.len().isqrt(), &mut planes, &mut waiting, &mut workspace);
    canvas.change(list.iter().copied(), |change| change);
    canvas.write(normalise, &mut out);
    out.as_chunks().0.to_vec()
}

/// Views of these sides.
fn pixels(sides: std::ops::Range<usize>) -> impl Strategy<Value = Vec<[f32; 3]>> {
    // Bytes, so that ties and grays occur.
    let pixel = || prop::array::uniform3(0_u8..=255).prop_map(|pixel| pixel.map(|v| f32::from(v) / 255.0));
    sides.prop_flat_map(move |side| prop::collection::vec(pixel(), side * side))
}

fn assert_close(ours: &[[f32; 3]], theirs: &[[f32; 3]]) {
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        for channel in 0..3 {
            let difference = (ours[channel] - theirs[channel]).abs();
            assert!(difference <= CLOSE, "pixel {index}, channel {channel}: {} against {}", ours[channel], theirs[channel]);
        }
    }
}

/// The hue's turn by the textbook: RGB to HSV, hue + turns, HSV to RGB by the six cases; f64.
fn reference_hue([r, g, b]: [f32; 3], turns: f32) -> [f32; 3] {
    let (r, g, b) = (f64::from(r), f64::from(g), f64::from(b));
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let chroma = max - min;
    let hue = if chroma == 0.0 {
        0.0
    } else if max == r {
        (g - b) / chroma
    } else if max == g {
        (b - r) / chroma + 2.0
    } else {
        (r - g) / chroma + 4.0
    };
    let hue = (hue + f64::from(turns) * 6.0).rem_euclid(6.0);
    let saturation = if max == 0.0 { 0.0 } else { chroma / max };
    let f = hue - hue.floor();
    let (p, q, t) = (max * (1.0 - saturation), max * (1.0 - saturation * f), max * (1.0 - saturation * (1.0 - f)));
    let rgb = match hue.floor() as usize % 6 {
        0 => [max, t, p],
        1 => [q, max, p],
        2 => [p, max, t],
        3 => [p, q, max],
        4 => [t, p, max],
        _ => [max, p, q],
    };
    rgb.map(|v| v as f32)
}

proptest! {
    #[test]
    fn hue_turns_as_the_textbook_says(pixels in pixels(1..10), turns in -0.5_f32..=0.5) {
        let expected: Vec<_> = pixels.iter().map(|&pixel| reference_hue(pixel, turns)).collect();
        assert_close(&changed(&[Adjust::Hue(turns)], &PLAIN, &pixels), &expected);
    }

    #[test]
    fn a_hue_of_zero_is_the_identity(pixels in pixels(1..10)) {
        let turned: Vec<_> = pixels.iter().map(|&pixel| turned(pixel, 0.0)).collect();
        assert_close(&turned, &pixels);
    }

    #[test]
    fn three_thirds_of_a_turn_come_home(pixels in pixels(1..10)) {
        let third = Adjust::Hue(1.0 / 3.0);
        assert_close(&changed(&[third, third, third], &PLAIN, &pixels), &pixels);
        let expected: Vec<_> = pixels.iter().map(|&[r, g, b]| [b, r, g]).collect();
        assert_close(&changed(&[third], &PLAIN, &pixels), &expected);
    }

    #[test]
    fn contrast_moves_values_from_the_mean_gray(pixels in pixels(1..15), factor in 0.0_f32..2.0, brightness in 0.2_f32..1.0) {
        let dimmed: Vec<_> = pixels.iter().map(|pixel| pixel.map(|v| v * brightness)).collect();
        let gray = |[r, g, b]: [f32; 3]| 0.2989 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
        let mean = dimmed.iter().map(|&pixel| gray(pixel)).sum::<f64>() / dimmed.len() as f64;
        let expected: Vec<_> = dimmed.iter().map(|pixel| pixel.map(|v| (v * factor + mean as f32 * (1.0 - factor)).clamp(0.0, 1.0))).collect();
        let contrast = Adjust::Contrast { factor, mean: f32::NAN };
        assert_close(&changed(&[Adjust::Brightness(brightness), contrast], &PLAIN, &pixels), &expected);
    }

    #[test]
    fn inverted_twice_is_the_identity(pixels in pixels(1..10)) {
        assert_close(&changed(&[Invert, Invert], &PLAIN, &pixels), &pixels);
    }

    #[test]
    fn gray_channels_are_equal_and_gray_stays_gray(pixels in pixels(1..10)) {
        let gray = changed(&[Grayscale], &PLAIN, &pixels);
        prop_assert!(gray.iter().all(|[r, g, b]| r == g && g == b));
        let none = changed(&[Adjust::Saturation(0.0)], &PLAIN, &pixels);
        assert_close(&none, &gray);
    }

    #[test]
    fn values_stay_in_range(
        pixels in pixels(1..10), brightness in 0.0_f32..3.0, factor in 0.0_f32..3.0, saturation in 0.0_f32..3.0, hue in -0.5_f32..=0.5,
    ) {
        let mean = 0.0;
        let list = [Adjust::Hue(hue), Adjust::Brightness(brightness), Adjust::Contrast { factor, mean }, Adjust::Saturation(saturation), Adjust::Hue(hue)];
        let out = changed(&list, &PLAIN, &pixels);
        prop_assert!(out.iter().flatten().all(|v| (0.0..=1.0).contains(v)));
    }

    #[test]
    fn normalised_values_are_subtracted_and_divided(pixels in pixels(1..15)) {
        let normalise = Normalise { mean: [0.1, 0.2, 0.3], inverse_std: [2.0, 4.0, 8.0] };
        let expected: Vec<_> = pixels.iter().map(|[r, g, b]| [(r - 0.1) * 2.0, (g - 0.2) * 4.0, (b - 0.3) * 8.0]).collect();
        prop_assert_eq!(changed::<Invert>(&[], &normalise, &pixels), expected);
    }
}

#[test]
fn changes_run_in_the_jitters_order_without_those_that_change_nothing() {
    use Adjustment::{Brightness, Contrast, Hue, Saturation};
    let jitter =
        Jitter { order: [Hue, Contrast, Brightness, Saturation], brightness: 0.5, contrast: 1.5, saturation: 1.0, hue: 0.1 };
    let changes: Vec<_> = JitterConfig::changes(Some(jitter)).collect();
    assert_eq!(changes, [Adjust::Hue(0.1), Adjust::Contrast { factor: 1.5, mean: 0.0 }, Adjust::Brightness(0.5)]);
    assert_eq!(JitterConfig::changes(None).count(), 0);
}
