use relata_ops::Compute;
use relata_testkit::{Tolerance, assert_close};

use super::{LinearProbe, PRODUCTS_WORTH_THREADS};
use crate::draw;
use crate::test_clouds::{clouds, names, with_random_labels};
use crate::{Error, Features};

/// f32 against f64 over 180 Adam steps of 1e-3: measured 2.2e-7 at worst, and allowed ten times that.
const FIT: Tolerance = Tolerance { abs: 2e-6, rel: 1e-5 };

fn compute(threads: usize) -> Compute {
    Compute::new(threads).unwrap()
}

/// The protocol in f64 and in the words of PyTorch's documentation. Gives weight, bias and the losses of the epochs.
fn reference(probe: &LinearProbe, train: &Features) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (width, classes) = (train.width(), train.class_names().len());
    let labels = train.labels().unwrap();
    let mut parameters: Vec<f64> = draw::linear_layer(probe.seed, width, classes).into_iter().map(f64::from).collect();
    let bias_at = classes * width;
    let (mut mean, mut square) = (vec![0.0; parameters.len()], vec![0.0; parameters.len()]);
    let (mut step, mut losses) = (0, Vec::new());
    for epoch in 0..probe.epochs {
        let mut sum = 0.0;
        for rows in draw::epoch_order(probe.seed, epoch as u32, train.rows()).chunks(probe.batch_size) {
            let mut gradients = vec![0.0; parameters.len()];
            for &row in rows {
                let x: Vec<f64> = train.row(row).iter().map(|&value| f64::from(value)).collect();
                let logit = |class: usize| {
                    let weight = &parameters[class * width..][..width];
                    weight.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>() + parameters[bias_at + class]
                };
                let exps: Vec<f64> = (0..classes).map(|class| logit(class).exp()).collect();
                let total: f64 = exps.iter().sum();
                sum -= (exps[labels[row]] / total).ln();
                for class in 0..classes {
                    let truth = f64::from(u8::from(class == labels[row]));
                    let d_logit = (exps[class] / total - truth) / rows.len() as f64;
                    for column in 0..width {
                        gradients[class * width + column] += d_logit * x[column];
                    }
                    gradients[bias_at + class] += d_logit;
                }
            }
            step += 1;
            for (at, gradient) in gradients.into_iter().enumerate() {
                mean[at] = 0.9 * mean[at] + 0.1 * gradient;
                square[at] = 0.999 * square[at] + 0.001 * gradient * gradient;
                let (mean, square): (f64, f64) =
                    (mean[at] / (1.0 - 0.9_f64.powi(step)), square[at] / (1.0 - 0.999_f64.powi(step)));
                parameters[at] -= probe.lr * mean / (square.sqrt() + 1e-8);
            }
        }
        losses.push(sum / train.rows() as f64);
    }
    let bias = parameters.split_off(bias_at);
    (parameters, bias, losses)
}

#[test]
fn the_fit_is_that_of_an_f64_reference() {
    // 83 rows in batches of 16: the last holds 3. Widths and classes that are no multiple of a vector, and one that is.
    for (width, classes) in [(5, 3), (16, 2), (19, 11)] {
        let train = clouds(0, 83, width, classes, 1.0);
        let probe = LinearProbe { epochs: 30, batch_size: 16, seed: 7, ..LinearProbe::default() };
        let model = probe.fit(&train, &compute(1)).unwrap();
        let (weight, bias, losses) = reference(&probe, &train);
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        assert_close(&wide(model.weight()), &weight, FIT);
        assert_close(&wide(model.bias()), &bias, FIT);
        assert_close(model.epoch_losses(), &losses, FIT);
    }
}

#[test]
fn clouds_that_lie_apart_are_told_apart() {
    let score = LinearProbe::default().fit(&clouds(0, 2000, 16, 10, 0.2), &compute(2)).unwrap();
    let score = score.score(&clouds(2000, 500, 16, 10, 0.2)).unwrap();
    assert_eq!((score.accuracy_pct, score.train_images, score.test_images), (100.0, 2000, 500));
    assert!((0..10).all(|class| score.confusion[class][class] == 50 && score.per_class_accuracy_pct[class] == 100.0));
}

#[test]
fn labels_without_meaning_give_chance() {
    let train = with_random_labels(&clouds(0, 4000, 16, 10, 0.2), "train labels");
    let test = with_random_labels(&clouds(4000, 4000, 16, 10, 0.2), "test labels");
    let score = LinearProbe { epochs: 10, ..LinearProbe::default() }.fit(&train, &compute(2)).unwrap().score(&test).unwrap();
    // 10 % with a standard deviation of sqrt(0.1 · 0.9 / 4000) = 0.47 points.
    assert!((score.accuracy_pct - 10.0).abs() < 2.5, "{}", score.accuracy_pct);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    // The first is fitted on one thread whatever is given, the second is large enough for all of them.
    for (rows, width, classes) in [(150, 7, 3), (600, 96, 200)] {
        let probe = LinearProbe { epochs: 3, batch_size: 256, ..LinearProbe::default() };
        let wide = 256 * width * classes >= PRODUCTS_WORTH_THREADS;
        assert_eq!(wide, classes == 200);
        let (train, test) = (clouds(0, rows, width, classes, 2.0), clouds(rows, 300, width, classes, 2.0));
        let run = |threads| {
            let model = probe.fit(&train, &compute(threads)).unwrap();
            let bits: Vec<u32> = model.weight().iter().chain(model.bias()).map(|value| value.to_bits()).collect();
            (bits, model.epoch_losses().to_vec(), model.score(&test).unwrap())
        };
        assert!(run(1) == run(4), "{rows} rows of {width}");
    }
}

