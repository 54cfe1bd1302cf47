//! Draws a contact sheet of the embedded shapes: a row for each class, plain images on the left, hard ones on the right.
//!
//! `cargo run --release -p relata-data --example contact_sheet [FILE.png]`

#![allow(clippy::print_stdout, reason = "an example speaks to its user")]

use relata_data::{Dataset, Difficulty, Image, Shapes, ShapesOptions};

const SIDE_PX: usize = 64;
const GAP_PX: usize = 6;
const COLUMNS_EACH: usize = 8;
const PAPER: u8 = 250;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "shapes.png".to_owned());
    let open = |difficulty| Shapes::new(ShapesOptions { difficulty, side_px: SIDE_PX, ..ShapesOptions::default() });
    let halves = [open(Difficulty::Plain)?, open(Difficulty::Hard)?];
    let classes = halves[0].class_names().len();

    let cell_px = SIDE_PX + GAP_PX;
    let (columns, rows) = (2 * COLUMNS_EACH, classes);
    // One wider gap between the halves.
    let (width_px, height_px) = (columns * cell_px + 3 * GAP_PX, rows * cell_px + GAP_PX);
    let mut sheet = vec![PAPER; width_px * height_px * 3];
    for row in 0..rows {
        for column in 0..columns {
            let half = column / COLUMNS_EACH;
            // The classes take turns, so that image `n * classes + c` is the n-th of class c.
            let image = halves[half].image(column % COLUMNS_EACH * classes + row)?;
            let left_px = GAP_PX + column * cell_px + half * 2 * GAP_PX;
            paste(&mut sheet, width_px, &image, left_px, GAP_PX + row * cell_px);
        }
    }
    image::save_buffer(&file, &sheet, width_px as u32, height_px as u32, image::ExtendedColorType::Rgb8)?;
    println!("{file}: {rows} classes, plain on the left, hard on the right");
    Ok(())
}

fn paste(sheet: &mut [u8], width_px: usize, image: &Image, left_px: usize, top_px: usize) {
    let row_bytes = image.width_px() * 3;
    for (y, row) in image.rgb().chunks_exact(row_bytes).enumerate() {
        let at = ((top_px + y) * width_px + left_px) * 3;
        sheet[at..at + row_bytes].copy_from_slice(row);
    }
}
