use proptest::prelude::*;
use relata_data::Image;

use super::{Rows, Taps};
use crate::CropBox;

/// f32 against f64 over a handful of taps whose weights sum to 1, values up to 1.
const CLOSE: f64 = 2e-6;

/// The filter's definition, in f64: weight of each source pixel in one output.
fn reference_weights(source: usize, outputs: usize, output: usize) -> Vec<f64> {
    let step = source as f64 / outputs as f64;
    let support = step.max(1.0);
    let center = step * (output as f64 + 0.5);
    let weight = |pixel: usize| (1.0 - ((pixel as f64 + 0.5 - center) / support).abs()).max(0.0);
    let weights: Vec<f64> = (0..source).map(weight).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

fn dense(taps: &Taps, source: usize, output: usize) -> Vec<f64> {
    let mut weights = vec![0.0; source];
    for tap in 0..taps.per_output {
        weights[taps.first[output] as usize + tap] += f64::from(taps.weights[output * taps.per_output + tap]);
    }
    weights
}

fn taps(source: usize, outputs: usize) -> Taps {
    let mut taps = Taps::default();
    taps.fill(source, outputs);
    taps
}

/// 5 x 7 and the like: every byte different from its neighbours, the first pixel red.
fn image(width_px: usize, height_px: usize) -> Image {
    let mut bytes: Vec<u8> = (0..width_px * height_px * 3).map(|i| (i * 89 % 251) as u8).collect();
    bytes[..3].copy_from_slice(&[255, 0, 0]);
    Image::new(width_px, height_px, bytes).expect("the sides fit the bytes")
}

fn resize(image: &Image, crop: CropBox, side: usize, x: &Taps, y: &Taps) -> [Vec<f32>; 3] {
    let mut planes = [(); 3].map(|()| vec![0.0; side * side]);
    Rows::default().resize(image, crop, side, x, y, &mut planes);
    planes
}

proptest! {
    #[test]
    fn taps_are_the_triangle_filter(source in 1_usize..70, outputs in 1_usize..70) {
        let taps = taps(source, outputs);
        for output in 0..outputs {
            let expected = reference_weights(source, outputs, output);
            for (pixel, (ours, theirs)) in dense(&taps, source, output).iter().zip(&expected).enumerate() {
                prop_assert!((ours - theirs).abs() < CLOSE, "{source} -> {outputs}: output {output}, pixel {pixel}: {ours} against {theirs}");
            }
        }
    }

    #[test]
    fn reversed_twice_is_unchanged(source in 1_usize..40, outputs in 1_usize..40) {
        let (once, mut twice) = (taps(source, outputs), taps(source, outputs));
        twice.reverse();
        prop_assert_eq!(dense(&twice, source, 0), dense(&once, source, outputs - 1));
        twice.reverse();
        prop_assert_eq!(twice.first, once.first);
        prop_assert_eq!(twice.weights, once.weights);
    }

    #[test]
    fn shifted_taps_are_the_neighbours_taps_or_nothing(source in 1_usize..20, outputs in 1_usize..20, offset in -25_isize..25) {
        let (still, mut moved) = (taps(source, outputs), taps(source, outputs));
        moved.shift(offset);
        for output in 0..outputs {
            let origin = output as isize + offset;
            let expected = if (0..outputs as isize).contains(&origin) { dense(&still, source, origin as usize) } else { vec![0.0; source] };
            prop_assert_eq!(dense(&moved, source, output), expected);
        }
    }

    #[test]
    fn resized_planes_are_the_double_sum(
        (width, height) in (1_usize..30, 1_usize..30), side in 1_usize..40, corner in (0.0..1.0_f64, 0.0..1.0_f64), flip: bool,
    ) {
        let image = image(width, height);
        let (left_px, top_px) = ((corner.0 * width as f64) as usize, (corner.1 * height as f64) as usize);
        let crop = CropBox { top_px, left_px, height_px: height - top_px, width_px: width - left_px };
        let (mut x, y) = (taps(crop.width_px, side), taps(crop.height_px, side));
        if flip {
            x.reverse();
        }
        let planes = resize(&image, crop, side, &x, &y);
        for row in 0..side {
            for column in 0..side {
                let across = reference_weights(crop.width_px, side, if flip { side - 1 - column } else { column });
                let down = reference_weights(crop.height_px, side, row);
                for (channel, plane) in planes.iter().enumerate() {
                    let mut expected = 0.0;
                    for (j, wy) in down.iter().enumerate() {
                        for (i, wx) in across.iter().enumerate() {
                            expected += wy * wx * f64::from(image.pixel(left_px + i, top_px + j)[channel]) / 255.0;
                        }
                    }
                    let ours = f64::from(plane[row * side + column]);
                    prop_assert!((ours - expected).abs() < CLOSE, "row {row}, column {column}, channel {channel}: {ours} against {expected}");
                }
            }
        }
    }
}

#[test]
fn memory_of_a_larger_image_leaves_no_trace() {
    let (large, small) = (image(31, 29), image(5, 7));
    let mut rows = Rows::default();
    let mut planes = [(); 3].map(|()| vec![0.0; 81]);
    rows.resize(&large, CropBox::whole(31, 29), 9, &taps(31, 9), &taps(29, 9), &mut planes);
    rows.resize(&small, CropBox::whole(5, 7), 9, &taps(5, 9), &taps(7, 9), &mut planes);
    assert_eq!(planes, resize(&small, CropBox::whole(5, 7), 9, &taps(5, 9), &taps(7, 9)));
}
