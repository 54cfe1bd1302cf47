//! `train.optimizer`: any optimiser with any method.

use crate::{StopAt, assert_same_bits, folder, last, methods, named, shapes, trainer_with};
use relata_optim::OPTIMIZERS;
use relata_train::{Error, TrainConfig};

fn config(optimizer: &str) -> TrainConfig {
    let (optimizer, lr, weight_decay) = (optimizer.to_owned(), 1e-3, 0.01);
    TrainConfig { epochs: 3, log_every: 3, optimizer, lr, weight_decay, ..TrainConfig::default() }
}

#[test]
fn every_optimiser_trains_every_method_and_resumes_to_the_bit() {
    let place = tempfile::tempdir().unwrap();
    for entry in OPTIMIZERS {
        for (number, (method, ..)) in methods().iter().enumerate().filter(|(_, (method, ..))| method.spec().needs().steps) {
            let what = format!("{}-{}-{number}", entry.name, method.entry().name);
            let trainer = || trainer_with(config(entry.name), method, shapes(), 2).unwrap();
            let (whole, parts) = (folder(place.path(), &format!("{what}-whole")), folder(place.path(), &what));
            trainer().run(&whole, &mut ()).unwrap();
            trainer().run(&parts, &mut StopAt(6)).unwrap();
            let mut resumed = trainer();
            assert!(resumed.resume(&parts).unwrap());
            resumed.run(&parts, &mut ()).unwrap();
            assert_same_bits(&last(&whole), &last(&parts), &what);
            for state in entry.state {
                assert!(last(&whole).tensor(&format!("optimizer.backbone.{state}")).is_some(), "{what} saves {state}");
            }
        }
    }
}

#[test]
fn a_run_is_not_resumed_with_another_optimiser() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path(), "run");
    let method = named("relational");
    let trainer = |optimizer| trainer_with(config(optimizer), &method, shapes(), 1).unwrap();
    trainer("auto").run(&folder, &mut StopAt(6)).unwrap();
    let error = trainer("sgd").resume(&folder).unwrap_err();
    assert!(matches!(&error, Error::Checkpoint { reason, .. } if reason.contains("optimizer sgd")), "{error:?}");
    // The method's own by its name is the same run.
    assert!(trainer("adam").resume(&folder).unwrap());
}

#[test]
fn optimisers_that_are_not_there_or_lack_a_setting_are_refused() {
    let unknown = config("lion").validate().unwrap_err();
    assert!(
        matches!(&unknown, Error::UnknownName { key: "train.optimizer", known, .. } if known.contains(&"auto")),
        "{unknown:?}"
    );
    let without = TrainConfig { weight_decay: 0.0, ..config("adamw") }.validate().unwrap_err();
    assert!(matches!(without, Error::Setting { key: "train.weight_decay", .. }), "{without:?}");
    let momentum = TrainConfig { momentum: 1.0, ..config("sgd") }.validate().unwrap_err();
    assert!(matches!(momentum, Error::Setting { key: "train.momentum", .. }), "{momentum:?}");
}
