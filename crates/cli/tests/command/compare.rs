use std::fs;

use relata_testkit::datasets::{write_class_folder, write_truncated};

use crate::{Ended, Place, TINY, assert_same_bits};

const PROBED: [&str; 4] = ["probe.after_train=true", "probe.protocols=[\"knn\"]", "probe.k=5", "train.epochs=1"];

fn place() -> Place {
    let place = Place::new();
    fs::create_dir(place.path("a")).unwrap();
    fs::write(place.path("a/one.toml"), "[method]\nhidden = 8\n").unwrap();
    fs::write(place.path("a/two.toml"), "[method]\nhidden = 16\n").unwrap();
    place
}

fn compare(place: &Place, arguments: &[&str]) -> Ended {
    place.run(&[&["compare"], arguments, &TINY[..], &PROBED, &["--out", "out"]].concat())
}

#[test]
fn methods_times_seeds_end_in_a_table_and_a_page_and_are_not_run_again() {
    let place = place();
    let ended = compare(&place, &["a/one.toml", "a/two.toml", "--seeds", "1,2"]).succeeded();
    let lines: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with("a-")).collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("1,2") && line.contains('±')), "{ended:?}");
    let markdown = fs::read_to_string(place.path("out/compare.md")).unwrap();
    assert!(markdown.contains("| run | seeds | knn % |") && markdown.contains("| a-two |"), "{markdown}");
    let page = fs::read_to_string(place.path("out/compare.html")).unwrap();
    assert_eq!(page.matches("Mean of").count(), 2, "one for each recipe");
    let json = fs::read_to_string(place.path("out/compare.json")).unwrap();
    assert!(json.contains("\"by_seed_pct\"") && json.contains("\"a-one-seed2\""), "{json}");

    let last = |run: &str| place.path(run).join("checkpoints/last.safetensors");
    let written = fs::metadata(last("out/a-one-seed1")).unwrap().modified().unwrap();
    let again = compare(&place, &["a/one.toml", "a/two.toml", "--seeds", "1,2"]).succeeded();
    assert_eq!(again.stderr.matches("is done").count(), 4, "{}", again.stderr);
    assert_eq!(fs::metadata(last("out/a-one-seed1")).unwrap().modified().unwrap(), written);
    assert_eq!(fs::read_to_string(place.path("out/compare.json")).unwrap(), json, "times too");
}

#[test]
fn an_interrupted_run_is_taken_up_and_ends_with_the_same_bits() {
    let place = place();
    let longer = ["a/one.toml", "train.schedule=cosine", "train.warmup_epochs=0.5", "train.weight_decay=0.01", "train.epochs=2"];
    let run = |out: &str| place.run(&[&["compare"], &longer[..], &TINY, &["--out", out]].concat());
    run("whole").succeeded();
    run("parts").succeeded();
    // As a process leaves it that was killed before its first checkpoint, and before its times were written.
    let folder = place.path("parts/a-one-seed1");
    fs::remove_dir_all(folder.join("checkpoints")).unwrap();
    fs::remove_file(place.path("parts/times.json")).unwrap();
    let resumed = run("parts").succeeded();
    assert!(resumed.stderr.contains("resuming"), "{}", resumed.stderr);
    let last = |run: &str| place.path(run).join("a-one-seed1/checkpoints/last.safetensors");
    assert_same_bits(&last("whole"), &last("parts"));
}

#[test]
fn a_run_that_fails_does_not_keep_the_others() {
    let place = place();
    compare(&place, &["a/one.toml", "--seeds", "1"]).succeeded();
    // A checkpoint cut short: the run is interrupted by what it looks like, and cannot be gone on with.
    let last = place.path("out/a-one-seed1/checkpoints/last.safetensors");
    fs::remove_dir_all(place.path("out/a-one-seed1/probes")).unwrap();
    fs::create_dir(place.path("out/a-one-seed1/probes")).unwrap();
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() - 8]).unwrap();
    let ended = compare(&place, &["a/one.toml", "--seeds", "1,2"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("1 of 2 runs failed: out/a-one-seed1"), "{}", ended.stderr);
    assert!(place.path("out/a-one-seed2/probes/knn.json").is_file());
    assert!(ended.stdout.contains("a-one"), "the table is there: {}", ended.stdout);
}

