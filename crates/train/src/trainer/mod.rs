//! The trainer: takes batches of views through backbone and method, and writes the run folder.

mod checkpoint;
mod epoch;
mod observer;
mod optimizer;
mod running_means;
mod step;
mod target;
mod training_plan;

pub use observer::{EpochReport, Event, Flow, Observer, ObserverError, StepReport};

use checkpoint::{RunPosition, RunState};
use optimizer::Decay;
use target::Target;
use training_plan::TrainingPlan;

use crate::batch::FEWEST_TO_TRAIN_ON;
use crate::views::label;
use crate::{Error, HeadShape, IntoMethod, IntoViewSource, Method, MethodConfig, Result, SourceShape, TrainConfig, ViewSource};
use relata_artifact::{Checkpoint, RunFolder};
use relata_augment::ViewLoader;
use relata_model::{Backbone, Buffers, Compute, Layout};
use relata_optim::Optimizer;
use std::collections::BTreeMap;

/// The checkpoint that a run resumes from.
const LAST: &str = "last";
/// What views a checkpoint was trained on: its entry in the metadata.
const VIEWS: &str = "train.views";

/// What a run is made of.
pub struct Setup<M = MethodConfig, V = ViewLoader> {
    /// The backbone to train.
    pub backbone: Box<dyn Backbone>,
    /// Where batches of views come from: a loader of images, [`crate::RowViews`] of rows, or a [`ViewSource`] of one's own.
    pub loader: V,
    /// What is done with the features: settings of one of the methods here, or a [`Method`] of one's own.
    pub method: M,
    /// How long, in what batches.
    pub config: TrainConfig,
    /// The one seed of the run.
    pub seed: u64,
    /// Threads for the method's kernels; the backbone brings its own.
    pub compute: Compute,
    /// Written into every checkpoint's metadata: what the backbone is and what images it wants.
    pub info: BTreeMap<String, String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Finished {
        /// Steps since the run began.
        step: u64,
    },
    /// The observer stopped it; a checkpoint was saved, and the run can be resumed.
    Stopped {
        /// Steps since the run began.
        step: u64,
    },
}

/// Trains a backbone.
pub struct Trainer {
    backbone: Box<dyn Backbone>,
    method: Box<dyn Method>,
    backbone_optimizer: Box<dyn Optimizer>,
    method_optimizer: Box<dyn Optimizer>,
    backbone_decay: Decay,
    method_decay: Decay,
    /// Of a method that has one.
    target: Option<Target>,
    /// Those of the batch's images, where the method wants them.
    labels: Vec<usize>,
    views: Box<dyn ViewSource>,
    shape: SourceShape,
    config: TrainConfig,
    seed: u64,
    info: BTreeMap<String, String>,
    position: RunPosition,
}

impl Trainer {
    /// A run before its first step.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting outside its range, [`Error::WeightDecay`], [`Error::TooFewImages`], [`Error::Size`] for batches of one image;
    /// [`Error::TooFewClasses`], [`Error::NoLabel`] or [`Error::LabelOutOfRange`] where the method needs labels and lacks them.
    pub fn new<M: IntoMethod, V: IntoViewSource>(setup: Setup<M, V>) -> Result<Self> {
        let Setup { mut backbone, loader, method, config, seed, compute, info } = setup;
        config.validate()?;
        let source = loader.into_view_source();
        let shape = check_source(&*source)?;
        let SourceShape { images, classes, batch_size: max_images, views, size } = shape;
        let width = backbone.architecture().width;
        let first_map = backbone.architecture().first_map(size).map_or(Layout::dense(0, 0, 0), |(_, map)| map);
        let shape_of_head = HeadShape { width, views, max_images, images, classes, size, first_map };
        let method = method.into_method(shape_of_head, seed, compute, &mut Buffers::allocated())?;
        config.check_decay(method.lr(&config, 0), method.needs().lr_key)?;
        let taps = method.taps(backbone.architecture());
        backbone.set_taps(&taps)?;
        if method.needs().labels {
            (0..images).try_for_each(|image| label(&*source, image, classes).map(drop))?;
        }
        let optimizer = optimizer::choose(&config, &*method);
        let target = method.needs().target.then(|| Target::new(backbone.parameters(), method.parameters()));
        Ok(Self {
            backbone_optimizer: optimizer.build(backbone.parameters().len()),
            method_optimizer: optimizer.build(method.parameters().len()),
            backbone_decay: Decay::of_weights(config.weight_decay, backbone.parameters()),
            method_decay: Decay::of_weights(config.weight_decay, method.parameters()),
            target,
            labels: Vec::new(),
            backbone,
            method,
            views: source,
            shape,
            config,
            seed,
            info,
            position: RunPosition::default(),
        })
    }

