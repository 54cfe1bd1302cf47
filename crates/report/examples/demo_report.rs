//! Writes two made-up runs and their pages: `cargo run -p relata-report --example demo_report -- FOLDER`
//!
//! Every number in them is invented; they exist to look at the pages.

use std::path::{Path, PathBuf};

use image::{ImageEncoder, Rgb, RgbImage};
use relata_artifact::{DataFingerprint, FeatureSample, Metrics, ProbeResult, Provenance, RunFolder, ViewGrid};
use serde_json::json;

const CLASSES: [&str; 10] = ["disc", "ring", "square", "frame", "triangle", "diamond", "cross", "star", "bars", "crescent"];

#[expect(clippy::print_stdout, reason = "an example says where its pages are")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("relata-demo"), PathBuf::from);
    let shape = run(&folder, "shapes-conv4", Story { score_pct: 58.8, knn_pct: 58.7, epochs: 20, hue: 0.5 })?;
    let colour = run(&folder, "shapes-conv4-paper-augmentation", Story { score_pct: 19.7, knn_pct: 13.0, epochs: 12, hue: 0.2 })?;
    for run in [&shape, &colour] {
        println!("{}", relata_report::write_report(run)?.display());
    }
    let page = folder.join("comparison.html");
    let html = relata_report::render_comparison(&[shape, colour])?;
    relata_artifact::write_atomic(&page, html.as_bytes())?;
    println!("{}", page.display());
    Ok(())
}

struct Story {
    score_pct: f64,
    knn_pct: f64,
    epochs: u64,
    hue: f64,
}

fn run(folder: &Path, name: &str, story: Story) -> Result<RunFolder, Box<dyn std::error::Error>> {
    let run = RunFolder::create(folder.join(name), true)?;
    let hue = story.hue;
    run.write_config(&format!(
        "seed = 1\ndevice = \"cpu\"\nthreads = 2\n\n[data]\ndataset = \"shapes\"\nsplit = \"train\"\n\n\
         [augment]\nviews = 4\n\n[augment.jitter]\np = 0.9\nbrightness = 0.8\nhue = {hue}\n\n\
         [model]\nbackbone = \"conv4\"\n\n[method]\nkind = \"relational\"\naggregation = \"cat\"\nloss = \"bce\"\n\n\
         [train]\nepochs = 20\nbatch_size = 64\nlr = 0.001\n"
    ))?;
    run.write_provenance(&Provenance {
        version: "0.1.0".into(),
        commit: "4f2a91c0d7".into(),
        seed: 1,
        device: "cpu".into(),
        instruction_set: "avx2+fma".into(),
        threads: 2,
        machine: "Linux, an invented processor".into(),
        started_at: "2025-01-31T09:30:00Z".into(),
        command: format!("cargo xtask train augment.jitter.hue={hue} --out runs/{name}"),
        data: [("train", 10_000), ("test", 2_000)]
            .map(|(split, images)| DataFingerprint {
                name: "shapes".into(),
                split: split.into(),
                images,
                sha256: "9b74c9897bac770ffc029102a200c5de31f4a4a3".into(),
            })
            .into(),
        ..Provenance::default()
    })?;
    write_metrics(&run, &story)?;

    let mut noise = Noise(7);
    let confusion = confusion(story.score_pct, &mut noise);
    let probe = |protocol: &str, score, baseline, settings: serde_json::Value| ProbeResult {
        protocol: protocol.into(),
        data: "shapes".into(),
        split: "test".into(),
        checkpoint: "last".into(),
        accuracy_pct: score,
        baseline_random_pct: Some(baseline),
        classes: CLASSES.len(),
        train_images: 10_000,
        test_images: 2_000,
        settings: settings.as_object().cloned().unwrap_or_default(),
        class_names: CLASSES.map(str::to_owned).into(),
        ..ProbeResult::default()
    };
    let linear = json!({"epochs": 100, "batch_size": 128, "lr": 1e-3, "optimizer": "adam", "augmentation": "none"});
    run.write_probe(
        "linear",
        &ProbeResult {
            seconds: 11.8,
            baseline_supervised_pct: Some(96.9),
            confusion,
            ..probe("linear", story.score_pct, 14.7, linear)
        },
    )?;
    let knn = json!({"k": 200, "temperature": 0.1, "metric": "cosine"});
    run.write_probe("knn", &ProbeResult { seconds: 0.9, ..probe("knn", story.knn_pct, 17.7, knn) })?;
    write_views(&run, hue as f32)?;
    write_sample(&run, story.score_pct as f32 / 13.0)?;
    Ok(run)
}

