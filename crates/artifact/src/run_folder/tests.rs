use serde_json::json;

use super::*;
use crate::{FeatureSample, Neighbour, NeighbourRow, Neighbours, ProbeResult, ViewGrid};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, name: &str) -> RunFolder {
        let run = RunFolder::create(self.at(name), false).unwrap();
        run.write_config("seed = 1\n").unwrap();
        run
    }
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let paths = entries(folder).unwrap().into_iter().map(|(_, path)| path);
    paths.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

#[test]
fn an_existing_run_is_never_overwritten_by_accident() {
    let place = Place::new();
    let run = place.run("a");
    let error = RunFolder::create(run.path(), false).unwrap_err();
    assert!(matches!(&error, Error::Exists { path } if path == run.path()));
    assert_eq!(error.kind(), crate::ErrorKind::Usage);
    assert_eq!(run.config().unwrap(), "seed = 1\n");
}

#[test]
fn overwriting_a_run_leaves_nothing_of_it() {
    let place = Place::new();
    let run = place.run("a");
    run.metrics_writer().unwrap().append(&json!({"step": 1})).unwrap();
    run.write_probe("linear", &ProbeResult::default()).unwrap();
    run.write_report("<html>").unwrap();
    fs::write(run.path().join(".relata-x1.tmp"), b"").unwrap();
    RunFolder::create(run.path(), true).unwrap();
    assert!(all_files(run.path()).is_empty());
}

#[test]
fn a_removal_that_was_cut_short_anywhere_can_be_done_again() {
    let whole = |place: &Place| {
        let run = place.run("a");
        run.write_provenance(&Provenance::default()).unwrap();
        run.metrics_writer().unwrap().append(&json!({"step": 1})).unwrap();
        run.save_checkpoint("last", &[], &BTreeMap::new()).unwrap();
        run.write_probe("linear", &ProbeResult::default()).unwrap();
        run.write_report("<html>").unwrap();
        run
    };
    let entries = recognise::in_order_of_removal(whole(&Place::new()).path()).unwrap().len();
    assert_eq!(entries, 8, "seven of the run and the mark");
    for removed in 0..=entries {
        let place = Place::new();
        let run = whole(&place);
        for entry in recognise::in_order_of_removal(run.path()).unwrap().into_iter().take(removed) {
            if entry.is_dir() { fs::remove_dir_all(entry).unwrap() } else { fs::remove_file(entry).unwrap() }
        }
        RunFolder::create(run.path(), true).unwrap_or_else(|error| panic!("{removed} removed: {error}"));
        assert!(all_files(run.path()).is_empty(), "{removed} removed");
    }
}

#[test]
fn overwriting_refuses_a_folder_that_is_no_run_and_removes_nothing() {
    let place = Place::new();
    let with_stranger = place.run("stranger");
    fs::write(with_stranger.path().join("thesis.tex"), b"years of work").unwrap();

    let without_config = place.at("no-config");
    fs::create_dir_all(without_config.join(FIGURES)).unwrap();
    fs::write(without_config.join(FIGURES).join("a.png"), b"x").unwrap();

    let project = place.at("somebody's project");
    fs::create_dir_all(project.join(FIGURES)).unwrap();
    fs::write(project.join(CONFIG), b"[site]\n").unwrap();

    for path in [with_stranger.path().to_owned(), without_config, project] {
        let before = all_files(&path);
        assert!(matches!(RunFolder::create(&path, true), Err(Error::NotOverwritten { .. })), "{path:?}");
        assert_eq!(all_files(&path), before);
    }
}

#[test]
fn a_folder_left_by_a_run_that_died_at_once_counts_as_empty() {
    let place = Place::new();
    RunFolder::create(place.at("a"), false).unwrap();
    fs::write(place.at("a").join(".relata-x1.tmp"), b"").unwrap();
    RunFolder::create(place.at("a"), false).unwrap();
    assert!(all_files(&place.at("a")).is_empty());
}

#[test]
fn a_file_in_the_folders_place_is_an_error_and_survives() {
    let place = Place::new();
    fs::write(place.at("a"), b"precious").unwrap();
    for overwrite in [false, true] {
        assert!(matches!(RunFolder::create(place.at("a"), overwrite), Err(Error::Io { .. })));
    }
    assert_eq!(fs::read(place.at("a")).unwrap(), b"precious");
}

#[test]
fn opening_a_missing_run_names_those_nearby() {
    let place = Place::new();
    for name in ["cifar10-conv4", "shapes", "runs/cifar10-rotation"] {
        place.run(name);
    }
    let error = RunFolder::open(place.at("cifar10-conv")).unwrap_err();
    let Error::NoRun { known, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*known, ["cifar10-conv4", "shapes", "runs/cifar10-rotation"].map(|name| place.at(name)));
    assert!(matches!(RunFolder::open(place.0.path()), Err(Error::NoRun { .. })), "a folder without config.toml");
}

