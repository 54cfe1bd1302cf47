use serde_json::json;

use super::super::difference::SEED;
use super::super::older::LABEL_FRACTION;
use super::*;
use crate::RunFolder;

const CONFIG: &str = "[data]\ndataset = \"cifar10\"\npath = \"\"\nlimit = 64\nvalidation = 0\n\
     [probe]\nepochs = 100\nlr = 0.001\nk = 200\nseed = 0\nlabel_fraction = 1.0\n[probe.finetune]\nepochs = 100\n";

fn run(config: &str) -> (tempfile::TempDir, RunFolder) {
    let parent = tempfile::tempdir().unwrap();
    let run = RunFolder::create(parent.path().join("run"), false).unwrap();
    run.write_config(config).unwrap();
    (parent, run)
}

/// A result of the run's own settings but for `changes`.
fn result(changes: &[(&str, &str)]) -> ProbeResult {
    let own = [(DATASET, "cifar10"), (PATH, ""), (LIMIT, "64"), (HELD_OUT, "0"), ("probe.epochs", "100"), (SEED, "0")];
    let request = own.iter().chain(changes).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ProbeResult { protocol: "linear".into(), split: "test".into(), checkpoint: "last".into(), request, ..Default::default() }
}

#[test]
fn a_name_says_what_is_not_the_runs_own() {
    let (_parent, run) = run(CONFIG);
    let name = |changes: &[(&str, &str)]| run.result_name(&result(changes)).unwrap();
    assert_eq!(name(&[]), "linear");
    assert_eq!(name(&[("probe.epochs", "5")]), "linear-epochs=5");
    assert_eq!(name(&[(DATASET, "cifar100"), (LIMIT, "0"), (SEED, "[1, 2, 3]")]), "linear-cifar100-seeds=1+2+3");
    assert_eq!(name(&[(DATASET, "cifar100"), (LIMIT, "64")]), "linear-cifar100-limit=64");
    assert_eq!(name(&[(SEED, "7"), (LIMIT, "0")]), "linear-limit=0-seed=7");
    let held_out = ProbeResult { split: "validation".into(), ..result(&[(HELD_OUT, "200")]) };
    assert_eq!(run.result_name(&held_out).unwrap(), "linear-validation=200");
    let early = ProbeResult { checkpoint: "epoch-0005".into(), ..result(&[("probe.epochs", "5"), (LIMIT, "0")]) };
    assert_eq!(run.result_name(&early).unwrap(), "linear-limit=0-epoch-0005-epochs=5");

    run.write_config(&CONFIG.replace("validation = 0", "validation = 200")).unwrap();
    assert_eq!(run.result_name(&held_out).unwrap(), "linear-validation");
    assert_eq!(run.result_name(&result(&[])).unwrap(), "linear-test");
}

#[test]
fn a_name_is_a_files_and_another_for_every_request() {
    let (_parent, run) = run(CONFIG);
    let folder = |path| run.result_name(&result(&[(DATASET, "folder"), (PATH, path), (LIMIT, "0")])).unwrap();
    let names = ["a/photos", "b/photos", "b/../photos/", "my photos", "my-photos"].map(folder);
    assert!(names.iter().all(|name| name.starts_with("linear-folder-")), "{names:?}");
    assert!((1..names.len()).all(|at| !names[..at].contains(&names[at])), "{names:?}");
    let seeds = |last: u64| (0..40).chain([last]).collect::<Vec<_>>();
    let long = [98, 99].map(|last| run.result_name(&result(&[(SEED, &format!("{:?}", seeds(last)))])).unwrap());
    assert!(long[0] != long[1] && long[0].len() < 30, "{long:?}");
    for name in names.iter().chain(&long) {
        run.write_probe(name, &ProbeResult::default()).unwrap();
    }
}

