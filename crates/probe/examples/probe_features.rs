//! Scores features from anywhere: here, clouds of points, one cloud a class.
//!
//! `cargo run --release -p relata-probe --example probe_features -- [train rows] [test rows] [width] [classes] [spread]`

use std::time::Instant;

use relata_probe::Compute;
use relata_probe::{Features, ProbeConfig, Protocol, Score, evaluate};

/// A repeatable number in [-1, 1): any source of features will do in its place.
fn noise(index: usize) -> f32 {
    let mut z = (index as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// Rows `first..first + rows` of clouds around one centre a class, each `spread` wide.
fn clouds(first: usize, rows: usize, width: usize, classes: usize, spread: f32) -> relata_probe::Result<Features> {
    let centre = |class: usize, column: usize| noise(1 << 40 | (class * width + column));
    let value = |i: usize| centre((first + i / width) % classes, i % width) + spread * noise(first * width + i);
    let labels = (first..first + rows).map(|row| row % classes).collect();
    let names = (0..classes).map(|class| format!("cloud {class}")).collect();
    Features::new((0..rows * width).map(value).collect(), width, labels, names)
}

#[expect(clippy::print_stdout, reason = "an example shows what it found")]
fn report(score: &Score, start: Instant) {
    let protocol = score.protocol.name;
    let Score { accuracy_pct, train_images, test_images, .. } = score;
    let ms = start.elapsed().as_millis();
    println!("{protocol:<9} {accuracy_pct:6.2} %   {test_images} scored on {train_images} in {ms} ms");
    for (name, value) in &score.other_scores {
        println!("          {name} {value:.4}");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<f32> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let argument = |at: usize, default: f32| arguments.get(at).copied().unwrap_or(default);
    let size = |at: usize, default: usize| argument(at, default as f32) as usize;
    let (train_rows, test_rows) = (size(0, 5000), size(1, 1000));
    let (width, classes, spread) = (size(2, 64), size(3, 10), argument(4, 6.0));

    let train = clouds(0, train_rows, width, classes, spread)?;
    let test = clouds(train_rows, test_rows, width, classes, spread)?;
    let compute = Compute::new(0)?;

    for protocol in Protocol::frozen() {
        let start = Instant::now();
        report(&evaluate(protocol, &ProbeConfig::default(), &train, &test, &compute)?, start);
    }
    Ok(())
}