#[test]
fn names_cannot_leave_their_folder() {
    let place = Place::new();
    let run = place.run("a");
    for name in ["", "..", "../config", "a/b", "a\\b", ".hidden", "line\nbreak"] {
        assert!(matches!(run.checkpoint_path(name), Err(Error::Name { .. })), "{name:?}");
        assert!(matches!(run.write_probe(name, &ProbeResult::default()), Err(Error::Name { .. })));
        assert!(matches!(run.write_figure(name, b""), Err(Error::Name { .. })));
    }
}

#[test]
fn a_config_that_is_no_toml_is_not_written() {
    let place = Place::new();
    let run = place.run("a");
    assert!(matches!(run.write_config("seed = = 2"), Err(Error::Toml { .. })));
    assert_eq!(run.config_table().unwrap()["seed"].as_integer(), Some(1));
}

#[test]
fn everything_written_is_read_back() {
    let place = Place::new();
    let run = place.run("a");
    assert_eq!(run.provenance().unwrap(), None);
    assert_eq!(run.views().unwrap(), None);
    assert_eq!(run.neighbours().unwrap(), None);
    assert_eq!(run.feature_sample().unwrap(), None);
    assert_eq!(run.probes().unwrap(), []);

    let provenance = Provenance {
        version: "0.1.0".into(),
        seed: u64::MAX,
        data: vec![crate::DataFingerprint { name: "shapes".into(), images: 10_000, ..Default::default() }],
        extra: [("note".to_owned(), json!("by hand"))].into_iter().collect(),
        ..Default::default()
    };
    run.write_provenance(&provenance).unwrap();
    assert_eq!(run.provenance().unwrap(), Some(provenance));

    let linear = ProbeResult {
        protocol: "linear".into(),
        accuracy_pct: 58.75,
        baseline_random_pct: Some(14.75),
        settings: [("epochs".to_owned(), json!(100))].into_iter().collect(),
        confusion: vec![vec![3, 1], vec![0, 4]],
        ..Default::default()
    };
    assert_eq!(linear.gain_points(), Some(44.0));
    run.write_probe("linear", &linear).unwrap();
    run.write_probe("knn", &ProbeResult::default()).unwrap();
    assert_eq!(run.probes().unwrap(), [("knn".to_owned(), ProbeResult::default()), ("linear".to_owned(), linear)]);

    let grid = ViewGrid { rows: 2, columns: 5, captions: vec!["original".into()], augmentation: "crop".into() };
    run.write_views(&grid, b"png").unwrap();
    assert_eq!(run.views().unwrap(), Some((grid, b"png".to_vec())));
    let found = vec![Neighbour { image: "b".into(), class: None, similarity: 0.5 }];
    let rows = vec![NeighbourRow { image: "a".into(), class: Some("cat".into()), found }];
    let neighbours = Neighbours { tile_px: 32, columns: 2, queries: "test".into(), searched: "train".into(), rows };
    run.write_neighbours(&neighbours, b"tiles").unwrap();
    assert_eq!(run.neighbours().unwrap(), Some((neighbours, b"tiles".to_vec())));

    let sample = FeatureSample { features: vec![1.0, 2.0], dim: 2, labels: vec![3], ..FeatureSample::default() };
    run.write_feature_sample(&sample).unwrap();
    assert_eq!(run.feature_sample().unwrap(), Some(sample));

    let epochs = [10_000, 9_999, 50, 9].map(RunFolder::epoch_checkpoint_name);
    for name in epochs.into_iter().chain(["last".into(), "best".into()]) {
        run.save_checkpoint(&name, &[], &BTreeMap::new()).unwrap();
    }
    let names = run.checkpoint_names().unwrap();
    assert_eq!(names, ["epoch-0009", "epoch-0050", "epoch-9999", "epoch-10000", "best", "last"]);
}

#[test]
fn json_without_protocol_data_split_and_accuracy_is_no_result() {
    let place = Place::new();
    let run = place.run("a");
    let least = json!({"protocol": "linear", "data": "shapes", "split": "test", "accuracy_pct": 58.75});
    let path = run.probes_dir().join("linear.json");
    for missing in ["protocol", "data", "split", "accuracy_pct"] {
        let mut object = least.clone();
        object.as_object_mut().unwrap().remove(missing);
        fs::write(&path, object.to_string()).unwrap();
        assert!(matches!(run.probes(), Err(Error::Json { path: named, .. }) if named == path), "{missing}");
    }
    // An older version's, with nothing that came later.
    fs::write(&path, least.to_string()).unwrap();
    let result = ProbeResult { protocol: "linear".into(), data: "shapes".into(), split: "test".into(), ..Default::default() };
    assert_eq!(run.probes().unwrap(), [("linear".to_owned(), ProbeResult { accuracy_pct: 58.75, ..result })]);
}

