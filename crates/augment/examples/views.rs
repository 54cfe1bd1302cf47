//! Writes a few images and, beside each, K views of it: `cargo run --release -p relata-augment --example views [OUT.png]`.

use std::error::Error;

use image::RgbImage;
use relata_augment::{Crop, Pipeline, Scratch, ViewKey};
use relata_data::{DataConfig, Split, open};

const SIDE: usize = 96;
const VIEWS: usize = 8;
const GAP: usize = 4;

/// Copies a view, `[SIDE, SIDE, 3]` in [0, 1], to a cell of the grid.
fn put(grid: &mut RgbImage, column: usize, row: usize, view: &[f32]) {
    for (i, pixel) in view.as_chunks::<3>().0.iter().enumerate() {
        let (x, y) = (column * (SIDE + GAP) + i % SIDE, row * (SIDE + GAP) + i / SIDE);
        grid.put_pixel(x as u32, y as u32, image::Rgb(pixel.map(|v| (v * 255.0).round() as u8)));
    }
}

#[allow(clippy::print_stdout)] // An example's output.
fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "views.png".to_owned());
    let (relational, whole) = (Pipeline::relational(SIDE)?, Pipeline::evaluation(SIDE)?);
    let (mut scratch, mut view) = (Scratch::default(), vec![0.0; relational.view_len()]);
    let dataset = open(&DataConfig { limit: 3, ..DataConfig::default() }, Split::Train)?;
    let white = image::Rgb([255; 3]);
    let mut grid =
        RgbImage::from_pixel(((VIEWS + 1) * (SIDE + GAP) - GAP) as u32, (dataset.len() * (SIDE + GAP) - GAP) as u32, white);
    for row in 0..dataset.len() {
        let image = dataset.image(row)?;
        whole.view_into(&image, ViewKey::default(), &mut view, &mut scratch);
        put(&mut grid, 0, row, &view);
        for k in 0..VIEWS {
            let key = ViewKey { seed: 1, epoch: 0, image: row as u64, view: k as u32 };
            let parameters = relational.parameters(key, image.width_px(), image.height_px());
            relational.apply(&parameters, &image, &mut view, &mut scratch)?;
            put(&mut grid, k + 1, row, &view);
            if let Crop::Resized(crop) = parameters.crop {
                let (w, h, x, y) = (crop.width_px, crop.height_px, crop.left_px, crop.top_px);
                let (flip, jitter, gray) = (parameters.flip, parameters.jitter.is_some(), parameters.grayscale);
                println!("image {row}, view {k}: {w} x {h} px at ({x}, {y}), flip {flip}, jitter {jitter}, grayscale {gray}");
            }
        }
    }
    grid.save(&path)?;
    println!("{path}: {} images, {VIEWS} views each, the whole image first", dataset.len());
    Ok(())
}
