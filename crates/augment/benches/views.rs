//! Views a second on one core: the paper's augmentation and its parts.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relata_augment::{CropConfig, CropKind, JitterConfig, Pipeline, PipelineConfig, Scratch, ViewFormat, ViewKey};
use relata_data::Image;

/// Bytes without structure: the content does not change the cost.
fn image(width_px: usize, height_px: usize, number: usize) -> Image {
    let mut state = number as u32 + 1;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    Image::new(width_px, height_px, (0..width_px * height_px * 3).map(|_| byte()).collect()).expect("the sides fit the bytes")
}

fn views(c: &mut Criterion) {
    let relational = PipelineConfig::default();
    let no_jitter = PipelineConfig { jitter: JitterConfig { p: 0.0, ..JitterConfig::default() }, ..relational.clone() };
    let always_jitter = PipelineConfig { jitter: JitterConfig { p: 1.0, ..JitterConfig::default() }, ..relational.clone() };
    let padded = PipelineConfig { crop: CropConfig { kind: CropKind::Padded, ..CropConfig::default() }, ..no_jitter.clone() };
    let mut group = c.benchmark_group("views");
    group.throughput(Throughput::Elements(1));
    let cases = [
        ("relational", relational),
        ("crop and flip", no_jitter),
        ("jitter always", always_jitter),
        ("padded crop and flip", padded),
        ("evaluation", PipelineConfig::evaluation()),
    ];
    // Images of the view's side, as the data sets have them, and a folder's photographs.
    for (width_px, height_px, side_px) in [(32, 32, 32), (64, 64, 64), (96, 96, 96), (500, 375, 96)] {
        let images: Vec<Image> = (0..64).map(|number| image(width_px, height_px, number)).collect();
        let size =
            if width_px == side_px { format!("{side_px} px") } else { format!("{width_px} x {height_px} to {side_px} px") };
        for (name, config) in &cases {
            let pipeline = Pipeline::new(config, ViewFormat { side_px, mean: [0.491, 0.482, 0.447], std: [0.247, 0.243, 0.262] })
                .expect("valid settings");
            let mut scratch = Scratch::default();
            let mut out = vec![0.0; pipeline.view_len()];
            let mut count = 0;
            let mut key = || {
                count += 1;
                ViewKey { seed: 1, epoch: 0, image: count / 4, view: (count % 4) as u32 }
            };
            let first = key();
            pipeline.view_into(&images[0], first, &mut out, &mut scratch);
            assert_eq!(out, pipeline.view(&images[0], first), "a reused scratch changes nothing");
            assert!(out.iter().all(|v| (-3.0..3.0).contains(v)), "values are normalised");
            group.bench_function(format!("{size}, {name}"), |bencher| {
                bencher.iter(|| {
                    let key = key();
                    pipeline.view_into(&images[key.image as usize % images.len()], key, &mut out, &mut scratch);
                    black_box(&mut out);
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, views);
criterion_main!(benches);