    /// Resumes a run where its last checkpoint left it; `false` where it has none yet.
    ///
    /// # Errors
    /// Where the checkpoint is damaged or does not fit: the first differing tensor is named. [`Error::Checkpoint`] where learning rate,
    /// schedule or weight decay are others, or the number of epochs where something was planned for it.
    pub fn resume(&mut self, folder: &RunFolder) -> Result<bool> {
        let path = folder.checkpoint_path(LAST)?;
        if !path.exists() {
            return Ok(false);
        }
        let checkpoint = Checkpoint::load(&path)?;
        let views = self.views.fingerprint();
        // Checkpoints from before there was such an entry are taken as they are.
        if let Some(trained) = checkpoint.metadata.get(VIEWS).filter(|trained| !self.views.continues(trained)) {
            let reason = format!(
                "it was trained on views with fingerprint {trained}, this run's have {views}: other data, or another way to make \
                 views and batches of them"
            );
            return Err(Error::Checkpoint { checkpoint: LAST.to_owned(), reason });
        }
        let misfit = |reason| Error::Checkpoint { checkpoint: LAST.to_owned(), reason };
        self.plan().check(&checkpoint.metadata).map_err(misfit)?;
        let seed = self.seed;
        self.position = checkpoint::restore(LAST, &checkpoint, &mut self.state(), seed)?;
        Ok(true)
    }

    /// Steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.position.step
    }

    /// Whether all epochs are done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.position.epoch >= self.config.epochs
    }

    /// The backbone as it stands.
    pub fn backbone(&mut self) -> &mut dyn Backbone {
        &mut *self.backbone
    }

    fn plan(&self) -> TrainingPlan {
        TrainingPlan::new(&self.config, &*self.method)
    }

    fn state(&mut self) -> RunState<'_> {
        RunState {
            backbone: &mut *self.backbone,
            method: &mut *self.method,
            backbone_optimizer: &mut self.backbone_optimizer,
            method_optimizer: &mut self.method_optimizer,
            target: self.target.as_mut(),
        }
    }

    /// Refuses weights that are not finite.
    fn check_weights(&self) -> Result<()> {
        for parameters in [self.backbone.parameters(), self.method.parameters()] {
            for spec in parameters.specs() {
                if let Some(value) = parameters.values()[spec.range.clone()].iter().find(|value| !value.is_finite()) {
                    return Err(self.not_finite(format!("parameter {}", spec.name), f64::from(*value), self.position.step));
                }
            }
        }
        Ok(())
    }

    fn not_finite(&self, what: String, value: f64, step: u64) -> Error {
        Error::NotFinite { what, value, step, epoch: self.position.epoch + 1, lr_key: self.method.needs().lr_key }
    }

    fn save_checkpoint(&mut self, folder: &RunFolder, name: &str) -> Result<()> {
        let (position, seed, mut info) = (self.position, self.seed, self.info.clone());
        info.insert(VIEWS.to_owned(), self.views.fingerprint());
        info.extend(self.plan().to_metadata());
        checkpoint::save(folder, name, &self.state(), position, seed, &info)
    }
}

/// What a source of views gives, where it can be trained on.
fn check_source(source: &dyn ViewSource) -> Result<SourceShape> {
    let shape = source.shape();
    if source.batches_per_epoch() == 0 {
        return Err(Error::TooFewImages { images: shape.images });
    }
    if shape.batch_size < FEWEST_TO_TRAIN_ON {
        let (expected, got) = (format!("{FEWEST_TO_TRAIN_ON} or more"), shape.batch_size.to_string());
        return Err(Error::Size { what: "the most images in a batch of the views' source", expected, got });
    }
    if source.fewest_in_a_batch() < FEWEST_TO_TRAIN_ON {
        let expected = "2 or more: let LoaderConfig::drop_single leave it out, or take another batch size".to_owned();
        let got = source.fewest_in_a_batch().to_string();
        return Err(Error::Size { what: "images in the last batch of the views' source", expected, got });
    }
    Ok(shape)
}