fn write_metrics(run: &RunFolder, story: &Story) -> relata_artifact::Result<()> {
    let mut writer = run.metrics_writer()?;
    let mut noise = Noise(3);
    let (steps_per_epoch, easy) = (156, if story.score_pct < 30.0 { 0.55 } else { 1.0 });
    for step in (26..=story.epochs * steps_per_epoch).step_by(26) {
        let epoch = step as f64 / steps_per_epoch as f64;
        let learnt = (1.0 - (-epoch / 5.0).exp()) * (1.0 - 0.16 * easy);
        let mut wiggle = |size: f64| size * f64::from(noise.centred());
        let (positive, negative) = (0.5 + 0.47 * learnt + wiggle(0.03), 0.52 + 0.38 * learnt + wiggle(0.03));
        writer.append(&Metrics {
            step,
            epoch: Some(epoch),
            loss: Some(0.693 - 0.47 * learnt + wiggle(0.03)),
            pair_acc: Some((positive + negative) / 2.0),
            pair_acc_pos: Some(positive.min(1.0)),
            pair_acc_neg: Some(negative),
            lr: Some(1e-3),
            views_per_s: Some(3150.0 + wiggle(260.0) - if step < 60 { 900.0 } else { 0.0 }),
            elapsed_s: Some(step as f64 * 256.0 / 3100.0),
            ..Metrics::default()
        })?;
    }
    Ok(())
}

/// Test images of each class by answer; classes beside each other in the list are confused most.
fn confusion(score_pct: f64, noise: &mut Noise) -> Vec<Vec<u32>> {
    let row = |truth: usize| {
        let recall = score_pct / 100.0 + 0.22 * f64::from(noise.centred());
        let mut row = vec![0; CLASSES.len()];
        row[truth] = (200.0 * recall.clamp(0.02, 0.98)) as u32;
        for _ in row[truth]..200 {
            let step = 1 + (noise.unit() * noise.unit() * 9.0) as usize;
            row[(truth + if noise.unit() < 0.5 { step } else { CLASSES.len() - step }) % CLASSES.len()] += 1;
        }
        row
    };
    (0..CLASSES.len()).map(row).collect()
}

fn write_sample(run: &RunFolder, separation: f32) -> relata_artifact::Result<()> {
    let (dim, rows) = (64, 1200);
    let mut noise = Noise(11);
    let centres: Vec<f32> = (0..CLASSES.len() * dim).map(|_| noise.centred()).collect();
    let labels: Vec<u32> = (0..rows).map(|row| (row % CLASSES.len()) as u32).collect();
    let features = labels.iter().flat_map(|&label| {
        let centre = &centres[label as usize * dim..][..dim];
        centre.iter().map(|value| 0.15 * separation * value + noise.centred() + noise.centred()).collect::<Vec<_>>()
    });
    let features = features.collect();
    run.write_feature_sample(&FeatureSample { features, dim, labels, class_names: CLASSES.map(str::to_owned).into() })
}

fn write_views(run: &RunFolder, hue: f32) -> Result<(), Box<dyn std::error::Error>> {
    let (rows, columns, side, gap) = (6, 5, 32, 3);
    let mut noise = Noise(5);
    let mut sheet = RgbImage::from_pixel(columns * (side + gap) - gap, rows * (side + gap) - gap, Rgb([128, 128, 128]));
    for row in 0..rows {
        let colours: [[f32; 3]; 2] = std::array::from_fn(|_| std::array::from_fn(|_| noise.unit()));
        for column in 0..columns {
            let view = column > 0;
            let shift = if view { hue * 2.0 } else { 0.0 };
            let tint: [f32; 3] = std::array::from_fn(|_| 1.0 + shift * noise.centred());
            let (zoom, dx, dy) =
                if view { (0.6 + 0.4 * noise.unit(), noise.centred(), noise.centred()) } else { (1.0, 0.0, 0.0) };
            for y in 0..side {
                for x in 0..side {
                    let place = |at: u32, offset: f32| zoom * (at as f32 / 16.0 - 1.0) + offset * (1.0 - zoom);
                    let inside = is_inside(row as usize, place(x, dx), place(y, dy));
                    let colour = colours[usize::from(inside)];
                    let stripes = 0.1 * ((x + 2 * y + 5 * row) as f32 * 0.6).sin();
                    let pixel = std::array::from_fn(|c| (255.0 * (colour[c] * tint[c] + stripes)).clamp(0.0, 255.0) as u8);
                    sheet.put_pixel(column * (side + gap) + x, row * (side + gap) + y, Rgb(pixel));
                }
            }
        }
    }
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png).write_image(
        &sheet,
        sheet.width(),
        sheet.height(),
        image::ExtendedColorType::Rgb8,
    )?;
    let captions = ["original", "view 1", "view 2", "view 3", "view 4"].map(str::to_owned).into();
    let augmentation = format!("random crop of 40 to 100 % of the area, flip, colour jitter with hue ±{hue}");
    run.write_views(&ViewGrid { rows: rows as usize, columns: columns as usize, captions, augmentation }, &png)?;
    Ok(())
}

/// Outlines of the first six classes in -1..1.
fn is_inside(class: usize, x: f32, y: f32) -> bool {
    let radius = x.hypot(y);
    let box_radius = x.abs().max(y.abs());
    match class {
        0 => radius < 0.6,
        1 => (0.4..0.65).contains(&radius),
        2 => box_radius < 0.55,
        3 => (0.38..0.6).contains(&box_radius),
        4 => y < 0.5 && x.abs() < (y + 0.7) * 0.55,
        _ => x.abs() + y.abs() < 0.7,
    }
}

/// A small generator, so that the example needs no other crate and is the same each time.
struct Noise(u64);

impl Noise {
    /// 0 to 1
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// -1 to 1
    fn centred(&mut self) -> f32 {
        2.0 * self.unit() - 1.0
    }
}
