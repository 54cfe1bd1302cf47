//! Grids of small pictures as PNG, for people to look at: images beside their views.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use relata_augment::{Pipeline, PipelineConfig, ViewFormat, ViewKey};
use relata_data::{Dataset, Image};

use crate::{Error, Result};

/// Small tiles are enlarged by a whole factor up to about this side.
const TILE_PX: usize = 96;
const GAP_PX: usize = 2;
pub(crate) const PAPER: Rgb<u8> = Rgb([255; 3]);
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
    let pipeline = Pipeline::new(&plain, ViewFormat::plain(side_px))?;
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

/// Tiles `[side, side, 3]` in [0, 1], row by row, enlarged, with a gap between.
fn grid_png(tiles: &[Vec<f32>], columns: usize, side_px: usize) -> Result<Vec<u8>> {
    let factor = enlargement(side_px);
    let (pitch, rows) = (side_px * factor + GAP_PX, tiles.len().div_ceil(columns));
    let mut picture = RgbImage::from_pixel((columns * pitch - GAP_PX) as u32, (rows * pitch - GAP_PX) as u32, PAPER);
    for (index, tile) in tiles.iter().enumerate() {
        paint(&mut picture, tile, side_px, factor, index % columns * pitch, index / columns * pitch);
    }
    encode(&picture)
}

/// One tile at a place of the picture, each pixel `factor` times as large.
pub(crate) fn paint(picture: &mut RgbImage, tile: &[f32], side_px: usize, factor: usize, left: usize, top: usize) {
    let side = side_px * factor;
    for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
        let at = (y / factor * side_px + x / factor) * 3;
        let byte = |channel: usize| (tile[at + channel].clamp(0.0, 1.0) * 255.0).round() as u8;
        picture.put_pixel((left + x) as u32, (top + y) as u32, Rgb([byte(0), byte(1), byte(2)]));
    }
}

pub(crate) fn enlargement(side_px: usize) -> usize {
    (TILE_PX / side_px).max(1)
}

/// An image as PNG.
pub(crate) fn png(image: Image) -> Result<Vec<u8>> {
    let (width_px, height_px) = (image.width_px() as u32, image.height_px() as u32);
    encode(&RgbImage::from_raw(width_px, height_px, image.into_rgb()).expect("an image has as many bytes as its sides say"))
}

pub(crate) fn encode(picture: &RgbImage) -> Result<Vec<u8>> {
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
}
