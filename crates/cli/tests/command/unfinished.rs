use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::{Ended, Place};

/// A run's result of a protocol, without what it took.
fn result(place: &Place, run: &str, name: &str) -> Value {
    let text = std::fs::read_to_string(place.path(run).join(format!("probes/{name}.json"))).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    assert!(value["seconds"].take().as_f64().unwrap() > 0.0);
    value
}

/// Runs a command until it has saved a state of the training called `part`, and sends it a signal then.
fn interrupted(place: &Place, arguments: &[&str], part: &str, signal: &str) -> Ended {
    let start = SystemTime::now();
    let child = place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let folder = place.path("parts/probes/unfinished");
    let saved = || {
        let Ok(entries) = std::fs::read_dir(&folder) else { return false };
        entries.flatten().any(|entry| {
            let new = entry.metadata().and_then(|file| file.modified()).is_ok_and(|time| time > start);
            new && entry.file_name().to_string_lossy().ends_with(&format!("{part}.safetensors"))
        })
    };
    while !saved() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    Ended::new(child.wait_with_output().unwrap())
}

#[test]
fn fine_tuning_that_is_interrupted_goes_on_with_the_same_command_to_the_bit() {
    let place = Place::new();
    for run in ["whole", "parts"] {
        place.train(&["train.epochs=1", "--out", run, "--no-report"]).succeeded();
    }
    let probe = |run| ["probe", run, "--protocol", "finetune", "probe.finetune.epochs=100", "probe.finetune.batch_size=16"];
    place.run(&probe("whole")).succeeded();
    for (part, signal) in [("trained", "-INT"), ("trained", "-KILL"), ("random", "-INT")] {
        let ended = interrupted(&place, &probe("parts"), part, signal);
        if signal == "-INT" {
            assert_eq!(ended.code, Some(130), "{ended:?}");
            assert!(ended.stderr.contains("of 100 epochs of finetune of"), "{}", ended.stderr);
            let command = "probe parts --protocol finetune probe.finetune.epochs=100 probe.finetune.batch_size=16";
            assert!(ended.stderr.contains("go on with: ") && ended.stderr.contains(command), "{}", ended.stderr);
        }
        assert!(!place.path("parts/probes/finetune-batch_size=16.json").exists());
    }
    let ended = place.run(&probe("parts")).succeeded();
    assert!(ended.stderr.contains("finetune of trained weights, seed 0: going on after 100 of 100 epochs"), "{}", ended.stderr);
    assert!(ended.stderr.contains("finetune of random weights, seed 0: going on after "), "{}", ended.stderr);
    assert_eq!(result(&place, "whole", "finetune-batch_size=16"), result(&place, "parts", "finetune-batch_size=16"));
    assert!(!place.path("parts/probes/unfinished").exists());
    let again = place.run(&["probe", "parts", "--protocol", "finetune", "probe.finetune.epochs=1"]).succeeded();
    assert!(!again.stderr.contains("going on"), "{}", again.stderr);
}

#[test]
fn a_training_with_labels_says_each_epoch_and_its_loss() {
    let place = Place::new();
    place.train(&["train.epochs=1", "--out", "run", "--no-report"]).succeeded();
    let settings = [
        "probe.finetune.epochs=30",
        "probe.finetune.batch_size=16",
        "probe.supervised.epochs=30",
        "probe.supervised.batch_size=16",
    ];
    let ended = place.run(&[&["probe", "run", "--protocol", "finetune,supervised"], &settings[..]].concat()).succeeded();
    let log = std::fs::read_to_string(place.path("run/train.log")).unwrap();
    for what in ["finetune of trained", "finetune of random", "supervised of random"] {
        let loss = |epoch: u32| -> f64 {
            let line = format!("{what} weights, seed 0: epoch {epoch}/30: loss ");
            // To the log, and where there is no terminal to whoever looks.
            assert_eq!([&log, &ended.stderr].map(|text| text.matches(&line).count()), [1, 1], "{line}: {ended:?}");
            log.split(&line).nth(1).unwrap().lines().next().unwrap().parse().unwrap()
        };
        assert!(loss(30) < loss(1), "{what}: {log}");
    }
}
