use relata_ops::Compute;
use relata_testkit::{Tolerance, assert_close, central_difference};

use super::{LogisticProbe, Objective};
use crate::fixture::Fixture;
use crate::test_clouds::{clouds, names};
use crate::{Error, Features};

/// Of W and b at the optimum, with a gradient below 1e-6 where the flattest direction curves by l2 / n or more: each may be off
/// by 1e-6 · n / l2. f32 products shift the optimum itself by less than 1e-5.
fn weights(l2: f64, images: usize) -> Tolerance {
    Tolerance { abs: (1e-6 * images as f64 / l2).max(1e-5), rel: 0.0 }
}
/// Around an optimum a value is off by the square of the weights' error.
const OBJECTIVE: f64 = 1e-7;

fn compute(threads: usize) -> Compute {
    Compute::new(threads).unwrap()
}

#[test]
fn the_optimum_is_that_of_scikit_learn() {
    let fixture = Fixture::load("logistic");
    for case in ["l2-1", "l2-0.01", "l2-100"] {
        let l2 = case.trim_start_matches("l2-").parse().unwrap();
        let (train, test) = (fixture.features("train"), fixture.features("test"));
        let model = LogisticProbe { l2, ..LogisticProbe::default() }.fit(&train, &compute(2)).unwrap();
        assert!(model.converged(), "{case}");
        assert_close(model.weight(), &fixture.wide(&format!("{case}.weight")), weights(l2, train.rows()));
        assert_close(model.bias(), &fixture.wide(&format!("{case}.bias")), weights(l2, train.rows()));
        let objective = fixture.number(&format!("{case}.objective"));
        assert!((model.objective() - objective).abs() < OBJECTIVE, "{case}: {} against {objective}", model.objective());
        assert_eq!(model.predict(test.values()).unwrap(), fixture.labels(&format!("{case}.predictions")));
        let score = model.score(&test).unwrap();
        assert_eq!(score.accuracy_pct, fixture.number(&format!("{case}.accuracy_pct")), "{case}");
    }
}

#[test]
fn the_gradient_is_that_of_the_objective() {
    let train = clouds(0, 300, 5, 3, 1.0);
    let targets = train.labels().unwrap();
    let isa = compute(1).isa();
    let objective = Objective { values: train.values(), targets, width: 5, classes: 3, l2: 2.0, isa };
    let at: Vec<f64> = relata_testkit::hash_uniforms("point", 18);
    let mut gradient = vec![0.0; 18];
    objective.at(&at, &mut gradient);
    // Logits are f32: a difference over 2e-2 of values that are good to 1e-7 is good to 1e-5.
    let difference = central_difference(|point| objective.at(point, &mut [0.0; 18]), &at, 1e-2);
    assert_close(&gradient, &difference, Tolerance { abs: 5e-5, rel: 1e-4 });
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (train, test) = (clouds(0, 5000, 19, 7, 2.0), clouds(5000, 300, 19, 7, 2.0));
    let run = |threads| {
        let model = LogisticProbe::default().fit(&train, &compute(threads)).unwrap();
        (model.weight().to_vec(), model.bias().to_vec(), model.score(&test).unwrap())
    };
    assert!(run(1) == run(4));
}

#[test]
fn the_unit_of_a_feature_changes_nothing() {
    let scaled = |features: &Features| {
        let value = |(at, value): (usize, &f32)| if at % 3 == 1 { 1024.0 * value } else { *value };
        let values = features.values().iter().enumerate().map(value).collect();
        Features::new(values, 3, features.labels().unwrap().to_vec(), names(2)).unwrap()
    };
    let (train, test) = (clouds(0, 200, 3, 2, 2.0), clouds(200, 100, 3, 2, 2.0));
    let score = |train: &Features, test: &Features| {
        LogisticProbe::default().fit(train, &compute(1)).unwrap().score(test).unwrap().confusion
    };
    assert_eq!(score(&train, &test), score(&scaled(&train), &scaled(&test)));
}

#[test]
fn a_class_without_training_images_is_never_an_answer() {
    let train = Features::new(vec![-1.0, 1.0, -2.0, 2.0], 1, vec![0, 2, 0, 2], names(3)).unwrap();
    let model = LogisticProbe::default().fit(&train, &compute(1)).unwrap();
    assert_eq!(model.logits(&[0.3]).unwrap()[1], f32::NEG_INFINITY);
    let test = Features::new(vec![-1.0, 0.1, 1.0], 1, vec![0, 1, 2], names(3)).unwrap();
    let score = model.score(&test).unwrap();
    assert_eq!(score.confusion.iter().map(|row| row[1]).sum::<u32>(), 0);
    assert_eq!(score.per_class_accuracy_pct, [100.0, 0.0, 100.0]);
}

#[test]
fn a_feature_that_never_varies_does_no_harm() {
    let values = (0..40).flat_map(|row| [(row % 2) as f32, 0.1, 1e30]).collect();
    let train = Features::new(values, 3, (0..40).map(|row| row % 2).collect(), names(2)).unwrap();
    let model = LogisticProbe::default().fit(&train, &compute(1)).unwrap();
    assert!(model.converged() && model.score(&train).unwrap().accuracy_pct == 100.0);
}

#[test]
fn a_fit_that_stops_early_says_so() {
    let train = clouds(0, 300, 8, 4, 2.0);
    let score = |max_iterations| {
        let probe = LogisticProbe { max_iterations, ..LogisticProbe::default() };
        probe.fit(&train, &compute(1)).unwrap().score(&train).unwrap()
    };
    assert!(score(1000).notes.is_empty());
    assert!(score(2).notes[0].contains("after 2 iterations"), "{:?}", score(2).notes);
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let train = clouds(0, 20, 4, 2, 1.0);
    let probe = LogisticProbe::default();
    for (wrong, name) in [
        (LogisticProbe { l2: 0.0, ..probe }, "l2"),
        (LogisticProbe { l2: f64::NAN, ..probe }, "l2"),
        (LogisticProbe { max_iterations: 0, ..probe }, "max_iterations"),
        (LogisticProbe { tolerance: 0.0, ..probe }, "tolerance"),
    ] {
        let error = wrong.fit(&train, &compute(1)).unwrap_err();
        assert!(matches!(error, Error::Setting { key, .. } if key == name), "{name}");
    }
    let unlabelled = Features::unlabelled(vec![0.0; 8], 4).unwrap();
    assert!(matches!(probe.fit(&unlabelled, &compute(1)), Err(Error::Unlabelled { .. })));
    let model = probe.fit(&train, &compute(1)).unwrap();
    assert!(matches!(model.predict(&[0.0; 5]), Err(Error::Size { .. })));
    assert!(matches!(model.score(&clouds(0, 20, 5, 2, 1.0)), Err(Error::WidthDiffers { train: 4, test: 5 })));
}
