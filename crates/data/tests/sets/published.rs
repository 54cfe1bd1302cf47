//! The published data sets, as they lie on disk, against what numpy and Pillow read of them (fixtures/make_data_fixtures.py).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use relata_data::{DataConfig, Image, Split, catalogue, channel_statistics, open};
use relata_testkit::{Tolerance, assert_close, real_data};
use serde::Deserialize;
use sha2::{Digest, Sha256};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/data/samples.json");

/// Decoders of JPEG may differ by some levels a pixel; the mean of 256 pixels then hardly moves.
const BLOCK_MEAN_LEVELS: f64 = 1.0;

/// Some roundings of f64 in either order.
const ROUNDING: Tolerance = Tolerance { abs: 0.0, rel: 1e-14 };

#[derive(Deserialize)]
struct Part {
    images: usize,
    #[serde(default)]
    mean: Option<[f64; 3]>,
    #[serde(default)]
    std: Option<[f64; 3]>,
    picked: Vec<Picked>,
}

#[derive(Deserialize)]
struct Picked {
    #[serde(default)]
    index: Option<usize>,
    #[serde(default)]
    file: Option<String>,
    label: Option<usize>,
    #[serde(default)]
    rgb_sha256: Option<String>,
    #[serde(default)]
    block_means: Option<Vec<f64>>,
}

/// What the publishers say.
fn published(name: &str, split: Split) -> (usize, usize) {
    match (name, split) {
        ("cifar10", Split::Test) => (10_000, 10),
        ("cifar100", Split::Train) => (50_000, 100),
        ("cifar100", _) => (10_000, 100),
        ("supercifar100", Split::Train) => (50_000, 20),
        ("supercifar100", _) => (10_000, 20),
        ("stl10", Split::Train) => (5_000, 10),
        ("stl10", Split::Test) => (8_000, 10),
        ("stl10", Split::Unlabelled) => (100_000, 0),
        ("tiny", Split::Train) => (100_000, 200),
        ("tiny", _) => (10_000, 200),
        other => panic!("nothing is known of {other:?}"),
    }
}

fn samples(name: &str) -> BTreeMap<String, Part> {
    let mut all: BTreeMap<String, BTreeMap<String, Part>> = serde_json::from_str(&fs::read_to_string(SAMPLES).unwrap()).unwrap();
    all.remove(name).unwrap()
}

fn check(name: &str, folder: &Path) {
    assert!(catalogue().iter().any(|entry| entry.name == name));
    let root = folder.parent().unwrap().to_owned();
    for (split, part) in samples(name) {
        let split: Split = split.parse().unwrap();
        let config = DataConfig { dataset: name.to_owned(), root: root.clone(), split, ..DataConfig::default() };
        let dataset = open(&config, split).unwrap();
        let (images, classes) = published(name, split);
        let cut = dataset.len() == part.images;
        assert!(cut || dataset.len() == images, "{name} {split}: {} images", dataset.len());
        assert_eq!(dataset.class_names().len(), classes);
        if split == Split::Unlabelled && !cut {
            // The sample that the fixture was made of is no beginning of the whole file.
            continue;
        }
        if let (true, Some(mean), Some(std)) = (cut, part.mean, part.std) {
            let found = channel_statistics(&*dataset, |_, _| ()).unwrap();
            assert_close(&found.mean, &mean, ROUNDING);
            assert_close(&found.std, &std, ROUNDING);
        }
        for picked in &part.picked {
            let index = match (&picked.index, &picked.file) {
                (Some(index), _) => *index,
                (None, Some(file)) => (0..dataset.len()).find(|&index| dataset.source(index).ends_with(file)).unwrap(),
                (None, None) => panic!("an image has an index or a file"),
            };
            assert_eq!(dataset.label(index), picked.label, "{name} {split}, image {index}");
            check_pixels(&dataset.image(index).unwrap(), picked, &dataset.source(index));
        }
    }
}

fn check_pixels(image: &Image, picked: &Picked, source: &str) {
    if let Some(expected) = &picked.rgb_sha256 {
        let digest: String = Sha256::digest(image.rgb()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, *expected, "{source}");
    }
    for (at, expected) in picked.block_means.iter().flatten().enumerate() {
        let (row, column, channel) = (at / 12, at / 3 % 4, at % 3);
        let pixels = (0..256).map(|i| image.pixel(column * 16 + i % 16, row * 16 + i / 16)[channel]);
        let mean = pixels.map(f64::from).sum::<f64>() / 256.0;
        assert!((mean - expected).abs() < BLOCK_MEAN_LEVELS, "{source}, block {at}: {mean}, expected {expected}");
    }
}

#[test]
fn cifar10_is_read_as_numpy_reads_it() {
    let Some(folder) = real_data("cifar-10-batches-bin") else { return };
    check("cifar10", &folder);
}

#[test]
fn cifar10_has_the_statistics_that_everybody_normalises_with() {
    let Some(folder) = real_data("cifar-10-batches-bin") else { return };
    let config = DataConfig { dataset: "cifar10".to_owned(), root: folder.parent().unwrap().into(), ..DataConfig::default() };
    let found = channel_statistics(&*open(&config, Split::Train).unwrap(), |_, _| ()).unwrap();
    // To the four digits in which they are handed on.
    let four = Tolerance { abs: 5e-5, rel: 0.0 };
    assert_close(&found.mean, &[0.4914, 0.4822, 0.4465], four);
    assert_close(&found.std, &[0.2470, 0.2435, 0.2616], four);
}

#[test]
fn cifar100_is_read_as_numpy_reads_it() {
    let Some(folder) = real_data("cifar-100-binary") else { return };
    check("cifar100", &folder);
    check("supercifar100", &folder);
}

#[test]
fn each_fine_class_of_cifar100_lies_in_one_coarse_class() {
    let Some(folder) = real_data("cifar-100-binary") else { return };
    let config =
        |name: &str| DataConfig { dataset: name.to_owned(), root: folder.parent().unwrap().into(), ..DataConfig::default() };
    let [fine, coarse] = ["cifar100", "supercifar100"].map(|name| open(&config(name), Split::Test).unwrap());
    let mut pairs: Vec<_> = (0..fine.len()).map(|index| (coarse.label(index), fine.label(index))).collect();
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(pairs.len(), 100);
    assert!(pairs.chunk_by(|a, b| a.0 == b.0).all(|of_coarse| of_coarse.len() == 5));
}

#[test]
fn stl10_is_read_as_numpy_reads_it() {
    let Some(folder) = real_data("stl10_binary") else { return };
    check("stl10", &folder);
}

#[test]
fn tiny_imagenet_is_read_as_pillow_reads_it() {
    let Some(folder) = real_data("tiny-imagenet-200") else { return };
    check("tiny", &folder);
}
