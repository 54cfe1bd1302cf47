use std::fs;

use relata_artifact::{Metrics, RunFolder};

use crate::{Place, assert_same_bits};

const ONLINE: [&str; 3] = ["online.every=2", "online.images=40", "online.k=5"];

fn online_lines(place: &Place, run: &str) -> Vec<Metrics> {
    let lines = RunFolder::open(place.path(run)).unwrap().metrics().unwrap();
    lines.into_iter().filter(Metrics::is_online).collect()
}

#[test]
fn knn_while_training_changes_no_bit_and_is_called_what_it_is() {
    let place = Place::new();
    place.train(&["train.epochs=4", "--out", "plain"]).succeeded();
    let ended = place.train(&[&["train.epochs=4", "--out", "watched"][..], &ONLINE].concat()).succeeded();
    assert_eq!(ended.stderr.matches("; online kNN (train split) ").count(), 2, "{}", ended.stderr);
    for name in ["last", "epoch-0002"] {
        let file = |run: &str| place.path(run).join(format!("checkpoints/{name}.safetensors"));
        assert_same_bits(&file("plain"), &file("watched"));
    }
    let lines = online_lines(&place, "watched");
    assert_eq!(lines.iter().map(|line| line.epoch).collect::<Vec<_>>(), [Some(2.0), Some(4.0)]);
    for (name, range) in
        [("online_knn_acc", 0.0..=1.0), ("online_effective_rank", 1.0..=64.0), ("online_dead_dimensions_pct", 0.0..=100.0)]
    {
        assert!(lines.iter().all(|line| range.contains(&line.extra[name].as_f64().unwrap())), "{name}: {lines:?}");
    }
    // Not the one number twice.
    assert_ne!(lines[0].extra["online_effective_rank"], lines[1].extra["online_effective_rank"]);
    assert_eq!(ended.stderr.matches("effective rank ").count(), 2, "{}", ended.stderr);
    assert_eq!(fs::read_dir(place.path("watched/probes")).unwrap().count(), 0, "no score");
    let page = fs::read_to_string(place.path("watched/report.html")).unwrap();
    assert!(page.contains("online kNN (train split)") && page.contains("is no score") && page.contains("Not probed yet"));
    assert!(!page.contains("online_knn_acc is"));
}

#[test]
fn a_resumed_run_measures_what_it_trains() {
    let place = Place::new();
    place.train(&["train.epochs=4", "--out", "whole", "online.every=1"]).succeeded();
    place.train(&["train.epochs=2", "--out", "parts", "online.every=1"]).succeeded();
    place.run(&["train", "--resume", "parts", "train.epochs=4"]).succeeded();
    let figures = |run| online_lines(&place, run).into_iter().map(|line| (line.step, line.extra)).collect::<Vec<_>>();
    assert_eq!(figures("whole").len(), 4);
    assert_eq!(figures("whole"), figures("parts"));
    let last = |run: &str| place.path(run).join("checkpoints/last.safetensors");
    assert_same_bits(&last("whole"), &last("parts"));
    place.run(&["train", "--resume", "parts", "train.epochs=5", "online.every=0"]).succeeded();
    assert_eq!(figures("parts").len(), 4);
    // Its points are no longer all by the same settings; the page says so.
    place.run(&["train", "--resume", "parts", "online.k=3"]).succeeded();
    let provenance = fs::read_to_string(place.path("parts/provenance.json")).unwrap();
    assert!(
        provenance.contains("online.every = 0 instead of 1") && provenance.contains("online.k = 3 instead of 20"),
        "{provenance}"
    );
}

#[test]
fn knn_while_training_looks_at_no_test_image() {
    let place = Place::new();
    let folder = relata_testkit::datasets::write_cifar10(&place.path("datasets"), 12);
    fs::remove_file(folder.join("test_batch.bin")).unwrap();
    let data = ["data.dataset=cifar10", "data.root=datasets", "train.epochs=1", "online.every=1", "--out", "run"];
    place.train(&data).succeeded();
    assert_eq!(online_lines(&place, "run").len(), 1);
    let provenance = fs::read_to_string(place.path("run/provenance.json")).unwrap();
    assert!(!provenance.contains("\"test\""), "{provenance}");
}

#[test]
fn knn_while_training_needs_labels_of_two_classes_or_more() {
    let place = Place::new();
    for mark in 0..12 {
        relata_testkit::datasets::write_image(&place.path(&format!("photos/{mark}.png")), 5, 7, mark);
    }
    relata_testkit::datasets::write_class_folder(&place.path("cats"), &[("cat", 12)], "png");
    for (path, words) in [("photos", "no labels"), ("cats", "one class")] {
        let data = ["data.dataset=folder", &format!("data.path={path}"), "augment.side=8", "online.every=1", "--out", "run"];
        place.train(&data).failed(2, &["online.every = 1", words]);
    }
    place.train(&["online.every=1", "online.images=3"]).failed(2, &["online.images = 3", "10 or more"]);
    assert!(!place.path("run").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_knn_while_training_is_estimated() {
    let place = Place::new();
    let settings = ["model.backbone=resnet8", "data.limit=2000", "train.epochs=1", "train.batch_size=64", "augment.views=2"];
    let online = ["online.every=1", "probe.extract_batch_size=512"];
    let run = |more: &[&str]| place.run(&[&["train", "probe.after_train=false"], &settings[..], more].concat()).succeeded();
    let planned = |plan: &str| crate::train::mib_behind(plan, "# memory");
    let (without, with) = (run(&["--dry-run"]).stdout, run(&[&["--dry-run"], &online[..]].concat()).stdout);
    assert!(with.contains("online kNN ") && with.contains("every epoch: 400 training images by 1600 others"), "{with}");
    let taken = crate::train::mib_behind(&run(&[&["--out", "run", "--no-report"], &online[..]].concat()).stderr, "at most ");
    let (without, with) = (planned(&without), planned(&with));
    assert!((with / taken - 1.0).abs() < 0.1 && without < 0.9 * taken, "{without} and {with} MiB estimated, {taken} MiB taken");
}