#[test]
fn another_seed_is_another_fit() {
    let train = clouds(0, 100, 4, 2, 1.0);
    let fit = |seed| LinearProbe { seed, epochs: 2, ..LinearProbe::default() }.fit(&train, &compute(1)).unwrap();
    assert_eq!(fit(1).weight(), fit(1).weight());
    assert_ne!(fit(1).weight(), fit(2).weight());
}

#[test]
fn many_rows_keep_their_order() {
    let model = LinearProbe { epochs: 20, ..LinearProbe::default() }.fit(&clouds(0, 300, 3, 3, 0.1), &compute(2)).unwrap();
    let test = clouds(300, 4500, 3, 3, 0.1);
    let predicted = model.predict(test.values()).unwrap();
    let one_by_one: Vec<usize> = (0..4500).map(|row| model.predict(test.row(row)).unwrap()[0]).collect();
    assert_eq!(predicted, one_by_one);
    assert!(matches!(model.predict(&[0.0; 4]), Err(Error::Size { expected: 3, got: 4, .. })));
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let train = clouds(0, 20, 4, 2, 1.0);
    let fit = |probe: LinearProbe, train: &Features| probe.fit(train, &compute(1)).unwrap_err();
    let probe = LinearProbe { epochs: 2, ..LinearProbe::default() };
    let unlabelled = Features::unlabelled(vec![0.0; 8], 4).unwrap();
    assert!(matches!(fit(probe, &unlabelled), Error::Unlabelled { .. }));
    let one_class = Features::new(vec![0.0; 8], 4, vec![1, 1], names(3)).unwrap();
    assert!(matches!(fit(probe, &one_class), Error::OneClass { rows: 2, class } if class == "class 1"));
    for (wrong, name) in [
        (LinearProbe { epochs: 0, ..probe }, "epochs"),
        (LinearProbe { batch_size: 0, ..probe }, "batch_size"),
        (LinearProbe { lr: 0.0, ..probe }, "lr"),
        (LinearProbe { lr: f64::NAN, ..probe }, "lr"),
    ] {
        assert!(matches!(fit(wrong, &train), Error::Setting { key, .. } if key == name), "{name}");
    }
    let leaping = LinearProbe { lr: 3e38, ..probe };
    assert!(matches!(fit(leaping, &clouds(0, 300, 16, 2, 1.0)), Error::Diverged { epoch: 1, .. }));
}

#[test]
fn weights_that_the_last_step_ruined_give_no_score() {
    // One batch an epoch: the only loss is that of the first weights.
    let leap = |lr| {
        let probe = LinearProbe { lr, epochs: 1, batch_size: 1000, ..LinearProbe::default() };
        probe.fit(&clouds(0, 100, 16, 2, 1.0), &compute(1))
    };
    assert!(matches!(leap(3e38), Err(Error::Diverged { epoch: 1, .. })));
    // Still numbers, but their products with such features are none.
    let model = leap(1e30).unwrap();
    let test = Features::new(vec![1e20; 32], 16, vec![0, 1], names(2)).unwrap();
    assert!(matches!(model.score(&test), Err(Error::NoPrediction { row: 0, .. })));
    assert!(matches!(model.predict(test.values()), Err(Error::NoPrediction { row: 0, .. })));
}

#[test]
fn features_of_another_kind_cannot_be_scored() {
    let model = LinearProbe { epochs: 1, ..LinearProbe::default() }.fit(&clouds(0, 20, 4, 2, 1.0), &compute(1)).unwrap();
    let score = |test: &Features| model.score(test).unwrap_err();
    assert!(matches!(score(&clouds(0, 20, 5, 2, 1.0)), Error::WidthDiffers { train: 4, test: 5 }));
    assert!(matches!(score(&clouds(0, 20, 4, 3, 1.0)), Error::ClassCountDiffers { train: 2, test: 3 }));
    assert!(matches!(score(&Features::unlabelled(vec![0.0; 8], 4).unwrap()), Error::Unlabelled { .. }));
    let renamed = Features::new(vec![0.0; 4], 4, vec![0], vec!["class 0".into(), "other".into()]).unwrap();
    assert!(matches!(score(&renamed), Error::ClassNameDiffers { label: 1, .. }));
}