#[test]
fn leftovers_of_a_killed_process_can_be_removed() {
    let place = Place::new();
    let run = place.run("a");
    fs::write(run.checkpoints_dir().join(".relata-x1.tmp"), b"half").unwrap();
    assert_eq!(run.checkpoint_names().unwrap(), [""; 0]);
    assert_eq!(run.remove_leftovers().unwrap(), 1);
    assert_eq!(run.remove_leftovers().unwrap(), 0);
    assert_eq!(run.config().unwrap(), "seed = 1\n");
}

#[cfg(unix)]
#[test]
fn what_another_process_writes_is_no_leftover() {
    let place = Place::new();
    let run = place.run("a");
    let path = run.probes_dir().join("knn.json");
    let file = crate::AtomicFile::create(&path).unwrap();
    assert_eq!(run.remove_leftovers().unwrap(), 0);
    file.commit().unwrap();
    assert!(path.is_file());
}

#[test]
fn a_score_is_written_beside_a_file_that_is_no_result() {
    let place = Place::new();
    let run = place.run("a");
    fs::write(run.probes_dir().join("notes.json"), r#"{"my notes": 1}"#).unwrap();
    let result = ProbeResult { protocol: "knn".into(), checkpoint: "last".into(), ..ProbeResult::default() };
    let name = run.write_result(&result).unwrap();
    assert!(run.probes_dir().join(format!("{name}.json")).is_file());
    // What has a result's own name, and is none, is not written over.
    fs::write(run.probes_dir().join(format!("{name}.json")), r#"{"my notes": 1}"#).unwrap();
    assert!(matches!(run.write_result(&result), Err(Error::Json { .. })));
}

#[test]
fn captions_of_another_picture_are_dropped() {
    let place = Place::new();
    let run = place.run("a");
    let grid = ViewGrid { rows: 2, columns: 5, captions: vec!["original".into()], augmentation: "crop".into() };
    run.write_views(&grid, b"old").unwrap();
    run.write_neighbours(&Neighbours { tile_px: 32, ..Neighbours::default() }, b"old").unwrap();
    // As if the process had ended before it wrote the captions.
    for name in ["views.png", "neighbours.png"] {
        run.write_figure(name, b"new").unwrap();
    }
    assert_eq!(run.views().unwrap(), Some((ViewGrid::default(), b"new".to_vec())));
    assert_eq!(run.neighbours().unwrap(), None);
    // Older versions did not say of which picture they are.
    fs::write(run.figures_dir().join("views.json"), serde_json::to_vec(&grid).unwrap()).unwrap();
    assert_eq!(run.views().unwrap(), Some((grid, b"new".to_vec())));
}

#[test]
fn unfinished_trainings_are_kept_by_name_and_are_no_results() {
    let place = Place::new();
    let run = place.run("a");
    assert_eq!(run.unfinished("finetune-seed-1").unwrap(), None);
    let metadata = BTreeMap::from([("epoch".to_owned(), "3".to_owned())]);
    for name in ["finetune-seed-1", "finetune-seed-2", "finetune-cifar100-seed-1"] {
        run.save_unfinished(name, &[TensorRef { name: "head", shape: &[2], data: &[1.0, 2.0] }], &metadata).unwrap();
    }
    let state = run.unfinished("finetune-seed-2").unwrap().unwrap();
    assert_eq!((&state.metadata, &state.tensor("head").unwrap().data), (&metadata, &vec![1.0, 2.0]));
    assert_eq!(run.probes().unwrap(), []);
    fs::write(run.unfinished_dir().join(".relata-x1.tmp"), b"half").unwrap();
    run.remove_unfinished("finetune-seed-").unwrap();
    assert_eq!(entries(&run.unfinished_dir()).unwrap().len(), 1, "of another data set");
    run.remove_unfinished("finetune-cifar100-seed-").unwrap();
    assert!(!run.unfinished_dir().exists());
    run.remove_unfinished("finetune-seed-").unwrap();
    assert!(matches!(run.unfinished("../x"), Err(Error::Name { .. })));
}

#[cfg(unix)]
#[test]
fn overwriting_through_a_link_keeps_the_link_and_what_it_does_not_own() {
    let place = Place::new();
    let run = place.run("real");
    let archive = place.at("archive");
    fs::create_dir_all(&archive).unwrap();
    fs::write(archive.join("epoch-0001.safetensors"), b"kept elsewhere").unwrap();
    fs::remove_dir(run.checkpoints_dir()).unwrap();
    std::os::unix::fs::symlink(&archive, run.checkpoints_dir()).unwrap();
    std::os::unix::fs::symlink(run.path(), place.at("link")).unwrap();

    RunFolder::create(place.at("link"), true).unwrap();
    assert!(place.at("link").is_symlink());
    assert!(archive.join("epoch-0001.safetensors").exists());
    assert!(!run.config_path().exists());
}