#[test]
fn another_request_is_never_overwritten() {
    let (_parent, run) = run(CONFIG);
    let names = || run.probes().unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let of = |epochs, accuracy_pct| ProbeResult { accuracy_pct, ..result(&[("probe.epochs", epochs)]) };
    assert_eq!(run.write_result(&of("100", 60.0)).unwrap(), "linear");
    assert_eq!(run.write_result(&of("10", 50.0)).unwrap(), "linear-epochs=10");
    assert_eq!(run.write_result(&of("100", 61.0)).unwrap(), "linear", "the same request, newer");
    // The configuration now requests what was another request.
    run.change_config(&CONFIG.replace("epochs = 100\nlr", "epochs = 10\nlr")).unwrap();
    assert_eq!(names(), ["linear", "linear-epochs=100"]);
    assert_eq!(run.probes().unwrap().iter().map(|(_, result)| result.accuracy_pct).collect::<Vec<_>>(), [50.0, 61.0]);
    // And where it was changed by hand.
    run.write_config(CONFIG).unwrap();
    assert_eq!(run.write_result(&of("100", 62.0)).unwrap(), "linear");
    assert_eq!(names(), ["linear", "linear-epochs=10", "linear-epochs=100"]);
}

#[test]
fn a_file_that_a_user_named_keeps_its_name() {
    let (_parent, run) = run(CONFIG);
    run.write_probe("linear-as-it-was", &result(&[])).unwrap();
    run.write_result(&result(&[])).unwrap();
    run.change_config(&CONFIG.replace("epochs = 100\nlr", "epochs = 10\nlr")).unwrap();
    let names: Vec<String> = run.probes().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["linear-as-it-was", "linear-epochs=100"]);
}

#[test]
fn a_result_of_earlier_weights_is_not_the_runs_own() {
    let (_parent, run) = run(CONFIG);
    let at = |step: u64| ProbeResult { settings: [("step".to_owned(), json!(step))].into_iter().collect(), ..result(&[]) };
    run.write_result(&at(40)).unwrap();
    let differs = || run.probes().unwrap().remove(0).1.differs;
    assert_eq!(differs(), [], "no checkpoint has another step");
    let trained = |step: &str| {
        run.save_checkpoint("last", &[], &[("train.step".to_owned(), step.to_owned())].into()).unwrap();
    };
    trained("40");
    assert_eq!(differs(), []);
    trained("80");
    let found = run.probes().unwrap().remove(0).1;
    assert_eq!(found.differs, [Difference { key: "step".into(), value: "40".into(), own: "80".into() }]);
    assert!(!found.is_of_last_weights() && found.stem() == "linear");
}

#[test]
fn results_of_older_versions_are_read_from_their_settings() {
    let (_parent, run) = run(CONFIG);
    let older = |settings: serde_json::Value, data: &str| ProbeResult {
        request: BTreeMap::new(),
        settings: settings.as_object().cloned().unwrap(),
        data: data.into(),
        ..result(&[])
    };
    let name = |result: &ProbeResult| run.result_name(result).unwrap();
    let own = json!({"epochs": 100, "lr": 1e-3, "optimizer": "adam", "seed": 0, "step": 40});
    assert_eq!(name(&older(own.clone(), "cifar10")), "linear");
    assert_eq!(name(&older(own, "cifar100")), "linear-cifar100");
    assert_eq!(name(&older(json!({"epochs": 5, "lr": 1e-3, "seeds": [1, 2]}), "cifar10")), "linear-epochs=5-seeds=1+2");
    let few = json!({"epochs": 100, "label_fraction": 0.01, "label_seed": 0});
    assert_eq!(name(&older(few, "cifar10")), "linear-label_fraction=0.01");
    let knn = ProbeResult { protocol: "knn".into(), ..older(json!({"k": 64, "k_asked_for": 200}), "cifar10") };
    assert_eq!(name(&knn), "knn");
    let tuned = ProbeResult { protocol: "finetune".into(), ..older(json!({"epochs": 2}), "cifar10") };
    assert_eq!(name(&tuned), "finetune-epochs=2");
    let held_out = ProbeResult { split: "validation".into(), test_images: 200, ..older(json!({}), "cifar10") };
    assert_eq!(name(&held_out), "linear-validation=200");

    let mut read = older(json!({"epochs": 5}), "cifar10");
    read.compare_with(&run.config_table().unwrap(), None);
    let wanted = |epochs: &str| result(&[("probe.epochs", epochs), (LABEL_FRACTION, "1.0")]).request;
    assert!(read.was_requested_with(&wanted("5")) && !read.was_requested_with(&wanted("100")));
}
