//! Runs whose every number is invented; they exist to look at pages, and to try pages in a browser.

use std::path::Path;

use image::{ImageEncoder, Rgb, RgbImage};
use relata_artifact::{
    BackboneUse, CurveFacts, DataFingerprint, DatasetFacts, FeatureHealth, FeatureSample, FigureFacts, FigureUnit, MethodFacts,
    Metrics, Neighbour, NeighbourRow, Neighbours, ProbeResult, Provenance, RunFacts, RunFolder, ViewGrid,
};
use serde_json::json;

const SHAPES: [&str; 10] = ["disc", "ring", "square", "frame", "triangle", "diamond", "cross", "star", "bars", "crescent"];
const CIFAR10: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// What is made up of a run.
struct Story {
    name: &'static str,
    dataset: &'static str,
    method: &'static str,
    score_pct: f64,
    knn_pct: f64,
    random_pct: f64,
    epochs: u64,
    hue: f64,
}

/// Five runs in `folder`: two on shapes, two on CIFAR-10 and one on the hundred classes of CIFAR-100.
pub(crate) fn runs(folder: &Path) -> Result<Vec<RunFolder>, Box<dyn std::error::Error>> {
    let shapes = Story {
        name: "shapes-conv4",
        dataset: "shapes",
        method: "relational",
        score_pct: 58.8,
        knn_pct: 58.7,
        random_pct: 14.7,
        epochs: 20,
        hue: 0.5,
    };
    let cifar10 = Story {
        name: "cifar10-conv4",
        dataset: "cifar10",
        score_pct: 53.4,
        knn_pct: 52.7,
        random_pct: 35.2,
        epochs: 10,
        ..shapes
    };
    let stories = [
        Story { name: "shapes-conv4-paper-augmentation", score_pct: 19.7, knn_pct: 13.0, epochs: 12, hue: 0.2, ..shapes },
        Story { name: "cifar10-conv4-simclr", method: "simclr", score_pct: 48.6, knn_pct: 48.1, ..cifar10 },
        Story { name: "cifar100-conv4", dataset: "cifar100", score_pct: 25.1, knn_pct: 20.2, random_pct: 11.3, ..cifar10 },
        shapes,
        cifar10,
    ];
    stories.iter().map(|story| run(folder, story)).collect()
}

impl Story {
    fn classes(&self) -> Vec<String> {
        match self.dataset {
            "shapes" => SHAPES.map(str::to_owned).into(),
            "cifar10" => CIFAR10.map(str::to_owned).into(),
            _ => (0..100).map(|class| format!("kind {class}")).collect(),
        }
    }
}

fn run(folder: &Path, story: &Story) -> Result<RunFolder, Box<dyn std::error::Error>> {
    let Story { name, dataset, method, hue, .. } = story;
    // One of the runs is not at its end yet.
    let planned = if *dataset == "shapes" { 20 } else { story.epochs };
    let run = RunFolder::create(folder.join(name), true)?;
    run.write_config(&format!(
        "seed = 1\ndevice = \"cpu\"\nthreads = 2\n\n[data]\ndataset = \"{dataset}\"\nsplit = \"train\"\n\n\
         [augment]\nviews = 4\n\n[augment.jitter]\np = 0.9\nbrightness = 0.8\nhue = {hue}\n\n\
         [model]\nbackbone = \"conv4\"\n\n[method]\nkind = \"{method}\"\naggregation = \"cat\"\nloss = \"bce\"\n\n\
         [train]\nepochs = {planned}\nbatch_size = 64\nlr = 0.001\n"
    ))?;
    let images = if *dataset == "shapes" { [10_000, 2_000] } else { [50_000, 10_000] };
    run.write_provenance(&Provenance {
        version: "0.1.0".into(),
        commit: "4f2a91c0d7".into(),
        seed: 1,
        device: "cpu".into(),
        instruction_set: "avx2+fma".into(),
        threads: 2,
        machine: "Linux, an invented processor".into(),
        started_at: "2025-01-31T09:30:00Z".into(),
        command: format!("cargo xtask train data.dataset={dataset} augment.jitter.hue={hue} --out runs/{name}"),
        data: [("train", images[0]), ("test", images[1])]
            .map(|(split, images)| DataFingerprint {
                name: (*dataset).into(),
                split: split.into(),
                images,
                sha256: "9b74c9897bac770ffc029102a200c5de31f4a4a3".into(),
            })
            .into(),
        facts: facts(story),
        ..Provenance::default()
    })?;
    write_metrics(&run, story)?;
    write_probes(&run, story, images.map(|images| images as usize))?;
    write_views(&run, *hue as f32)?;
    write_sample(&run, story)?;
    write_neighbours(&run, story)?;
    Ok(run)
}

