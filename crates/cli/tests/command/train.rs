use std::fs;

use crate::{Place, TINY, assert_same_bits};

#[test]
fn a_run_ends_with_scores_beside_random_weights_and_a_report() {
    let place = Place::new();
    let settings = ["data.limit=64", "train.epochs=2", "train.batch_size=16", "probe.epochs=2"];
    let ended = place.run(&[&["train", "--out", "run"][..], &settings].concat()).succeeded();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("protocol") && lines[0].contains("random weights"), "{lines:?}");
    assert!(lines[1].starts_with("linear") && lines[2].starts_with("knn"), "{lines:?}");
    assert_eq!(lines[3], "report: run/report.html");
    for file in [
        "config.toml",
        "provenance.json",
        "metrics.jsonl",
        "train.log",
        "report.html",
        "checkpoints/last.safetensors",
        "checkpoints/epoch-0001.safetensors",
        "probes/linear.json",
        "probes/knn.json",
        "probes/sample.safetensors",
        "figures/views.png",
    ] {
        assert!(place.path("run").join(file).is_file(), "{file} is missing");
    }
}

#[test]
fn every_method_ends_with_scores_and_its_figures_in_the_report() {
    let place = Place::new();
    for (method, figure) in [
        ("simclr", "Views matched with their own image"),
        ("barlow", "Redundancy of dimensions"),
        ("byol", "Cosine of prediction and target"),
        ("deepinfomax", "Prior loss"),
        ("deepcluster", "Clusters predicted correctly"),
        ("rotation", "Rotations predicted correctly"),
        ("supervised", "Classes predicted correctly"),
        ("random", "None, by intention"),
    ] {
        let method = format!("method.kind={method}");
        let settings = [
            "data.limit=64",
            "train.epochs=1",
            "train.batch_size=16",
            "train.log_every=1",
            "method.deepcluster.clusters=8",
            "probe.protocols=[\"knn\"]",
        ];
        let ended = place.run(&[&["train", "--overwrite", "--out", "run", &method][..], &settings].concat()).succeeded();
        assert!(ended.stdout.contains("knn"), "{method}: {ended:?}");
        assert!(fs::read_to_string(place.path("run/report.html")).unwrap().contains(figure), "{method}");
        let again = place.run(&["train", "--resume", "run"]).succeeded();
        assert!(again.stderr.contains("finished already"), "{method}: {again:?}");
    }
}

#[test]
fn training_with_labels_refuses_images_that_have_none() {
    let place = Place::new();
    for mark in 0..6 {
        relata_testkit::datasets::write_image(&place.path(&format!("photos/{mark}.png")), 5, 7, mark);
    }
    let settings = ["data.dataset=folder", "data.path=photos", "augment.side=8", "method.kind=supervised"];
    place.run(&[&["train", "--out", "run"][..], &settings].concat()).failed(2, &["two classes or more"]);
    assert!(!place.path("run").exists());
}

#[test]
fn two_and_two_resumed_epochs_give_the_bits_of_four() {
    let place = Place::new();
    place.train(&["train.epochs=4", "--out", "whole"]).succeeded();
    place.train(&["train.epochs=2", "--out", "parts"]).succeeded();
    place.run(&["train", "--resume", "parts", "train.epochs=4"]).succeeded();
    let last = |run: &str| place.path(run).join("checkpoints/last.safetensors");
    assert_same_bits(&last("whole"), &last("parts"));
    assert!(fs::read_to_string(place.path("parts/config.toml")).unwrap().contains("epochs = 4"));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let place = Place::new();
    place.train(&["train.epochs=2", "--out", "two"]).succeeded();
    place.train(&["train.epochs=2", "--out", "one", "threads=1", "train.workers=3", "train.prefetch=1"]).succeeded();
    let last = |run: &str| place.path(run).join("checkpoints/last.safetensors");
    assert_same_bits(&last("two"), &last("one"));
}

