//! What an observer measures between epochs: lines of its own, and no trace in what is trained.

use relata_artifact::{Checkpoint, Metrics, RunFolder};
use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::{Shapes, ShapesOptions};
use relata_model::{Backbone, Compute, Executor, Images, Mode, ModelConfig};
use relata_train::{Error, Event, Flow, MethodConfig, Observer, ObserverError, Setup, TrainConfig, Trainer};
use std::path::Path;
use std::sync::Arc;

const SIDE: usize = 17;
const EPOCHS: u32 = 3;

fn trainer(executor: Executor) -> Trainer {
    let data = Shapes::new(ShapesOptions { train_images: 26, side_px: SIDE, ..ShapesOptions::default() }).unwrap();
    let compute = Compute::new(2).unwrap();
    let loader = LoaderConfig { batch_size: 8, views: 2, seed: 7, ..LoaderConfig::default() };
    Trainer::new(Setup {
        backbone: ModelConfig { executor, ..ModelConfig::default() }.build(7, compute.clone()).unwrap(),
        loader: ViewLoader::new(Arc::new(data), Pipeline::relational(SIDE).unwrap(), loader).unwrap(),
        method: MethodConfig { hidden: 24, ..MethodConfig::default() },
        config: TrainConfig { epochs: EPOCHS, log_every: 3, ..TrainConfig::default() },
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
    for executor in [Executor::Fused, Executor::Candle] {
        let (plain, watched) = (folder(place.path(), &format!("{executor:?}")), folder(place.path(), &format!("w{executor:?}")));
        trainer(executor).run(&plain, &mut ()).unwrap();
        trainer(executor).run(&watched, &mut Looks { fails: None }).unwrap();
        assert!(last(&plain) == last(&watched), "{executor:?}");

        let (online, training): (Vec<Metrics>, Vec<Metrics>) =
            watched.metrics().unwrap().into_iter().partition(Metrics::is_online);
        let at: Vec<_> = online.iter().map(|line| (line.step, line.epoch)).collect();
        assert_eq!(at, [(4, Some(1.0)), (8, Some(2.0)), (12, Some(3.0))]);
        for line in &online {
            assert!(line.extra.keys().eq(["online_mean"]) && line.loss.is_none() && line.elapsed_s.is_none(), "{line:?}");
        }
        let losses = |lines: &[Metrics]| lines.iter().map(|line| (line.step, line.loss)).collect::<Vec<_>>();
        assert_eq!(losses(&training), losses(&plain.metrics().unwrap()));
    }
}

#[test]
fn a_look_that_fails_ends_the_run_and_the_last_checkpoint_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let run = folder(place.path(), "run");
    let error = trainer(Executor::Fused).run(&run, &mut Looks { fails: Some(2) }).unwrap_err();
    assert!(matches!(error, Error::Observer(_)), "{error:?}");
    assert_eq!(last(&run).metadata["train.epoch"], "1");
    let mut resumed = trainer(Executor::Fused);
    assert!(resumed.resume(&run).unwrap());
    resumed.run(&run, &mut Looks { fails: None }).unwrap();
    let epochs: Vec<_> = run.metrics().unwrap().iter().filter(|line| line.is_online()).map(|line| line.epoch).collect();
    assert_eq!(epochs, [Some(1.0), Some(2.0), Some(3.0)]);
}
