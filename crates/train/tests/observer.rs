//! What an observer measures between epochs: lines of its own, and no trace in what is trained.

use relata_artifact::{Checkpoint, Metrics, RunFolder};
use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::{Shapes, ShapesOptions};
use relata_model::{Backbone, Compute, Executor, Images, Mode, ModelConfig};
use relata_train::{
    DeepClusterConfig, Error, Event, Flow, MethodConfig, Observer, ObserverError, Outcome, RelationalConfig, Setup, TrainConfig,
    Trainer,
};
use std::path::Path;
use std::sync::Arc;

const SIDE: usize = 17;
const EPOCHS: u32 = 3;

fn config() -> TrainConfig {
    TrainConfig { epochs: EPOCHS, log_every: 3, ..TrainConfig::default() }
}

fn method(name: &str) -> MethodConfig {
    match name {
        "relational" => RelationalConfig { hidden: 24, ..RelationalConfig::default() }.into(),
        "deepcluster" => DeepClusterConfig { clusters: 4, hidden: 20 }.into(),
        other => MethodConfig::named(other).unwrap(),
    }
}

fn trainer(executor: Executor, name: &str) -> Trainer {
    trainer_of(executor, name, config())
}

fn trainer_of(executor: Executor, name: &str, config: TrainConfig) -> Trainer {
    let data = Shapes::new(ShapesOptions { train_images: 26, side_px: SIDE, ..ShapesOptions::default() }).unwrap();
    let compute = Compute::new(2).unwrap();
    let loader = LoaderConfig { batch_size: 8, views: 2, seed: 7, ..LoaderConfig::default() };
    Trainer::new(Setup {
        backbone: ModelConfig { executor, ..ModelConfig::default() }.build(7, compute.clone()).unwrap(),
        loader: ViewLoader::new(Arc::new(data), Pipeline::relational(SIDE).unwrap(), loader).unwrap(),
        method: method(name),
        config,
        seed: 7,
        compute,
        info: Default::default(),
    })
    .unwrap()
}

fn folder(place: &Path, name: &str) -> RunFolder {
    RunFolder::create(place.join(name), false).unwrap()
}

fn last(folder: &RunFolder) -> Checkpoint {
    Checkpoint::load(&folder.checkpoint_path("last").unwrap()).unwrap()
}

/// Looks at more images than a batch holds, and fails after the epoch `fails`.
struct Looks {
    fails: Option<u32>,
}

impl Observer for Looks {
    fn event(&mut self, _: &Event<'_>) -> Flow {
        Flow::Continue
    }

    fn after_epoch(&mut self, epoch: u32, backbone: &mut dyn Backbone) -> Result<Vec<(&'static str, f64)>, ObserverError> {
        if self.fails == Some(epoch) {
            return Err("the disk with the images is gone".into());
        }
        let images: Vec<f32> = (0..40 * SIDE * SIDE * 3).map(|at| (at % 97) as f32 / 97.0).collect();
        let features = backbone.forward(Images::new(&images, 40, SIDE, SIDE)?, Mode::Eval)?;
        Ok(vec![("mean", features.iter().map(|v| f64::from(*v)).sum::<f64>() / features.len() as f64)])
    }
}

#[test]
fn a_look_at_the_backbone_changes_no_bit_and_is_a_line_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    // Of the other methods, those that have a tap, a target, or passes of their own.
    for (executor, kind) in [
        (Executor::Fused, "relational"),
        (Executor::Candle, "relational"),
        (Executor::Fused, "deepinfomax"),
        (Executor::Candle, "deepinfomax"),
        (Executor::Fused, "byol"),
        (Executor::Fused, "deepcluster"),
    ] {
        let name = format!("{executor:?}-{kind:?}");
        let (plain, watched) = (folder(place.path(), &name), folder(place.path(), &format!("{name}-watched")));
        trainer(executor, kind).run(&plain, &mut ()).unwrap();
        trainer(executor, kind).run(&watched, &mut Looks { fails: None }).unwrap();
        assert!(last(&plain) == last(&watched), "{name}");

        let (online, training): (Vec<Metrics>, Vec<Metrics>) =
            watched.metrics().unwrap().into_iter().partition(Metrics::is_online);
        let at: Vec<_> = online.iter().map(|line| (line.step, line.epoch)).collect();
        let steps: u64 = last(&plain).metadata["train.step"].parse::<u64>().unwrap() / 3;
        assert_eq!(at, [1, 2, 3].map(|epoch| (steps * epoch, Some(epoch as f64))), "{name}");
        for line in &online {
            assert!(line.extra.keys().eq(["online_mean"]) && line.loss.is_none() && line.elapsed_s.is_none(), "{line:?}");
        }
        let losses = |lines: &[Metrics]| lines.iter().map(|line| (line.step, line.loss)).collect::<Vec<_>>();
        assert_eq!(losses(&training), losses(&plain.metrics().unwrap()));
    }
}

/// Stops at a step, and hears the epochs' losses.
#[derive(Default)]
struct Losses {
    stop_at: Option<u64>,
    epochs: Vec<(u32, Option<f64>, usize, f64)>,
}