/// What method and data set say of themselves.
fn facts(story: &Story) -> RunFacts {
    let curves = [("pair_acc", "all pairs"), ("pair_acc_pos", "same image"), ("pair_acc_neg", "different images")];
    let curves = curves.map(|(name, title)| CurveFacts { name: name.into(), title: title.into() }).into();
    let pairs = FigureFacts {
        title: "Pairs predicted correctly".into(),
        unit: FigureUnit::Share,
        reference: Some((0.5, "guessing".into())),
        curves,
    };
    let (title, figures, views_note) = match story.method {
        "relational" => (
            "Relational reasoning",
            vec![pairs],
            "Two views of one row are a positive pair, views of two rows a negative one; the relation head learns to predict which is which.",
        ),
        _ => ("SimCLR", Vec::new(), ""),
    };
    let method = MethodFacts {
        name: story.method.into(),
        title: title.into(),
        views: Some(4),
        views_note: views_note.into(),
        figures,
        ..MethodFacts::default()
    };
    let note = match story.dataset {
        "shapes" => {
            "In shapes only the outline shows the class; colour and background are drawn at random. An augmentation that keeps colours \
             recognisable lets the training solve its task by colour alone: the loss falls, and the features still know nothing of shape. \
             So a good training figure is no sign of good features; the score of a probe against random weights is."
        }
        _ => "",
    };
    let dataset = DatasetFacts { name: story.dataset.into(), note: note.into() };
    RunFacts { method: Some(method), dataset: Some(dataset), online: Vec::new() }
}

fn write_probes(run: &RunFolder, story: &Story, images: [usize; 2]) -> relata_artifact::Result<()> {
    let (class_names, mut noise) = (story.classes(), Noise(7));
    let probe = |(protocol, title, rank): (&str, &str, u32), score_pct, random_pct, settings: serde_json::Value| ProbeResult {
        protocol: protocol.into(),
        title: Some(title.into()),
        rank: Some(rank),
        backbone: Some(BackboneUse::Frozen),
        data: story.dataset.into(),
        split: "test".into(),
        checkpoint: "last".into(),
        accuracy_pct: score_pct,
        baseline_random_pct: Some(random_pct),
        classes: class_names.len(),
        train_images: images[0],
        test_images: images[1],
        settings: settings.as_object().cloned().unwrap_or_default(),
        class_names: class_names.clone(),
        ..ProbeResult::default()
    };
    let others = |top5: f64, error: f64| {
        let scores = [("top5_accuracy_pct", top5), ("expected_calibration_error_pct", error)];
        scores.map(|(name, value)| (name.to_owned(), value)).into()
    };
    let linear = json!({"epochs": 100, "batch_size": 128, "lr": 1e-3, "optimizer": "adam", "augmentation": "none"});
    let health = FeatureHealth {
        dimensions: 64,
        images: images[1],
        effective_rank: story.score_pct / 1.7,
        dead_dimensions_pct: if story.score_pct < 20.0 { 51.6 } else { 0.0 },
        uniformity: -2.1,
        alignment: Some(0.31),
        warnings: if story.score_pct < 20.0 {
            vec!["52 % of the 64 feature dimensions are dead: they are the same for all images".into()]
        } else {
            Vec::new()
        },
    };
    let linear = ProbeResult {
        seconds: 11.8,
        feature_health: Some(health),
        baseline_supervised_pct: Some(96.9_f64.min(story.score_pct + 38.1)),
        accuracy_std_points: Some(0.3),
        accuracy_by_seed_pct: [-0.3, 0.0, 0.3].map(|points| story.score_pct + points).into(),
        other_scores: others(story.score_pct / 2.0 + 49.0, 1.9),
        confusion: confusion(class_names.len(), story.score_pct, &mut noise),
        ..probe(("linear", "Linear probe", 0), story.score_pct, story.random_pct, linear)
    };
    run.write_probe("linear", &linear)?;
    let knn = json!({"k": 200, "temperature": 0.1, "similarity": "cosine"});
    let knn = ProbeResult {
        seconds: 0.9,
        other_scores: others(story.knn_pct / 2.0 + 48.0, 24.6),
        confusion: confusion(class_names.len(), story.knn_pct, &mut noise),
        ..probe(("knn", "k nearest neighbours", 1), story.knn_pct, story.random_pct + 3.0, knn)
    };
    run.write_probe("knn", &knn)
}

