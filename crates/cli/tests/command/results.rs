//! Which result is whose: the run's own, or one of another request.

use std::fs;
use std::path::PathBuf;

use relata_artifact::{ProbeResult, RunFolder};

use crate::Place;

const PROBED: [&str; 3] = ["probe.after_train=true", "probe.protocols=[\"knn\"]", "probe.k=5"];

/// A run of one epoch with its kNN score.
fn probed() -> Place {
    let place = Place::new();
    place.train(&[&["train.epochs=1", "--out", "run"][..], &PROBED].concat()).succeeded();
    place
}

fn results(place: &Place) -> Vec<(String, ProbeResult)> {
    RunFolder::open(place.path("run")).unwrap().probes().unwrap()
}

fn names(place: &Place) -> Vec<String> {
    results(place).into_iter().map(|(name, _)| name).collect()
}

/// What the page says first.
fn outcome(place: &Place) -> String {
    let page = fs::read_to_string(place.path("run/report.html")).unwrap();
    page[page.find("class=\"outcome\"").unwrap()..].chars().take(300).collect()
}

fn own_file(place: &Place) -> PathBuf {
    place.path("run/probes/knn.json")
}

#[test]
fn a_probe_of_other_settings_leaves_the_runs_own_score_alone() {
    let place = probed();
    let (own, before) = (fs::read(own_file(&place)).unwrap(), outcome(&place));
    place.run(&["probe", "run", "probe.k=1"]).succeeded();
    place.run(&["probe", "run", "--protocol", "linear", "probe.epochs=1", "--seeds", "1,2"]).succeeded();
    place.run(&["probe", "run", "data.limit=32"]).succeeded();
    assert_eq!(names(&place), ["knn", "knn-k=1", "knn-limit=32", "linear-epochs=1-seeds=1+2"]);
    assert_eq!(fs::read(own_file(&place)).unwrap(), own);
    assert_eq!(outcome(&place), before);
    let page = fs::read_to_string(place.path("run/report.html")).unwrap();
    for words in ["k nearest neighbours, k = 1", "k nearest neighbours, limit = 32", "Linear probe, epochs = 1, seed = [1, 2]"] {
        assert!(page.contains(words), "{words}");
    }
    let resumed = place.run(&["train", "--resume", "run"]).succeeded();
    assert!(!resumed.stderr.contains("features of") && resumed.stdout.contains("\nknn "), "{resumed:?}");
    assert!(!resumed.stdout.contains("linear"), "{resumed:?}");
}

#[test]
fn probes_that_were_interrupted_after_their_settings_changed_are_not_taken_for_done() {
    let place = probed();
    // As Ctrl-C in the probes leaves it: the configuration is the new one, the score the old one.
    let config = place.path("run/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\nk = 5\n", "\nk = 9\n")).unwrap();
    let resumed = place.run(&["train", "--resume", "run"]).succeeded();
    assert!(resumed.stderr.contains("features of"), "{}", resumed.stderr);
    assert_eq!(names(&place), ["knn", "knn-k=5"]);
    assert_eq!(results(&place)[0].1.settings["k"], 9);
    // Back again: the score is there.
    let back = place.run(&["train", "--resume", "run", "probe.k=5"]).succeeded();
    assert!(!back.stderr.contains("features of"), "{}", back.stderr);
    assert_eq!(names(&place), ["knn", "knn-k=9"]);
    assert_eq!(results(&place)[0].1.settings["k"], 5);
}

#[test]
fn a_score_of_earlier_weights_is_not_what_the_run_reached() {
    let place = probed();
    assert!(outcome(&place).contains(" reaches "));
    place.run(&["train", "--resume", "run", "train.epochs=2", "probe.after_train=false"]).succeeded();
    assert!(!outcome(&place).contains(" reaches "), "{}", outcome(&place));
    let page = fs::read_to_string(place.path("run/report.html")).unwrap();
    assert!(page.contains("k nearest neighbours, of step 4"), "{page}");
    place.run(&["train", "--resume", "run", "probe.after_train=true"]).succeeded();
    assert!(outcome(&place).contains(" reaches "), "{}", outcome(&place));
}

#[test]
fn the_upper_bound_is_that_of_the_same_images_however_it_was_seeded() {
    let place = probed();
    let supervised = ["probe", "run", "--protocol", "supervised", "probe.supervised.epochs=1"];
    place.run(&[&supervised[..], &["--seeds", "4"]].concat()).succeeded();
    place.run(&["probe", "run", "--protocol", "knn"]).succeeded();
    let bound = |name: &str| results(&place).into_iter().find(|(of, _)| of == name).unwrap().1.baseline_supervised_pct;
    assert!(bound("knn").is_some());
    place.run(&["probe", "run", "--protocol", "knn", "data.limit=32"]).succeeded();
    assert_eq!(bound("knn-limit=32"), None, "of more images than these");
}

#[test]
fn other_folders_of_one_name_have_results_of_their_own_and_none_of_the_runs_limit() {
    let place = Place::new();
    for (folder, count) in [("photos", 20), ("a/photos", 25), ("b/photos", 30)] {
        relata_testkit::datasets::write_class_folder(&place.path(folder), &[("cat", count), ("dog", count)], "png");
    }
    let folder = ["data.dataset=folder", "data.path=photos", "data.limit=16", "augment.side=8", "train.epochs=1", "--out", "run"];
    place.train(&folder).succeeded();
    let mut images = Vec::new();
    for path in ["photos", "a/photos", "b/photos"] {
        place.run(&["probe", "run", "--protocol", "knn", &format!("data.path={path}")]).succeeded();
        images.push(results(&place).len());
    }
    assert_eq!(images, [1, 2, 3], "{:?}", names(&place));
    let mut fitted_on: Vec<usize> = results(&place).iter().map(|(_, result)| result.train_images).collect();
    fitted_on.sort_unstable();
    assert_eq!(fitted_on, [16, 40, 48]);
}