#[test]
fn a_finished_run_resumed_does_only_what_is_missing() {
    let place = Place::new();
    place.train(&["train.epochs=1", "--out", "run"]).succeeded();
    let last = place.path("run/checkpoints/last.safetensors");
    let written = fs::metadata(&last).unwrap().modified().unwrap();
    let settings = ["probe.after_train=true", "probe.protocols=[\"knn\"]", "probe.k=5"];
    let ended = place.run(&[&["train", "--resume", "run"][..], &settings].concat()).succeeded();
    assert!(ended.stderr.contains("finished already") && ended.stdout.contains("knn"), "{ended:?}");
    assert_eq!(fs::metadata(&last).unwrap().modified().unwrap(), written);
    let again = place.run(&["train", "--resume", "run"]).succeeded();
    assert!(!again.stderr.contains("features of"), "the score is there already: {}", again.stderr);
    assert_eq!(again.stdout, ended.stdout);
}

#[test]
fn a_longer_training_makes_the_scores_anew() {
    let place = Place::new();
    let probes = ["probe.after_train=true", "probe.protocols=[\"knn\"]", "probe.k=5"];
    place.train(&[&["train.epochs=1", "--out", "run"][..], &probes].concat()).succeeded();
    let ended = place.run(&["train", "--resume", "run", "train.epochs=2"]).succeeded();
    assert!(ended.stderr.contains("features of"), "{}", ended.stderr);
}

#[test]
fn a_run_that_died_before_its_first_checkpoint_starts_over() {
    let place = Place::new();
    place.train(&["train.epochs=1", "--out", "whole"]).succeeded();
    place.train(&["train.epochs=1", "--out", "run"]).succeeded();
    fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    let ended = place.run(&["train", "--resume", "run"]).succeeded();
    assert!(ended.stderr.contains("no checkpoint yet"), "{}", ended.stderr);
    let last = |run: &str| place.path(run).join("checkpoints/last.safetensors");
    assert_same_bits(&last("whole"), &last("run"));
}

#[test]
fn a_run_that_died_before_its_configuration_starts_over() {
    let place = Place::new();
    for folder in ["checkpoints", "probes", "figures"] {
        fs::create_dir_all(place.path("run").join(folder)).unwrap();
    }
    place.train(&["train.epochs=1", "--out", "run", "--resume"]).succeeded();
}

