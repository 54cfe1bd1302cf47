use std::fs;
use std::path::{Path, PathBuf};

use relata_artifact::CHANGES_NO_RESULT;

use super::*;

fn arguments(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}

fn resolve(given: &[&str]) -> Result<Config> {
    Config::from_layers(&Recipe::from_arguments(&arguments(given))?.layers())
}

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

fn recipes(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            recipes(&path, found);
        } else if !fs::read_to_string(&path).unwrap().contains("\nrecipes = ") {
            // What lists recipes is a sweep, for `compare`.
            found.push(path);
        }
    }
}

#[test]
fn every_recipe_is_valid() {
    let mut found = Vec::new();
    recipes(&configs(), &mut found);
    assert!(found.len() >= 29, "{found:?}");
    for path in found {
        let config = resolve(&[path.to_str().unwrap()]).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        config.validate().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn a_recipe_lists_only_what_differs_from_the_defaults() {
    let defaults = Config::default().to_table();
    let mut found = Vec::new();
    recipes(&configs(), &mut found);
    for path in found {
        let layer = SettingsLayer::parse("recipe", &fs::read_to_string(&path).unwrap()).unwrap();
        for (key, value) in layer.settings() {
            assert_ne!(value_at(&defaults, &key), Some(&value), "{}: {key} is the default", path.display());
        }
    }
}

#[test]
fn the_built_in_recipe_is_the_one_of_shapes() {
    let file = configs().join("shapes/conv4-relational.toml");
    assert_eq!(resolve(&[]).unwrap(), resolve(&[file.to_str().unwrap()]).unwrap());
}

#[test]
fn another_data_set_without_a_recipe_takes_the_papers_augmentation() {
    assert_eq!(resolve(&["data.dataset=cifar10"]).unwrap().augment, PipelineConfig::default());
    assert_ne!(resolve(&["data.dataset=shapes"]).unwrap().augment, PipelineConfig::default());
}

#[test]
fn written_then_read_is_the_same() {
    let config =
        resolve(&["train.epochs=7", "augment.mean=[0.1, 0.2, 0.3]", "probe.protocols=[\"knn\"]", "data.limit=9"]).unwrap();
    assert_eq!(Config::from_toml("config.toml", &config.to_toml()).unwrap(), config);
}

#[test]
fn the_command_line_wins_over_the_recipe() {
    let config = resolve(&["augment.jitter.hue=0.25", "train.epochs=3", "train.lr=1"]).unwrap();
    assert_eq!((config.augment.jitter.hue, config.train.epochs, config.train.lr), (0.25, 3, 1.0));
    assert_eq!(config.augment.jitter.p, 0.9, "the rest of the recipe stays");
}

#[test]
fn every_default_can_be_written_out_and_is_known() {
    let defaults = Config::default();
    assert_eq!(
        Config::from_layers(&[SettingsLayer { origin: "defaults".to_owned(), table: defaults.to_table() }]).unwrap(),
        defaults
    );
}

#[test]
fn a_word_that_a_setting_does_not_know_is_named_with_its_key() {
    for (setting, key) in [
        ("method.relational.loss=cross", "method.relational.loss"),
        ("method.loss=cross", "method.relational.loss"),
        ("model.backbone=conv5", "model.backbone"),
        ("train.epochs=-1", "train.epochs"),
    ] {
        let error = resolve(&[setting]).unwrap_err();
        assert!(matches!(&error, ConfigError::Value { key: named, .. } if named == key), "{setting}: {error:?}");
    }
}

#[test]
fn two_recipes_are_one_too_many() {
    let error = resolve(&["a.toml", "train.epochs=3", "b.toml"]).unwrap_err();
    assert!(matches!(error, ConfigError::NoSetting { argument } if argument == "b.toml"));
}

#[test]
fn a_missing_recipe_names_one_that_is_there() {
    let wanted = configs().join("cifar10/conv4-relation.toml");
    let error = resolve(&[wanted.to_str().unwrap()]).unwrap_err();
    let ConfigError::Recipe { nearest, .. } = &error else { panic!("{error:?}") };
    assert!(nearest[0].ends_with("conv4-relational.toml"), "{nearest:?}");
}

#[test]
fn one_image_or_one_view_is_refused_before_any_work() {
    for (setting, key) in
        [("train.batch_size=1", "train.batch_size"), ("augment.views=1", "augment.views"), ("train.lr=0", "train.lr")]
    {
        let error = resolve(&[setting]).unwrap().validate().unwrap_err();
        assert!(error.to_string().starts_with(key), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn a_device_that_this_build_lacks_is_refused() {
    for device in ["cuda", "cuda:1", "gpu", "cuda:x"] {
        let error = resolve(&[&format!("device={device}")]).unwrap().validate().unwrap_err();
        assert!(matches!(&error, crate::Error::Config(ConfigError::Range { key, .. }) if key == "device"), "{error:?}");
    }
    resolve(&["device=cpu"]).unwrap().validate().unwrap();
}

#[test]
fn a_number_that_a_run_folder_could_not_hold_is_refused() {
    let mut config = Config { seed: i64::MAX as u64, ..Config::default() };
    config.validate().unwrap();
    config.online.seed = u64::MAX;
    let error = config.validate().unwrap_err();
    assert!(matches!(&error, crate::Error::Config(ConfigError::Range { key, .. }) if key == "online.seed"), "{error:?}");
}

#[test]
fn weight_decay_is_measured_by_the_learning_rate_of_the_method() {
    let decay = |settings: &[&str]| resolve(settings).unwrap().validate();
    decay(&["train.weight_decay=900"]).unwrap();
    let error = decay(&["train.weight_decay=900", "method.kind=supervised"]).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("1 / method.supervised.lr, which is 0.1"), "{error}");
    decay(&["train.weight_decay=0.01", "train.lr=1000", "method.kind=supervised"]).unwrap();
}

#[test]
fn a_resumed_run_may_change_its_length_and_little_else() {
    let config = resolve(&["train.epochs=4"]).unwrap();
    let longer = config.resumed_with(&arguments(&["train.epochs=8", "probe.protocols=[\"knn\"]", "threads=1"])).unwrap();
    assert_eq!((longer.train.epochs, longer.threads), (8, 1));
    config.resumed_with(&arguments(&["train.batch_size=64"])).expect("the same value is no change");
    for key in CHANGES_NO_RESULT {
        assert!(changeable(&key.replace('*', "k")), "{key}");
    }
    config.resumed_with(&arguments(&["train.workers=3", "data.index=true"])).unwrap();
    for setting in ["train.batch_size=32", "augment.jitter.hue=0.1", "seed=2", "train.lr=0.1"] {
        let error = config.resumed_with(&arguments(&[setting])).unwrap_err();
        let wanted = setting.split('=').next().unwrap();
        assert!(matches!(&error, ConfigError::Resume { key, .. } if key == wanted), "{setting}: {error:?}");
    }
}

#[test]
fn another_number_of_epochs_is_refused_where_something_was_planned_by_it() {
    for planned in ["method.kind=supervised", "method.kind=byol", "train.schedule=cosine"] {
        let config = resolve(&["train.epochs=4", planned]).unwrap();
        let error = config.resumed_with(&arguments(&["train.epochs=8"])).unwrap_err();
        assert!(matches!(error, ConfigError::ResumeSchedule { given: 8, stored: 4, .. }), "{planned}: {error:?}");
        config.resumed_with(&arguments(&["train.epochs=4", "threads=1"])).unwrap();
    }
}

#[test]
fn a_run_is_named_by_what_it_is() {
    assert_eq!(Config::default().run_name(), "shapes-conv4-relational-seed1");
}
