//! Draws a few images and, beside each, K views of it: `cargo run --release -p relata-augment --example views [OUT.png]`.

use std::error::Error;

use image::RgbImage;
use relata_augment::{Crop, Pipeline, Scratch, ViewKey};
use relata_data::Image;

const SIDE: usize = 96;
const VIEWS: usize = 8;
const GAP: usize = 4;

/// A scene with an above and a below, a left and a right: sky, ground, a sun on one side, a house with a door on the other.
fn scene(number: usize) -> Option<Image> {
    let (width, height) = ([96, 128, 80][number % 3], [96, 96, 120][number % 3]);
    let tint = [[90, 150, 235], [240, 170, 120], [40, 50, 110]][number % 3];
    let pixel = |x: usize, y: usize| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        let sun = (u - 0.2).hypot(v - 0.2) < 0.11;
        let (roof, wall) =
            (v > 0.35 && v < 0.55 && (u - 0.68).abs() < v - 0.35, (0.55..0.8).contains(&v) && (u - 0.68).abs() < 0.16);
        let door = (0.66..0.8).contains(&v) && (u - 0.75).abs() < 0.035;
        let fade = |c: u8| (f32::from(c) * (1.0 - 0.5 * v)) as u8;
        match () {
            () if sun => [255, 225, 60],
            () if door => [60, 35, 20],
            () if wall => [235, 225, 205],
            () if roof => [190, 40, 45],
            () if v > 0.72 => [50, 140 + (40.0 * u) as u8, 60],
            () => tint.map(fade),
        }
    };
    let rgb = (0..width * height).flat_map(|i| pixel(i % width, i / width)).collect();
    Image::new(width, height, rgb)
}

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
    let scenes: Vec<Image> = (0..3).filter_map(scene).collect();
    let white = image::Rgb([255; 3]);
    let mut grid =
        RgbImage::from_pixel(((VIEWS + 1) * (SIDE + GAP) - GAP) as u32, (scenes.len() * (SIDE + GAP) - GAP) as u32, white);
    for (row, scene) in scenes.iter().enumerate() {
        whole.view_into(scene, ViewKey::default(), &mut view, &mut scratch);
        put(&mut grid, 0, row, &view);
        for k in 0..VIEWS {
            let key = ViewKey { seed: 1, epoch: 0, image: row as u64, view: k as u32 };
            let parameters = relational.parameters(key, scene.width_px(), scene.height_px());
            relational.apply(&parameters, scene, &mut view, &mut scratch)?;
            put(&mut grid, k + 1, row, &view);
            if let Crop::Resized(crop) = parameters.crop {
                let (w, h, x, y) = (crop.width_px, crop.height_px, crop.left_px, crop.top_px);
                let (flip, jitter, gray) = (parameters.flip, parameters.jitter.is_some(), parameters.grayscale);
                println!("image {row}, view {k}: {w} x {h} px at ({x}, {y}), flip {flip}, jitter {jitter}, grayscale {gray}");
            }
        }
    }
    grid.save(&path)?;
    println!("{path}: {} images, {VIEWS} views each, the whole image first", scenes.len());
    Ok(())
}