impl Observer for Losses {
    fn event(&mut self, event: &Event<'_>) -> Flow {
        match event {
            Event::Step(step) if Some(step.step) == self.stop_at => return Flow::Stop,
            Event::Epoch(epoch) => self.epochs.push((epoch.epoch, epoch.loss, epoch.figures.len(), epoch.waiting)),
            _ => {}
        }
        Flow::Continue
    }
}

#[test]
fn an_epoch_that_was_stopped_behind_its_last_batch_has_no_loss_when_it_is_resumed() {
    let place = tempfile::tempdir().unwrap();
    let run = folder(place.path(), "run");
    // 26 images in batches of 8: four steps an epoch.
    let mut first = Losses { stop_at: Some(8), ..Losses::default() };
    trainer(Executor::Fused, "relational").run(&run, &mut first).unwrap();
    let mut resumed = trainer(Executor::Fused, "relational");
    assert!(resumed.resume(&run).unwrap());
    let mut rest = Losses::default();
    resumed.run(&run, &mut rest).unwrap();
    let [(1, Some(_), 3, _)] = first.epochs[..] else { panic!("{:?}", first.epochs) };
    let [(2, None, 0, waiting), (3, Some(loss), 3, _)] = rest.epochs[..] else { panic!("{:?}", rest.epochs) };
    assert!(waiting == 0.0 && loss > 0.0, "{waiting}, {loss}");
    assert!(run.metrics().unwrap().iter().all(|line| line.loss.is_some_and(|loss| loss > 0.0)));
}

/// Says stop once, at the first event that it waits for.
struct StopsAt(Option<Is>);

type Is = fn(&Event<'_>) -> bool;

impl Observer for StopsAt {
    fn event(&mut self, event: &Event<'_>) -> Flow {
        if self.0.take_if(|waits_for| waits_for(event)).is_some() { Flow::Stop } else { Flow::Continue }
    }
}

#[test]
fn stop_is_heard_at_every_event_and_resumed_from_to_the_bit() {
    let place = tempfile::tempdir().unwrap();
    let whole = folder(place.path(), "whole");
    trainer(Executor::Fused, "relational").run(&whole, &mut ()).unwrap();
    let events: [(&str, Is); 3] = [
        ("step", |event| matches!(event, Event::Step(_))),
        ("epoch", |event| matches!(event, Event::Epoch(_))),
        ("checkpoint", |event| matches!(event, Event::Checkpoint { .. })),
    ];
    for (name, event) in events {
        let run = folder(place.path(), name);
        let stopped = trainer(Executor::Fused, "relational").run(&run, &mut StopsAt(Some(event))).unwrap();
        assert!(matches!(stopped, Outcome::Stopped { .. }), "{name}");
        let epoch = if name == "step" { "0" } else { "1" };
        assert_eq!(last(&run).metadata["train.epoch"], epoch, "{name}");
        let mut resumed = trainer(Executor::Fused, "relational");
        assert!(resumed.resume(&run).unwrap());
        resumed.run(&run, &mut ()).unwrap();
        assert!(last(&whole) == last(&run), "{name}");
    }
}

/// Another number of epochs than the `EPOCHS` of the run, or another rate.
fn resumed_by(run: &RunFolder, name: &str, change: fn(&mut TrainConfig)) -> relata_train::Result<bool> {
    let mut config = config();
    change(&mut config);
    trainer_of(Executor::Fused, name, config).resume(run)
}

#[test]
fn a_run_is_not_taken_up_by_another_plan() {
    let place = tempfile::tempdir().unwrap();
    let (relational, byol) = (folder(place.path(), "relational"), folder(place.path(), "byol"));
    for (run, kind) in [(&relational, "relational"), (&byol, "byol")] {
        trainer(Executor::Fused, kind).run(run, &mut ()).unwrap();
    }
    let reason = |resumed: relata_train::Result<bool>| match resumed {
        Err(Error::Checkpoint { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(resumed_by(&relational, "relational", |config| config.epochs = 5).unwrap());
    let planned = reason(resumed_by(&byol, "byol", |config| config.epochs = 5));
    assert!(planned.contains("target's momentum for the 3 epochs") && planned.contains("has 5"), "{planned}");
    let rate = reason(resumed_by(&relational, "relational", |config| config.lr = 0.5));
    assert!(rate.contains("train.lr 0.001") && rate.contains("train.lr 0.5"), "{rate}");
}

#[test]
fn a_look_that_fails_ends_the_run_and_the_last_checkpoint_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let run = folder(place.path(), "run");
    let error = trainer(Executor::Fused, "relational").run(&run, &mut Looks { fails: Some(2) }).unwrap_err();
    assert!(matches!(error, Error::Observer(_)), "{error:?}");
    assert_eq!(last(&run).metadata["train.epoch"], "1");
    let mut resumed = trainer(Executor::Fused, "relational");
    assert!(resumed.resume(&run).unwrap());
    resumed.run(&run, &mut Looks { fails: None }).unwrap();
    let epochs: Vec<_> = run.metrics().unwrap().iter().filter(|line| line.is_online()).map(|line| line.epoch).collect();
    assert_eq!(epochs, [Some(1.0), Some(2.0), Some(3.0)]);
}
