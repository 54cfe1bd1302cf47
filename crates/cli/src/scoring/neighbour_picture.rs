//! Images beside their nearest neighbours, as PNG.

use image::{Rgb, RgbImage};

use super::neighbours::Found;
use crate::Result;
use crate::data::picture::{PAPER, encode, enlargement, paint};

/// Around a tile that may have a frame, the frame in it, and a dash of a broken one.
const MARGIN_PX: usize = 8;
const FRAME_PX: usize = 4;
const DASH_PX: usize = 8;
/// Told apart by colour-blind eyes too, and by their form on paper.
const SAME: Rgb<u8> = Rgb([0, 158, 115]);
const OTHER: Rgb<u8> = Rgb([213, 94, 0]);

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

#[cfg(test)]
mod tests {
    use super::*;

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