#[test]
fn unlabelled_images_are_trained_on_and_not_probed() {
    let place = Place::new();
    for mark in 0..6 {
        relata_testkit::datasets::write_image(&place.path(&format!("photos/{mark}.png")), 5, 7, mark);
    }
    let settings = ["data.dataset=folder", "data.path=photos", "augment.side=8", "train.epochs=1", "train.batch_size=3"];
    let ended = place.run(&[&["train", "--out", "run"][..], &settings].concat()).succeeded();
    assert!(ended.stderr.contains("no probes will follow: the images have no labels"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "report: run/report.html\n");
}

#[test]
fn images_of_one_class_are_trained_on_and_not_probed() {
    let place = Place::new();
    relata_testkit::datasets::write_class_folder(&place.path("photos"), &[("cat", 10)], "png");
    let settings = ["data.dataset=folder", "data.path=photos", "augment.side=8", "train.epochs=1", "train.batch_size=4"];
    let ended = place.run(&[&["train", "--out", "run"][..], &settings].concat()).succeeded();
    assert!(ended.stderr.contains("all images are of one class"), "{}", ended.stderr);
}

#[test]
fn data_that_has_moved_is_followed_and_other_data_refused() {
    let place = Place::new();
    let photos = |name: &str, count| {
        relata_testkit::datasets::write_class_folder(&place.path(name), &[("cat", count), ("dog", 6)], "png");
    };
    photos("photos", 6);
    let folder = ["data.dataset=folder", "data.path=photos", "augment.side=8"];
    place.train(&[&["--out", "run", "train.epochs=1"][..], &folder].concat()).succeeded();
    std::fs::rename(place.path("photos"), place.path("moved")).unwrap();
    photos("other", 7);
    let resume = ["train", "--resume", "run", "train.epochs=2"];
    place.run(&resume).failed(2, &["photos"]);
    let ended = place.run(&[&resume[..], &["data.path=other"]].concat());
    assert!(ended.code == Some(1) && ended.stderr.contains("fingerprint"), "{ended:?}");
    place.run(&[&resume[..], &["data.path=moved"]].concat()).succeeded();
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let place = Place::new();
    let ended = place.train(&["--dry-run", "train.epochs=3"]).succeeded();
    for words in ["4 an epoch, 12 in all", "24648 parameters", "MiB", "epochs = 3", "hue = 0.5"] {
        assert!(ended.stdout.contains(words), "{words:?} is missing in: {}", ended.stdout);
    }
    assert!(!place.path("runs").exists());
}

#[test]
fn a_setting_of_another_data_set_is_warned_of() {
    let place = Place::new();
    let ended = place.train(&["--dry-run", "data.stl10_fold=3"]).succeeded();
    assert!(ended.stderr.contains("data.stl10_fold is set, and data.dataset = \"shapes\" does not read it"), "{ended:?}");
    let ended = place.train(&["--dry-run"]).succeeded();
    assert!(!ended.stderr.contains("does not read"), "{ended:?}");
}

#[test]
fn a_dry_run_counts_the_rows_and_steps_of_the_method() {
    let place = Place::new();
    let plan = |method: &str| place.train(&["--dry-run", "train.epochs=3", &format!("method.kind={method}")]).succeeded().stdout;
    for (method, rows, steps) in
        [("simclr", "32 views", "12 in all"), ("rotation", "128 views", "12 in all"), ("random", "32 views", "none")]
    {
        let plan = plan(method);
        assert!(plan.contains(rows) && plan.contains(steps), "{method}: {plan}");
    }
}

/// The number of MiB in front of the first "MiB" behind `words`.
#[cfg(target_os = "linux")]
pub(crate) fn mib_behind(text: &str, words: &str) -> f64 {
    let behind = text.split_once(words).unwrap_or_else(|| panic!("no {words:?} in: {text}")).1;
    behind.split_once("MiB").unwrap().0.trim().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_takes_the_memory_that_its_dry_run_estimated() {
    let place = Place::new();
    let relational = ["model.backbone=resnet8", "augment.views=8", "train.batch_size=32"];
    // A tapped map, its gradient, and discriminators.
    let infomax = ["method.kind=deepinfomax", "method.deepinfomax.places=64", "augment.views=1", "train.batch_size=256"];
    for (name, settings) in [("relational", &relational[..]), ("infomax", &infomax)] {
        let all = [&["train", "probe.after_train=false", "data.limit=512", "train.epochs=1"], settings].concat();
        let run = |more: &[&str]| place.run(&[&all[..], more].concat()).succeeded();
        let planned = mib_behind(&run(&["--dry-run"]).stdout, "# memory");
        let taken = mib_behind(&run(&["--out", name, "--no-report"]).stderr, "at most ");
        assert!((planned / taken - 1.0).abs() < 0.1, "{name}: {planned} MiB estimated, {taken} MiB taken");
    }
}

#[test]
fn a_batch_without_room_is_refused_with_what_fits() {
    let place = Place::new();
    let ended = place.train(&["--out", "run", "data.limit=600", "augment.views=60000", "train.batch_size=512"]);
    ended.failed(2, &["are free; what fits: ", "augment.views="]);
    assert!(!place.path("run").exists());
}

#[test]
fn overwrite_replaces_a_run_and_nothing_else() {
    let place = Place::new();
    place.train(&["train.epochs=2", "--out", "run"]).succeeded();
    let second = place.path("run/checkpoints/epoch-0002.safetensors");
    assert!(second.is_file());
    place.train(&["train.epochs=1", "--out", "run", "--overwrite"]).succeeded();
    assert!(!second.exists() && place.path("run/checkpoints/epoch-0001.safetensors").is_file());
    fs::create_dir(place.path("mine")).unwrap();
    fs::write(place.path("mine/thesis.txt"), "years of work").unwrap();
    place.train(&["--out", "mine", "--overwrite"]).failed(2, &["mine", "thesis.txt"]);
    assert!(place.path("mine/thesis.txt").is_file());
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let place = Place::new();
    let arguments = [&["train", "--out", "run", "train.epochs=100000"][..], &TINY].concat();
    let child =
        place.command(&arguments).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let last = place.path("run/checkpoints/last.safetensors");
    while !last.is_file() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = crate::Ended::new(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.stderr.contains("go on with: relata train --resume run"), "{}", ended.stderr);
    let epochs = begun_epochs(&place, "run");
    let resumed = place.run(&["train", "--resume", "run", &format!("train.epochs={epochs}")]).succeeded();
    assert!(resumed.stderr.contains("resuming run"), "{}", resumed.stderr);
    assert_eq!(begun_epochs(&place, "run"), epochs);
}

/// Epochs of a run's last checkpoint, one that is not whole included.
fn begun_epochs(place: &Place, run: &str) -> u64 {
    let last = place.path(run).join("checkpoints/last.safetensors");
    let metadata = relata_artifact::read_checkpoint_metadata(&last).unwrap();
    let number = |key: &str| metadata[key].parse::<u64>().unwrap();
    number("train.epoch") + u64::from(number("train.batch") > 0)
}

#[test]
fn fewer_epochs_than_were_trained_are_refused_and_nothing_is_rewritten() {
    let place = Place::new();
    place.train(&["train.epochs=3", "--out", "run"]).succeeded();
    let config = || fs::read_to_string(place.path("run/config.toml")).unwrap();
    let before = config();
    place.run(&["train", "--resume", "run", "train.epochs=2"]).failed(2, &["train.epochs = 2", "3 epochs", "trained already"]);
    assert_eq!(config(), before);
    place.run(&["train", "--resume", "run", "train.epochs=3"]).succeeded();
}

#[test]
fn a_resume_that_the_checkpoint_does_not_allow_changes_no_setting() {
    let place = Place::new();
    place.train(&["train.epochs=1", "--out", "run"]).succeeded();
    let kept = || ["run/config.toml", "run/provenance.json"].map(|file| fs::read_to_string(place.path(file)).unwrap());
    let (before, last) = (kept(), place.path("run/checkpoints/last.safetensors"));
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() - 8]).unwrap();
    let ended = place.run(&["train", "--resume", "run", "train.epochs=5"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(kept(), before);
}

#[test]
fn a_data_set_with_fewer_images_than_published_has_no_broken_ones() {
    let place = Place::new();
    relata_testkit::datasets::write_cifar100(&place.path("datasets"), 40, 20);
    let settings = ["data.dataset=cifar100", "data.root=datasets", "augment.views=2", "train.batch_size=8", "train.epochs=1"];
    let ended = place.run(&[&["train", "--out", "run", "--no-report", "probe.after_train=false"], &settings[..]].concat());
    let ended = ended.succeeded();
    assert!(ended.stderr.contains("50000 are published") && !ended.stderr.contains("left out"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn a_run_that_is_being_trained_is_kept_from_other_processes() {
    let place = Place::new();
    let arguments = [&["train", "--out", "run", "train.epochs=100000"][..], &TINY].concat();
    let mut child = place.command(&arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
    while !place.path("run/checkpoints/last.safetensors").is_file() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    place.run(&["train", "--resume", "run"]).failed(2, &["run is in use", "--out"]);
    place.train(&["--out", "run", "--overwrite"]).failed(2, &["run is in use"]);
    let import = place.run(&["import", "run/checkpoints/last.safetensors", "--backbone", "conv4", "--out", "run", "--overwrite"]);
    import.failed(2, &["run is in use"]);
    assert!(place.path("run/checkpoints/last.safetensors").is_file());
    child.kill().unwrap();
    child.wait().unwrap();
    place.run(&["train", "--resume", "run", &format!("train.epochs={}", begun_epochs(&place, "run"))]).succeeded();
}

#[test]
fn the_metrics_count_the_seconds_of_training_across_a_resume() {
    let place = Place::new();
    let elapsed = || -> Vec<f64> {
        let run = relata_artifact::RunFolder::open(place.path("run")).unwrap();
        run.metrics().unwrap().iter().map(|line| line.elapsed_s.unwrap()).collect()
    };
    place.train(&["--out", "run", "train.epochs=2", "train.log_every=1"]).succeeded();
    let first = elapsed();
    place.run(&["train", "--resume", "run", "train.epochs=3"]).succeeded();
    let all = elapsed();
    assert!(first.len() == 8 && all.len() == 12 && all[..8] == first && all.is_sorted() && all[0] > 0.0, "{all:?}");
}
