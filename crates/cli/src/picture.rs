//! Grids of small pictures as PNG, for people to look at: images beside their views.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};
use relata_augment::{Pipeline, PipelineConfig, ViewKey};
use relata_data::{Dataset, Image};

use crate::{Error, Result};

/// Small tiles are enlarged by a whole factor up to about this side.
const TILE_PX: usize = 96;
const GAP_PX: usize = 2;
/// More would make each too small to see.
pub(crate) const MAX_VIEWS: usize = 8;

/// Rows of images: the original, then `views` of it as training gets them in epoch 0. PNG bytes.
///
/// # Errors
/// Where an image cannot be read.
pub(crate) fn views_png(
    dataset: &dyn Dataset,
    images: &[usize],
    config: &PipelineConfig,
    side_px: usize,
    seed: u64,
    views: usize,
) -> Result<Vec<u8>> {
    // Normalised by nothing: values in [0, 1] are what an eye wants. The keys alone decide the views.
    let plain = PipelineConfig { mean: vec![0.0; 3], std: vec![1.0; 3], ..config.clone() };
    let pipeline = Pipeline::new(&plain, side_px, [0.0; 3], [1.0; 3])?;
    let whole = pipeline.without_randomness();
    let mut tiles = Vec::with_capacity(images.len() * (views + 1));
    for &index in images {
        let image = dataset.image(index)?;
        let key = |view| ViewKey { seed, epoch: 0, image: index as u64, view };
        tiles.push(whole.view(&image, key(0)));
        tiles.extend((0..views as u32).map(|view| pipeline.view(&image, key(view))));
    }
    grid_png(&tiles, views + 1, pipeline.side_px())
}

/// The augmentation in words: `crop 0.4-1, flip p 0.5, jitter 0.8/0.8/0.8 hue 0.5 (p 0.9)`.
pub(crate) fn augmentation_in_words(config: &PipelineConfig) -> String {
    let PipelineConfig { crop, flip, jitter, grayscale, invert, .. } = config;
    let mut words = Vec::new();
    match crop.kind {
        relata_augment::CropKind::Resized => words.push(format!("crop {}-{}", crop.scale[0], crop.scale[1])),
        relata_augment::CropKind::Padded => words.push(format!("crop after padding {} px", crop.padding)),
        relata_augment::CropKind::Whole => {}
    }
    if flip.p > 0.0 {
        words.push(format!("flip p {}", flip.p));
    }
    if jitter.p > 0.0 {
        let relata_augment::JitterConfig { p, brightness, contrast, saturation, hue } = jitter;
        words.push(format!("jitter {brightness}/{contrast}/{saturation} hue {hue} (p {p})"));
    }
    for (name, p) in [("grayscale", grayscale.p), ("invert", invert.p)] {
        if p > 0.0 {
            words.push(format!("{name} p {p}"));
        }
    }
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// Tiles `[side, side, 3]` in [0, 1], row by row.
fn grid_png(tiles: &[Vec<f32>], columns: usize, side_px: usize) -> Result<Vec<u8>> {
    let factor = (TILE_PX / side_px).max(1);
    let (tile, rows) = (side_px * factor, tiles.len().div_ceil(columns));
    let extent = |count: usize| (count * (tile + GAP_PX) - GAP_PX) as u32;
    let mut picture = RgbImage::from_pixel(extent(columns), extent(rows), image::Rgb([255; 3]));
    for (index, values) in tiles.iter().enumerate() {
        let (left, top) = (index % columns * (tile + GAP_PX), index / columns * (tile + GAP_PX));
        for (y, x) in (0..tile).flat_map(|y| (0..tile).map(move |x| (y, x))) {
            let at = (y / factor * side_px + x / factor) * 3;
            let byte = |channel: usize| (values[at + channel].clamp(0.0, 1.0) * 255.0).round() as u8;
            picture.put_pixel((left + x) as u32, (top + y) as u32, image::Rgb([byte(0), byte(1), byte(2)]));
        }
    }
    encode(&picture)
}

/// An image as PNG.
pub(crate) fn png(image: Image) -> Result<Vec<u8>> {
    let (width_px, height_px) = (image.width_px() as u32, image.height_px() as u32);
    encode(&RgbImage::from_raw(width_px, height_px, image.into_rgb()).expect("an image has as many bytes as its sides say"))
}

fn encode(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).map_err(Error::Picture)?;
    Ok(png.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_lie_in_rows_and_keep_their_corners() {
        // Two tiles of 2 x 2 px: the first has a red corner top left, the second is black.
        let mut first = vec![0.0; 12];
        first[0] = 1.0;
        let png = grid_png(&[first, vec![0.0; 12]], 2, 2).unwrap();
        let picture = image::load_from_memory(&png).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (194, 96));
        assert_eq!(picture.get_pixel(0, 0).0, [255, 0, 0]);
        assert_eq!(picture.get_pixel(48, 0).0, [0, 0, 0]);
        assert_eq!(picture.get_pixel(97, 50).0, [255, 255, 255]);
        assert_eq!(picture.get_pixel(98, 0).0, [0, 0, 0]);
    }

    #[test]
    fn words_name_what_is_switched_on() {
        assert_eq!(augmentation_in_words(&PipelineConfig::evaluation()), "none");
        let words = augmentation_in_words(&PipelineConfig::default());
        assert_eq!(words, "crop 0.08-1, flip p 0.5, jitter 0.8/0.8/0.8 hue 0.2 (p 0.8), grayscale p 0.2");
    }
}
