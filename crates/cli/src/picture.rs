//! Grids of small pictures as PNG, for people to look at: images beside their views.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use relata_augment::{Pipeline, PipelineConfig, ViewKey};
use relata_data::{Dataset, Image};

use crate::neighbours::Found;
use crate::{Error, Result};

/// Small tiles are enlarged by a whole factor up to about this side.
const TILE_PX: usize = 96;
const GAP_PX: usize = 2;
/// Around a tile that may have a frame, the frame in it, and a dash of a broken one.
const MARGIN_PX: usize = 8;
const FRAME_PX: usize = 4;
const DASH_PX: usize = 8;
const PAPER: Rgb<u8> = Rgb([255; 3]);
/// Told apart by colour-blind eyes too, and by their form on paper.
const SAME: Rgb<u8> = Rgb([0, 158, 115]);
const OTHER: Rgb<u8> = Rgb([213, 94, 0]);
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

/// Images with their neighbours as the report wants them: tiles of their own size, no gaps.
pub(crate) fn tiles_png(found: &Found) -> Result<Vec<u8>> {
    let (side, columns) = (found.record.tile_px, found.record.columns);
    let mut picture = RgbImage::from_pixel((columns * side) as u32, (found.record.rows.len() * side) as u32, PAPER);
    let mut tiles = found.tiles.iter();
    for (row, record) in found.record.rows.iter().enumerate() {
        for (column, tile) in tiles.by_ref().take(1 + record.found.len()).enumerate() {
            paint(&mut picture, tile, side, 1, column * side, row * side);
        }
    }
    encode(&picture)
}

/// The same to be looked at alone: enlarged, a neighbour of the same class in a whole green frame, one of another class in a
/// broken orange one.
pub(crate) fn neighbours_png(found: &Found) -> Result<Vec<u8>> {
    let (side, columns) = (found.record.tile_px, found.record.columns);
    let factor = enlargement(side);
    let pitch = side * factor + 2 * MARGIN_PX;
    let mut picture = RgbImage::from_pixel((columns * pitch) as u32, (found.record.rows.len() * pitch) as u32, PAPER);
    let mut tiles = found.tiles.iter();
    for (row, record) in found.record.rows.iter().enumerate() {
        for (column, tile) in tiles.by_ref().take(1 + record.found.len()).enumerate() {
            let (left, top) = (column * pitch, row * pitch);
            paint(&mut picture, tile, side, factor, left + MARGIN_PX, top + MARGIN_PX);
            let neighbour = column.checked_sub(1).map(|place| &record.found[place]);
            if let Some(same) = neighbour.and_then(|found| record.is_same_class(found)) {
                frame(&mut picture, left, top, pitch, same);
            }
        }
    }
    encode(&picture)
}

/// A frame inside the margin of a tile's square.
fn frame(picture: &mut RgbImage, left: usize, top: usize, pitch: usize, whole: bool) {
    let colour = if whole { SAME } else { OTHER };
    let (inner, outer) = (MARGIN_PX - 1, MARGIN_PX - 1 - FRAME_PX);
    for (y, x) in (0..pitch).flat_map(|y| (0..pitch).map(move |x| (y, x))) {
        let from_edge = x.min(y).min(pitch - 1 - x).min(pitch - 1 - y);
        let along = if x.min(pitch - 1 - x) < y.min(pitch - 1 - y) { y } else { x };
        if (outer..inner).contains(&from_edge) && (whole || (along / DASH_PX).is_multiple_of(2)) {
            picture.put_pixel((left + x) as u32, (top + y) as u32, colour);
        }
    }
}

/// One tile at a place of the picture, each pixel `factor` times as large.
fn paint(picture: &mut RgbImage, tile: &[f32], side_px: usize, factor: usize, left: usize, top: usize) {
    let side = side_px * factor;
    for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
        let at = (y / factor * side_px + x / factor) * 3;
        let byte = |channel: usize| (tile[at + channel].clamp(0.0, 1.0) * 255.0).round() as u8;
        picture.put_pixel((left + x) as u32, (top + y) as u32, Rgb([byte(0), byte(1), byte(2)]));
    }
}

fn enlargement(side_px: usize) -> usize {
    (TILE_PX / side_px).max(1)
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
    fn a_neighbour_of_another_class_has_a_broken_frame() {
        use relata_artifact::{Neighbour, NeighbourRow, Neighbours};
        let named = |name: &str| Neighbour { class: Some(name.into()), ..Neighbour::default() };
        let row = NeighbourRow { class: Some("cat".into()), found: vec![named("cat"), named("dog")], ..NeighbourRow::default() };
        let record = Neighbours { tile_px: 96, columns: 3, rows: vec![row], ..Neighbours::default() };
        let found = Found { record, tiles: vec![vec![0.0; 96 * 96 * 3]; 3] };
        let picture = image::load_from_memory(&neighbours_png(&found).unwrap()).unwrap().to_rgb8();
        let count = |column: u32, colour| {
            let square = (0..112).flat_map(|y| (0..112).map(move |x| (column * 112 + x, y)));
            square.filter(|&(x, y)| *picture.get_pixel(x, y) == colour).count()
        };
        assert_eq!([count(0, SAME), count(0, OTHER)], [0, 0], "the asking image has none");
        assert_eq!(count(1, SAME), 106 * 106 - 98 * 98);
        let broken = count(2, OTHER);
        assert!(broken > count(1, SAME) / 3 && broken < count(1, SAME) * 2 / 3, "{broken}");
        assert_eq!(image::load_from_memory(&tiles_png(&found).unwrap()).unwrap().to_rgb8().dimensions(), (288, 96));
    }
}
