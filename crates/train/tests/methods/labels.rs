//! Training with labels: its rate, and what lacks them.

use crate::{folder, methods, named, run, shapes, trainer};
use relata_data::{Dataset, Image};
use relata_train::{Error, MethodConfig, SupervisedConfig};
use std::sync::Arc;

#[test]
fn supervised_steps_get_smaller_after_half_and_three_quarters() {
    let place = tempfile::tempdir().unwrap();
    let method = named("supervised");
    let folder = folder(place.path(), "supervised");
    run(&folder, &method, 1);
    let rates: Vec<f64> = folder.metrics().unwrap().iter().map(|line| line.lr.unwrap()).collect();
    // Four steps an epoch, a line after three and one at the end.
    let expected = [0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001];
    assert_eq!(rates.len(), expected.len());
    assert!(rates.iter().zip(expected).all(|(rate, expected)| (rate - expected).abs() < 1e-12), "{rates:?}");
}

#[test]
fn a_loss_that_is_no_number_names_the_learning_rate_that_the_method_goes_by() {
    let place = tempfile::tempdir().unwrap();
    let supervised = SupervisedConfig { lr: 1e30, ..SupervisedConfig::default() };
    let method = MethodConfig::from(supervised);
    let error = trainer(&method, shapes(), 1, 4).unwrap().run(&folder(place.path(), "supervised"), &mut ()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { lr_key: "method.supervised.lr", .. }), "{error:?}");
    // The learning rate of a run cannot be changed when it is resumed.
    let words = error.to_string();
    assert!(words.contains("a new run with a smaller method.supervised.lr") && !words.contains("resume"), "{words}");
}

/// Shapes of which some, or all, have lost their labels.
struct Forgetful {
    shapes: Arc<dyn Dataset>,
    classes: Vec<String>,
    unlabelled: usize,
}

impl Dataset for Forgetful {
    fn len(&self) -> usize {
        self.shapes.len()
    }

    fn image(&self, index: usize) -> relata_data::Result<Image> {
        self.shapes.image(index)
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.shapes.label(index).filter(|_| index != self.unlabelled && !self.classes.is_empty())
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn source(&self, index: usize) -> String {
        format!("forgotten {index}")
    }

    fn fingerprint(&self) -> &str {
        "forgetful"
    }
}

#[test]
fn only_training_with_labels_needs_labels() {
    for (method, ..) in methods() {
        let nothing = Arc::new(Forgetful { shapes: shapes(), classes: Vec::new(), unlabelled: 0 });
        let classes = shapes().class_names().to_vec();
        let nearly = Arc::new(Forgetful { shapes: shapes(), classes, unlabelled: 5 });
        if method.spec().needs().labels {
            let error = trainer(&method, nothing, 1, 1).err().unwrap();
            assert!(matches!(error, Error::TooFewClasses { classes: 0 }), "{error:?}");
            let error = trainer(&method, nearly, 1, 1).err().unwrap();
            assert!(matches!(&error, Error::NoLabel { image: 5, origin } if origin == "forgotten 5"), "{error:?}");
        } else {
            trainer(&method, nothing, 1, 1).unwrap();
            trainer(&method, nearly, 1, 1).unwrap();
        }
    }
}