#[test]
fn a_run_that_fails_says_why_and_what_to_do() {
    let place = place();
    write_class_folder(&place.path("photos"), &[("cat", 8), ("dog", 8)], "png");
    // Among the first images: the run fails before it has a folder.
    write_truncated(&place.path("photos/cat/000-torn.png"), 5, 7);
    let folder = ["data.dataset=folder", "data.path=photos", "augment.side=8"];
    let ended = compare(&place, &[&["a/one.toml"][..], &folder].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for words in ["out/a-one-seed1 failed:", "000-torn.png", "help: ", "data verify", "1 of 1 runs failed"] {
        assert!(ended.stderr.contains(words), "{words:?} is missing in: {}", ended.stderr);
    }
}

#[test]
fn settings_that_change_no_result_do_not_make_it_another_run() {
    let place = place();
    compare(&place, &["a/one.toml"]).succeeded();
    let others = ["train.workers=2", "train.prefetch=1", "train.log_every=1", "train.checkpoint_every=2", "probe.workers=2"];
    let ended = compare(&place, &[&["a/one.toml"][..], &others].concat()).succeeded();
    assert!(ended.stderr.contains("is done"), "{}", ended.stderr);
    // Nor do they keep an interrupted one from going on.
    fs::remove_dir_all(place.path("out/a-one-seed1/checkpoints")).unwrap();
    let others = [&others[..], &["data.index=true", "device=cpu", "online.k=3"]].concat();
    let ended = compare(&place, &[&["a/one.toml"][..], &others].concat()).succeeded();
    assert!(ended.stderr.contains("resuming out/a-one-seed1"), "{}", ended.stderr);
}

#[test]
fn a_score_by_other_settings_is_no_score_of_the_comparison() {
    let place = place();
    compare(&place, &["a/one.toml"]).succeeded();
    let run = "out/a-one-seed1";
    place.run(&["probe", run, "probe.k=1"]).succeeded();
    let ended = compare(&place, &["a/one.toml"]).succeeded();
    assert!(ended.stderr.contains("is done") && ended.stdout.contains("knn-k=1 %"), "{ended:?}");
    fs::remove_file(place.path(run).join("probes/knn.json")).unwrap();
    let ended = compare(&place, &["a/one.toml"]).succeeded();
    assert!(!ended.stderr.contains("is done") && place.path(run).join("probes/knn.json").is_file(), "{ended:?}");
}

#[test]
fn a_score_of_earlier_weights_is_not_in_the_table() {
    let place = place();
    compare(&place, &["a/one.toml"]).succeeded();
    let run = "out/a-one-seed1";
    place.run(&["train", "--resume", run, "train.epochs=2", "probe.after_train=false"]).succeeded();
    let shorter = ["a/one.toml", "train.epochs=2", "probe.after_train=false"];
    let ended =
        place.run(&[&["compare"], &shorter[..], &TINY, &["probe.protocols=[\"knn\"]", "probe.k=5", "--out", "out"]].concat());
    let ended = ended.succeeded();
    assert!(ended.stderr.contains("is done") && !ended.stdout.contains("knn %"), "{ended:?}");
}

#[test]
fn a_sweep_file_runs_every_combination() {
    let place = place();
    let sweep = "recipes = [\"a/one.toml\"]\nseeds = [3]\n[settings]\ntrain.log_every = 1\n[grid]\ntrain.lr = [1e-3, 2e-3]\n";
    fs::write(place.path("sweep.toml"), sweep).unwrap();
    let ended = compare(&place, &["sweep.toml"]).succeeded();
    for run in ["a-one-lr-0.001", "a-one-lr-0.002"] {
        assert!(ended.stdout.contains(run) && place.path(&format!("out/{run}-seed3/config.toml")).is_file(), "{ended:?}");
    }
    assert!(fs::read_to_string(place.path("out/a-one-lr-0.002-seed3/config.toml")).unwrap().contains("lr = 0.002"));
}

#[test]
fn wrong_requests_are_refused_before_anything_runs() {
    let place = place();
    fs::create_dir(place.path("b")).unwrap();
    fs::create_dir(place.path("b/a")).unwrap();
    fs::write(place.path("b/a/one.toml"), "").unwrap();
    fs::write(place.path("typo.toml"), "recipes = [\"a/one.toml\"]\nsedes = [1]\n").unwrap();
    fs::write(place.path("scalar.toml"), "recipes = [\"a/one.toml\"]\n[grid]\ntrain.lr = 1e-3\n").unwrap();
    compare(&place, &["a/one.toml", "a/three.toml"]).failed(2, &["a/three.toml"]);
    compare(&place, &["a/one.toml", "b/a/one.toml"]).failed(2, &["recipe name a-one is given twice"]);
    compare(&place, &["a/one.toml", "--seeds", "1,1"]).failed(2, &["seed 1 is given twice"]);
    compare(&place, &["a/one.toml", "train.epoch=3"]).failed(2, &["train.epochs"]);
    compare(&place, &["typo.toml"]).failed(2, &["typo.toml is no sweep file", "sedes"]);
    compare(&place, &["scalar.toml"]).failed(2, &["grid.train.lr", "list of values"]);
    for (name, section) in [("grid.toml", "[grid]\ntrain.epoch = [1, 2]\n"), ("settings.toml", "[settings]\ntrain.epoch = 1\n")] {
        fs::write(place.path(name), format!("recipes = [\"a/one.toml\"]\n{section}")).unwrap();
        compare(&place, &[name]).failed(2, &[&format!("unknown key \"train.epoch\" in {name}"), "train.epochs"]);
    }
    let mistyped = compare(&place, &["a/one.toml", "--seeds", "1;2"]);
    assert!(mistyped.code == Some(2) && mistyped.stderr.contains("1;2"), "{mistyped:?}");
    assert!(!place.path("out").exists());
}

#[test]
fn a_folder_with_a_run_of_other_settings_is_not_taken_for_this_one() {
    let place = place();
    compare(&place, &["a/one.toml"]).succeeded();
    compare(&place, &["a/one.toml", "train.lr=0.5"]).failed(2, &["out/a-one-seed1", "train.lr = 0.001 there, 0.5 here", "--out"]);
}

#[test]
fn a_run_planned_for_its_epochs_refuses_another_number_on_resume() {
    let place = place();
    place.train(&["train.epochs=1", "train.schedule=cosine", "--out", "run"]).succeeded();
    place.train(&["train.epochs=1", "method.kind=byol", "--out", "target"]).succeeded();
    for (run, planned) in [("run", "cosine"), ("target", "momentum")] {
        place.run(&["train", "--resume", run, "train.epochs=2"]).failed(2, &["train.epochs = 2", planned]);
        place.run(&["train", "--resume", run]).succeeded();
    }
}
