//! Runs of every method: repeatable to the bit, resumed to the bit, under heads of their own, and refused where they cannot be.

mod deepcluster;
mod labels;
mod optimizers;
mod settings;
mod taps;
mod target;

use relata_artifact::{Checkpoint, RunFolder};
use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::{Dataset, Shapes, ShapesOptions};
use relata_model::{Compute, Executor, ModelConfig};
use relata_train::{
    BarlowConfig, ByolConfig, ContrastiveLoss, DeepClusterConfig, DeepInfoMaxConfig, Error, Event, Flow, METHODS, MethodConfig,
    Observer, Outcome, RelationalConfig, Schedule, Setup, SimclrConfig, TrainConfig, Trainer,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const SIDE: usize = 17;

/// Each method with the name of its head in checkpoints and its figures; SimCLR twice, in both of its forms.
fn methods() -> Vec<(MethodConfig, &'static str, &'static [&'static str])> {
    let relational = || RelationalConfig { hidden: 24, ..RelationalConfig::default() };
    let simclr = |loss| SimclrConfig { loss, hidden: 20, output: 9, ..SimclrConfig::default() };
    let infomax = |places| DeepInfoMaxConfig { hidden: 20, places, ..DeepInfoMaxConfig::default() };
    let pairs: &[_] = &["pair_acc", "pair_acc_pos", "pair_acc_neg"];
    let local: &[_] = &["local_acc", "local_loss", "prior_loss"];
    vec![
        (relational().into(), "relation", pairs),
        (RelationalConfig { layers: 3, shifts: 2, ..relational() }.into(), "relation", pairs),
        (simclr(ContrastiveLoss::LogOfMean).into(), "projection", &["contrast_acc"]),
        (simclr(ContrastiveLoss::MeanOfLog).into(), "projection", &["contrast_acc"]),
        (BarlowConfig { redundancy: 0.5, hidden: 20, output: 4 }.into(), "projector", &["on_diagonal", "off_diagonal"]),
        (ByolConfig { momentum: 0.9, hidden: 20, output: 9 }.into(), "byol", &["cosine", "spread"]),
        (DeepClusterConfig { clusters: 4, hidden: 20 }.into(), "clusters", &["cluster_acc", "changed_share"]),
        (infomax(0).into(), "deepinfomax", local),
        (infomax(30).into(), "deepinfomax", local),
        (named("rotation"), "rotation", &["rotation_acc"]),
        (named("supervised"), "classifier", &["class_acc"]),
        (named("random"), "random", &[]),
    ]
}

fn named(name: &str) -> MethodConfig {
    MethodConfig::named(name).unwrap()
}

/// The table has no method that these tests leave out.
#[test]
fn every_method_of_the_table_is_tried() {
    let tried: BTreeSet<&str> = methods().iter().map(|(method, ..)| method.entry().name).collect();
    assert_eq!(tried, METHODS.iter().map(|entry| entry.name).collect());
}

/// 26 images in batches of 8: the last has 2.
fn shapes() -> Arc<dyn Dataset> {
    some_shapes(26)
}

fn some_shapes(train_images: usize) -> Arc<dyn Dataset> {
    Arc::new(Shapes::new(ShapesOptions { train_images, side_px: SIDE, ..ShapesOptions::default() }).unwrap())
}

fn trainer(method: &MethodConfig, data: Arc<dyn Dataset>, threads: usize, epochs: u32) -> Result<Trainer, Error> {
    trainer_on(Pipeline::relational(SIDE).unwrap(), method, data, threads, epochs)
}

fn trainer_on(
    pipeline: Pipeline,
    method: &MethodConfig,
    data: Arc<dyn Dataset>,
    threads: usize,
    epochs: u32,
) -> Result<Trainer, Error> {
    let config = TrainConfig { epochs, log_every: 3, ..TrainConfig::default() };
    build(pipeline, config, method, data, threads)
}

fn trainer_with(config: TrainConfig, method: &MethodConfig, data: Arc<dyn Dataset>, threads: usize) -> Result<Trainer, Error> {
    build(Pipeline::relational(SIDE).unwrap(), config, method, data, threads)
}

fn build(
    pipeline: Pipeline,
    config: TrainConfig,
    method: &MethodConfig,
    data: Arc<dyn Dataset>,
    threads: usize,
) -> Result<Trainer, Error> {
    let compute = Compute::new(threads).unwrap();
    let loader = LoaderConfig { batch_size: 8, views: 3, workers: threads, seed: 7, ..LoaderConfig::default() };
    Trainer::new(Setup {
        backbone: ModelConfig::default().build(7, compute.clone()).unwrap(),
        loader: ViewLoader::new(data, pipeline, loader).unwrap(),
        method: method.clone(),
        config,
        seed: 7,
        compute,
        info: Default::default(),
    })
}

fn run(folder: &RunFolder, method: &MethodConfig, threads: usize) -> Checkpoint {
    let outcome = trainer(method, shapes(), threads, 4).unwrap().run(folder, &mut ()).unwrap();
    assert!(matches!(outcome, Outcome::Finished { .. }));
    last(folder)
}

fn last(folder: &RunFolder) -> Checkpoint {
    Checkpoint::load(&folder.checkpoint_path("last").unwrap()).unwrap()
}

fn folder(place: &Path, name: &str) -> RunFolder {
    RunFolder::create(place.join(name), false).unwrap()
}

/// To the bit, NaN and signs of zero included.
#[track_caller]
fn assert_same_bits(left: &Checkpoint, right: &Checkpoint, what: &str) {
    assert_eq!(left.metadata, right.metadata, "{what}");
    assert_eq!(left.tensors.len(), right.tensors.len(), "{what}");
    for (left, right) in left.tensors.iter().zip(&right.tensors) {
        let bits = |data: &[f32]| data.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!((&left.name, &left.shape), (&right.name, &right.shape), "{what}");
        assert!(bits(&left.data) == bits(&right.data), "{what}: {} differs", left.name);
    }
}

#[test]
fn one_thread_and_several_give_the_same_bits() {
    let place = tempfile::tempdir().unwrap();
    for (number, (method, ..)) in methods().iter().enumerate() {
        let one = run(&folder(place.path(), &format!("one-{number}")), method, 1);
        let three = run(&folder(place.path(), &format!("three-{number}")), method, 3);
        assert_same_bits(&one, &three, method.entry().name);
    }
}

/// Says stop at a step: the last of epoch 2, or one in the midst of epoch 3.
struct StopAt(u64);

impl Observer for StopAt {
    fn event(&mut self, event: &Event<'_>) -> Flow {
        match event {
            Event::Step(step) if step.step == self.0 => Flow::Stop,
            _ => Flow::Continue,
        }
    }
}

#[test]
fn a_run_stopped_and_resumed_gives_the_bits_of_one_that_was_not() {
    let place = tempfile::tempdir().unwrap();
    for (number, (method, ..)) in methods().iter().enumerate() {
        let whole = run(&folder(place.path(), &format!("whole-{number}")), method, 2);
        for stop in [8, 10] {
            let parts = folder(place.path(), &format!("parts-{number}-{stop}"));
            let first = trainer(method, shapes(), 2, 4).unwrap().run(&parts, &mut StopAt(stop)).unwrap();
            let trains = method.spec().needs().steps;
            assert_eq!(matches!(first, Outcome::Stopped { .. }), trains);
            let mut resumed = trainer(method, shapes(), 2, 4).unwrap();
            assert!(resumed.resume(&parts).unwrap());
            assert_eq!(resumed.is_finished(), !trains);
            resumed.run(&parts, &mut ()).unwrap();
            assert_same_bits(&whole, &last(&parts), &format!("{} stopped at {stop}", method.entry().name));
        }
    }
}

/// An epoch and a half of warm-up, then a cosine; a run stopped while it rises, and while it falls.
#[test]
fn a_run_with_a_schedule_and_decay_resumes_to_the_bit() {
    let place = tempfile::tempdir().unwrap();
    let method = methods().remove(0).0;
    let trainer = || {
        let compute = Compute::new(2).unwrap();
        let loader = LoaderConfig { batch_size: 8, views: 3, workers: 2, seed: 7, ..LoaderConfig::default() };
        let (schedule, warmup_epochs, weight_decay) = (Schedule::Cosine, 1.5, 0.1);
        Trainer::new(Setup {
            backbone: ModelConfig::default().build(7, compute.clone()).unwrap(),
            loader: ViewLoader::new(shapes(), Pipeline::relational(SIDE).unwrap(), loader).unwrap(),
            method: method.clone(),
            config: TrainConfig { epochs: 4, log_every: 1, schedule, warmup_epochs, weight_decay, ..TrainConfig::default() },
            seed: 7,
            compute,
            info: Default::default(),
        })
        .unwrap()
    };
    let whole = folder(place.path(), "whole");
    trainer().run(&whole, &mut ()).unwrap();
    let rates: Vec<f64> = whole.metrics().unwrap().iter().map(|line| line.lr.unwrap()).collect();
    assert_eq!(rates.len(), 16);
    assert_eq!((rates[0], rates[5], rates[6]), (1e-3 / 6.0, 1e-3, 1e-3));
    assert!(rates[6..].windows(2).all(|pair| pair[1] < pair[0]) && rates[15] > 0.0, "{rates:?}");
    for stop in [3, 10] {
        let parts = folder(place.path(), &format!("parts-{stop}"));
        trainer().run(&parts, &mut StopAt(stop)).unwrap();
        let mut resumed = trainer();
        assert!(resumed.resume(&parts).unwrap());
        resumed.run(&parts, &mut ()).unwrap();
        assert_same_bits(&last(&whole), &last(&parts), &format!("stopped at {stop}"));
    }
    let plain = run(&folder(place.path(), "plain"), &method, 2);
    assert!(plain.tensors != last(&whole).tensors, "the schedule does something");
}

#[test]
fn every_method_writes_its_own_head_and_its_own_figures() {
    let place = tempfile::tempdir().unwrap();
    for (number, (method, head, figures)) in methods().iter().enumerate() {
        let folder = folder(place.path(), &number.to_string());
        let checkpoint = run(&folder, method, 2);
        let groups: BTreeSet<&str> = checkpoint.tensors.iter().map(|t| t.name.split('.').next().unwrap()).collect();
        let mut expected = BTreeSet::from(["backbone", "optimizer"]);
        expected.extend((method.spec().needs().steps).then_some(head));
        expected.extend(method.spec().needs().target.then_some(&"target"));
        assert_eq!(groups, expected);
        for line in folder.metrics().unwrap() {
            let json = serde_json::to_value(&line).unwrap();
            for figure in *figures {
                let value = json[figure].as_f64().unwrap_or_else(|| panic!("{} lacks {figure}", method.entry().name));
                let is_share = figure.starts_with("pair_acc") || figure.ends_with("_acc");
                assert!(value.is_finite() && (!is_share || (0.0..=1.0).contains(&value)), "{figure} {value}");
            }
            assert!(line.loss.unwrap().is_finite());
        }
    }
}

/// On images as they are: a few of them can be learned by heart. In whole batches:
/// two images alone correlate fully, whatever is learned. DeepCluster is asked something else every epoch: it has a test of its own.
#[test]
fn a_method_learns_what_it_is_asked() {
    let place = tempfile::tempdir().unwrap();
    let asked_once = |method: &MethodConfig| method.spec().needs().steps && !method.spec().needs().features;
    for (number, (method, ..)) in methods().iter().enumerate().filter(|(_, (method, ..))| asked_once(method)) {
        let folder = folder(place.path(), &number.to_string());
        let pipeline = Pipeline::evaluation(SIDE).unwrap();
        trainer_on(pipeline, method, some_shapes(24), 2, 30).unwrap().run(&folder, &mut ()).unwrap();
        let losses: Vec<f64> = folder.metrics().unwrap().iter().map(|line| line.loss.unwrap()).collect();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (start, end) = (mean(&losses[..8]), mean(&losses[losses.len() - 8..]));
        assert!(end < 0.97 * start, "{}: loss {start} at the start, {end} at the end", method.entry().name);
    }
}

/// A run of epochs of one step each.
fn steps(epochs: u32, folder: &RunFolder, method: MethodConfig, lr: f64, executor: Executor) -> Checkpoint {
    let compute = Compute::new(2).unwrap();
    let loader = LoaderConfig { batch_size: 8, views: 2, workers: 1, seed: 7, ..LoaderConfig::default() };
    let mut trainer = Trainer::new(Setup {
        backbone: ModelConfig { executor, ..ModelConfig::default() }.build(7, compute.clone()).unwrap(),
        loader: ViewLoader::new(some_shapes(8), Pipeline::relational(SIDE).unwrap(), loader).unwrap(),
        method,
        config: TrainConfig { epochs, lr, ..TrainConfig::default() },
        seed: 7,
        compute,
        info: Default::default(),
    })
    .unwrap();
    assert_eq!(trainer.run(folder, &mut ()).unwrap(), Outcome::Finished { step: epochs.into() });
    last(folder)
}

/// Of the first step.
fn assert_gradients_agree(fused: &Checkpoint, candle: &Checkpoint, head: &str) {
    // What Adam's first step divides by its own size would blow rounding up; its mean of gradients does not.
    for name in ["optimizer.backbone.mean".to_owned(), format!("optimizer.{head}.mean")] {
        let (fused, candle) = (&fused.tensor(&name).unwrap().data, &candle.tensor(&name).unwrap().data);
        let largest = fused.iter().fold(0.0f32, |most, g| most.max(g.abs()));
        assert!(largest > 0.0);
        for (at, (f, c)) in fused.iter().zip(candle).enumerate() {
            assert!((f - c).abs() <= 1e-4 * largest, "{name}, entry {at}: {f}, candle {c}");
        }
    }
}

#[test]
fn random_takes_no_step_and_keeps_its_initial_weights() {
    let place = tempfile::tempdir().unwrap();
    let method = named("random");
    let folder = folder(place.path(), "random");
    let mut trainer = trainer(&method, shapes(), 1, 4).unwrap();
    assert_eq!(trainer.run(&folder, &mut ()).unwrap(), Outcome::Finished { step: 0 });
    let initial = ModelConfig::default().build(7, Compute::new(1).unwrap()).unwrap();
    let checkpoint = last(&folder);
    for tensor in initial.parameters().torch_tensors() {
        assert_eq!(checkpoint.tensor(&format!("backbone.{}", tensor.name)).unwrap().data, tensor.data, "{}", tensor.name);
    }
    assert_eq!(folder.metrics().unwrap(), []);
}

#[test]
fn a_checkpoint_of_another_method_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let [simclr, rotation, supervised] = ["simclr", "rotation", "supervised"].map(named);
    let folder = folder(place.path(), "simclr");
    run(&folder, &simclr, 1);
    let refused = |other| trainer(&other, shapes(), 1, 4).unwrap().resume(&folder).unwrap_err();
    let error = refused(rotation);
    assert!(matches!(error, Error::Model(relata_model::Error::MissingTensor { .. })), "{error:?}");
    let error = refused(supervised);
    assert!(matches!(&error, Error::Checkpoint { reason, .. } if reason.contains("method.supervised.lr 0.1")), "{error:?}");
}
