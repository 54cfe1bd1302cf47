use image::RgbImage;
use image::imageops::{FilterType, resize};

use crate::{Dataset, Error, Image, Result};

/// How a [`contact_sheet`] is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactSheetOptions {
    /// Images a row. Default 8.
    pub columns: usize,
    /// At most as many rows. Default 20.
    pub rows: usize,
    /// Side of the square that an image is fitted into. Default 96.
    pub tile_px: usize,
    /// White between two tiles. Default 2.
    pub gap_px: usize,
}

impl Default for ContactSheetOptions {
    fn default() -> Self {
        Self { columns: 8, rows: 20, tile_px: 96, gap_px: 2 }
    }
}

/// Many small pictures in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactSheet {
    /// The picture.
    pub image: Image,
    /// The rows from top to bottom: the class, `None` for images without labels, and the images by index.
    pub rows: Vec<(Option<usize>, Vec<usize>)>,
}

/// A row for each class that has images, in label order, with the first images of the class; images without labels in rows in
/// the order of their indices.
///
/// An image keeps its proportions and is centred in its tile: a small one is enlarged by the greatest whole factor that fits, so
/// that its pixels stay squares, a large one is shrunk (triangle filter). What an image leaves of its tile is white.
///
/// # Errors
/// [`Error::Setting`] where an option is zero or the picture would have over 100 million pixels; an image that cannot be read;
/// [`Error::IndexOutOfRange`] where there are no images.
pub fn contact_sheet(dataset: &dyn Dataset, options: &ContactSheetOptions) -> Result<ContactSheet> {
    let ContactSheetOptions { columns, rows, tile_px, gap_px } = *options;
    for (key, value) in [("columns", columns), ("rows", rows), ("tile_px", tile_px)] {
        if value == 0 {
            return Err(Error::Setting { key, value: value.to_string(), allowed: "1 or more" });
        }
    }
    let rows = pick(dataset, columns, rows);
    let Some(widest) = rows.iter().map(|(_, images)| images.len()).max() else {
        return Err(Error::IndexOutOfRange { index: 0, len: dataset.len() });
    };
    let extent = |count: usize| (tile_px.checked_add(gap_px)?.checked_mul(count)?).checked_sub(gap_px);
    let pixels = |(width, height): (usize, usize)| width.checked_mul(height).filter(|pixels| *pixels <= MAX_PIXELS);
    let sides = extent(widest).zip(extent(rows.len())).filter(|&sides| pixels(sides).is_some());
    let Some((width_px, height_px)) = sides else {
        let allowed = "fewer or smaller tiles: at most 100 million pixels in all";
        return Err(Error::Setting { key: "tile_px", value: tile_px.to_string(), allowed });
    };
    let mut sheet = RgbImage::from_pixel(width_px as u32, height_px as u32, image::Rgb([255; 3]));
    for (row, (_, images)) in rows.iter().enumerate() {
        for (column, &index) in images.iter().enumerate() {
            let tile = fit(dataset.image(index)?, tile_px as u32);
            let centred = |tile: usize, side: u32| (tile * (tile_px + gap_px) + (tile_px - side as usize) / 2) as i64;
            image::imageops::replace(&mut sheet, &tile, centred(column, tile.width()), centred(row, tile.height()));
        }
    }
    let image = Image::new(width_px, height_px, sheet.into_raw()).expect("a sheet has a tile at least");
    Ok(ContactSheet { image, rows })
}

const MAX_PIXELS: usize = 100_000_000;

fn pick(dataset: &dyn Dataset, columns: usize, max_rows: usize) -> Vec<(Option<usize>, Vec<usize>)> {
    let mut classes: Vec<Vec<usize>> = vec![Vec::new(); dataset.class_names().len()];
    let mut unlabelled = Vec::new();
    for index in 0..dataset.len() {
        match dataset.label(index).and_then(|label| classes.get_mut(label)) {
            Some(images) if images.len() < columns => images.push(index),
            None if unlabelled.len() / columns < max_rows => unlabelled.push(index),
            _ => {}
        }
    }
    let labelled = classes.into_iter().enumerate().filter(|(_, images)| !images.is_empty());
    let labelled = labelled.map(|(label, images)| (Some(label), images));
    labelled.chain(unlabelled.chunks(columns).map(|images| (None, images.to_vec()))).take(max_rows).collect()
}

fn fit(image: Image, tile_px: u32) -> RgbImage {
    let (width, height) = (image.width_px() as u32, image.height_px() as u32);
    let longest = width.max(height);
    let picture = RgbImage::from_raw(width, height, image.into_rgb()).expect("an image has as many bytes as its sides say");
    if longest <= tile_px {
        let factor = tile_px / longest;
        return if factor == 1 { picture } else { resize(&picture, width * factor, height * factor, FilterType::Nearest) };
    }
    let scaled = |side: u32| ((u64::from(side) * u64::from(tile_px) + u64::from(longest) / 2) / u64::from(longest)).max(1) as u32;
    resize(&picture, scaled(width), scaled(height), FilterType::Triangle)
}