fn write_metrics(run: &RunFolder, story: &Story) -> relata_artifact::Result<()> {
    let mut writer = run.metrics_writer()?;
    let mut noise = Noise(story.score_pct.to_bits());
    let has_pairs = story.method == "relational";
    let (steps_per_epoch, easy) = (156, if story.score_pct < 30.0 { 0.55 } else { 1.0 });
    for step in (26..=story.epochs * steps_per_epoch).step_by(26) {
        let epoch = step as f64 / steps_per_epoch as f64;
        let learnt = (1.0 - (-epoch / 5.0).exp()) * (1.0 - 0.16 * easy);
        let mut wiggle = |size: f64| size * f64::from(noise.centred());
        let (positive, negative) = (0.5 + 0.47 * learnt + wiggle(0.03), 0.52 + 0.38 * learnt + wiggle(0.03));
        let pairs = [("pair_acc", (positive + negative) / 2.0), ("pair_acc_pos", positive.min(1.0)), ("pair_acc_neg", negative)];
        writer.append(&Metrics {
            step,
            epoch: Some(epoch),
            loss: Some(0.693 - 0.47 * learnt + wiggle(0.03)),
            lr: Some(1e-3),
            views_per_s: Some(3150.0 + wiggle(260.0) - if step < 60 { 900.0 } else { 0.0 }),
            elapsed_s: Some(step as f64 * 256.0 / 3100.0),
            extra: pairs.map(|(name, value)| (name.to_owned(), json!(value))).into_iter().filter(|_| has_pairs).collect(),
        })?;
    }
    Ok(())
}

/// Test images of each class by predicted class; classes beside each other in the list are confused most.
fn confusion(classes: usize, score_pct: f64, noise: &mut Noise) -> Vec<Vec<u32>> {
    let row = |truth: usize| {
        let recall = score_pct / 100.0 + 0.22 * f64::from(noise.centred());
        let mut row = vec![0; classes];
        row[truth] = (200.0 * recall.clamp(0.02, 0.98)) as u32;
        for _ in row[truth]..200 {
            let step = 1 + (noise.unit() * noise.unit() * (classes - 1) as f32) as usize;
            row[(truth + if noise.unit() < 0.5 { step } else { classes - step }) % classes] += 1;
        }
        row
    };
    (0..classes).map(row).collect()
}

fn write_sample(run: &RunFolder, story: &Story) -> relata_artifact::Result<()> {
    let (dim, rows, class_names) = (64, 600, story.classes());
    let (classes, separation) = (class_names.len(), story.score_pct as f32 / 13.0);
    let mut noise = Noise(11);
    let centres: Vec<f32> = (0..classes * dim).map(|_| noise.centred()).collect();
    let labels: Vec<u32> = (0..rows).map(|row| (row % classes) as u32).collect();
    let features = labels.iter().flat_map(|&label| {
        let centre = &centres[label as usize * dim..][..dim];
        centre.iter().map(|value| 0.15 * separation * value + noise.centred() + noise.centred()).collect::<Vec<_>>()
    });
    let features = features.collect();
    run.write_feature_sample(&FeatureSample { features, dim, labels, class_names, split: "test".into() })
}

fn write_neighbours(run: &RunFolder, story: &Story) -> Result<(), Box<dyn std::error::Error>> {
    let (rows, columns, side, names) = (6, 9, 32_u32, story.classes());
    let mut noise = Noise(13);
    let mut sheet = RgbImage::new(columns * side, rows * side);
    let mut records = Vec::new();
    for row in 0..rows as usize {
        let mut record = NeighbourRow { image: format!("test {row}"), class: Some(names[row].clone()), found: Vec::new() };
        for column in 0..columns {
            let right = column == 0 || f64::from(noise.unit()) < story.score_pct / 100.0;
            let class = if right { row } else { (row + 1 + column as usize % 5) % 6 };
            if column > 0 {
                let (image, class) = (format!("train {}", 40 * row + column as usize), Some(names[class].clone()));
                record.found.push(Neighbour { image, class, similarity: 0.99 - 0.01 * f64::from(column) });
            }
            let (ground, ink): ([f32; 3], [f32; 3]) =
                (std::array::from_fn(|_| noise.unit()), std::array::from_fn(|_| noise.unit()));
            for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
                let inside = is_inside(class, x as f32 / 16.0 - 1.0, y as f32 / 16.0 - 1.0);
                let colour = if inside { ink } else { ground };
                sheet.put_pixel(column * side + x, row as u32 * side + y, Rgb(colour.map(|value| (255.0 * value) as u8)));
            }
        }
        records.push(record);
    }
    let words = |split| format!("{}, {split} split", story.dataset);
    let (queries, searched) = (words("test"), words("train"));
    let neighbours = Neighbours { tile_px: side as usize, columns: columns as usize, queries, searched, rows: records };
    run.write_neighbours(&neighbours, &png(&sheet)?)?;
    Ok(())
}

fn png(sheet: &RgbImage) -> Result<Vec<u8>, image::ImageError> {
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png).write_image(
        sheet,
        sheet.width(),
        sheet.height(),
        image::ExtendedColorType::Rgb8,
    )?;
    Ok(png)
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
    let captions = ["original", "view 1", "view 2", "view 3", "view 4"].map(str::to_owned).into();
    let augmentation = format!("random crop of 40 to 100 % of the area, flip, colour jitter with hue ±{hue}");
    run.write_views(&ViewGrid { rows: rows as usize, columns: columns as usize, captions, augmentation }, &png(&sheet)?)?;
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
