use crate::checkpoint::{self, Position, State};
use crate::optimizer::{Decay, Optimizer};
use crate::plan::Plan;
use crate::target::Target;
use crate::totals::{Clock, Totals};
use crate::views::{FEWEST_TO_LOOK_AT, FEWEST_TO_TRAIN_ON, label};
use crate::{
    BatchShape, EpochReport, Error, Event, Flow, HeadShape, IntoMethod, IntoViewSource, Method, MethodConfig, Observer, Result,
    SourceShape, StepReport, TrainConfig, ViewBatch, ViewBuffer, ViewSource,
};
use relata_artifact::{Checkpoint, Metrics, MetricsWriter, RunFolder};
use relata_augment::ViewLoader;
use relata_model::{Activations, Backbone, Compute, Images, Layout, Mode};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
    position: Position,
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
        let SourceShape { images, classes, batch_size: max_images, views, size } = shape;
        let width = backbone.architecture().width;
        let first_map = backbone.architecture().first_map(size).map_or(Layout::dense(0, 0, 0), |(_, map)| map);
        let method = method.into_method(HeadShape { width, views, max_images, images, classes, first_map }, seed, compute)?;
        config.check_decay(method.lr(&config, 0), method.lr_key())?;
        let taps = method.taps(backbone.architecture());
        backbone.set_taps(&taps)?;
        if method.needs_labels() {
            (0..images).try_for_each(|image| label(&*source, image, classes).map(drop))?;
        }
        let optimizer = |len| method.optimizer(&config).build(len);
        let steps = u64::from(config.epochs) * source.batches_per_epoch() as u64;
        let target = method.target_momentum(0, steps).map(|_| Target::new(backbone.parameters(), method.parameters()));
        Ok(Self {
            backbone_optimizer: optimizer(backbone.parameters().len()),
            method_optimizer: optimizer(method.parameters().len()),
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
            position: Position::default(),
        })
    }

    /// Takes up a run where its last checkpoint left it; `false` where it has none yet.
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

    /// Trains to the last epoch, or until the observer says stop. Writes metrics.jsonl and checkpoints: `last` at the end
    /// of every epoch (and every `checkpoint_every` steps), and one that stays at 25, 50, 75 and 100 % of the epochs. A method
    /// that trains nothing takes no step: its only checkpoint, `last`, holds the initial weights.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where the loss or a weight is no longer a number, with the checkpoints from before kept; any
    /// failure to read an image or to write.
    pub fn run(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<Outcome> {
        let mut metrics =
            if self.position.step == 0 { folder.metrics_writer()? } else { folder.resume_metrics(self.position.step)? };
        // A resumed run goes on counting where its metrics stopped.
        let before_s = if self.position.step == 0 {
            0.0
        } else {
            folder.metrics()?.iter().rev().find_map(|line| line.elapsed_s).unwrap_or(0.0)
        };
        let started = Instant::now();
        // Of that, what observers took.
        let aside = Cell::new(Duration::ZERO);
        let elapsed_s = || before_s + (started.elapsed() - aside.get()).as_secs_f64();
        if !self.method.trains() {
            self.position = Position { step: 0, epoch: self.config.epochs, batch: 0 };
            // Whatever the observer says: it is finished.
            self.save(folder, LAST, &mut metrics, observer)?;
        }
        let mut clock = Clock::new(self.shape.views * self.method.rows_per_view());
        let mut batch = ViewBuffer::default();
        while !self.is_finished() {
            let epoch = self.position.epoch;
            let whole_lr = self.method.lr(&self.config, epoch);
            let mut lr = whole_lr;
            let mut totals = Totals::default();
            let mut window = Totals::default();
            let (mut waited, start) = (0.0, Instant::now());
            let batches = self.views.batches_per_epoch();
            if self.method.wants_features() && self.position.batch == 0 {
                self.start_epoch(epoch)?;
                clock.last = Instant::now();
            }
            let mut stop = false;
            loop {
                let asked = Instant::now();
                let filled = self.views.fill(epoch, self.position.batch, &mut batch)?;
                waited += asked.elapsed().as_secs_f64();
                for left_out in batch.left_out.drain(..) {
                    stop |= observer.event(&Event::LeftOut { images: left_out.images, reason: left_out.reason }) == Flow::Stop;
                }
                if !filled {
                    break;
                }
                self.shape.check(&batch, self.position.batch, FEWEST_TO_TRAIN_ON)?;
                lr = whole_lr * self.config.lr_factor(epoch, batch.index, batches);
                let step = self.step(&batch, lr)?;
                self.position.batch = batch.index + 1;
                clock.tick(batch.images.len());
                window.add(&step);
                totals.add(&step);
                let report = StepReport {
                    step: self.position.step,
                    epoch: epoch + 1,
                    epochs: self.config.epochs,
                    batch: batch.index + 1,
                    batches,
                    loss: step.loss,
                    figures: step.figures,
                    views_per_s: clock.views_per_s(),
                    eta_s: clock.seconds_a_step() * self.steps_left(batches) as f64,
                };
                if window.steps >= self.config.log_every {
                    metrics.append(&window.take_line(&report, lr, elapsed_s()))?;
                }
                stop |= observer.event(&Event::Step(&report)) == Flow::Stop;
                let every = self.config.checkpoint_every;
                let due = every > 0 && self.position.step.is_multiple_of(every) && self.position.batch < batches;
                if stop || due {
                    if window.steps > 0 {
                        metrics.append(&window.take_line(&report, lr, elapsed_s()))?;
                    }
                    stop |= self.save(folder, LAST, &mut metrics, observer)? == Flow::Stop;
                }
                if stop {
                    return Ok(Outcome::Stopped { step: self.position.step });
                }
            }
            self.position = Position { step: self.position.step, epoch: epoch + 1, batch: 0 };
            let report = EpochReport {
                epoch: epoch + 1,
                epochs: self.config.epochs,
                loss: totals.mean_loss(),
                figures: totals.mean_figures(),
                seconds: start.elapsed().as_secs_f64(),
                waiting: if totals.steps > 0 { waited / start.elapsed().as_secs_f64().max(1e-9) } else { 0.0 },
            };
            if window.steps > 0 {
                let last = StepReport {
                    step: self.position.step,
                    epoch: epoch + 1,
                    batch: batches,
                    batches,
                    views_per_s: clock.views_per_s(),
                    ..StepReport::default()
                };
                metrics.append(&window.take_line(&last, lr, elapsed_s()))?;
            }
            aside.set(aside.get() + self.observe(epoch + 1, &mut metrics, observer)?);
            clock.last = Instant::now();
            let quarters = |epochs: u32| u64::from(epochs) * 4 / u64::from(self.config.epochs);
            if quarters(epoch + 1) > quarters(epoch) {
                let name = RunFolder::epoch_checkpoint_name(u64::from(epoch + 1));
                stop |= self.save(folder, &name, &mut metrics, observer)? == Flow::Stop;
            }
            stop |= self.save(folder, LAST, &mut metrics, observer)? == Flow::Stop;
            stop |= observer.event(&Event::Epoch(&report)) == Flow::Stop;
            if stop && !self.is_finished() {
                return Ok(Outcome::Stopped { step: self.position.step });
            }
        }
        Ok(Outcome::Finished { step: self.position.step })
    }

    /// What the observer measures after an epoch, and how long that took. In front of the checkpoint, whose step is the line's: a run
    /// that dies before it is saved measures again, and one that dies later has the line.
    fn observe(&mut self, epoch: u32, metrics: &mut MetricsWriter, observer: &mut dyn Observer) -> Result<Duration> {
        let start = Instant::now();
        let figures = observer.after_epoch(epoch, &mut *self.backbone).map_err(Error::Observer)?;
        if !figures.is_empty() {
            let named = figures.into_iter().map(|(name, value)| (format!("{}{name}", relata_artifact::ONLINE), value.into()));
            let line = Metrics { step: self.position.step, epoch: Some(f64::from(epoch)), ..Metrics::default() };
            metrics.append(&Metrics { extra: named.collect(), ..line })?;
        }
        Ok(start.elapsed())
    }

    /// Features of all images by the backbone as it stands, for the method to make something of.
    fn start_epoch(&mut self, epoch: u32) -> Result<()> {
        let mut source = self.views.plain()?;
        let (shape, mut batch, mut from) = (source.shape(), ViewBuffer::default(), 0);
        let (mut features, mut images) = (Vec::new(), Vec::new());
        while source.fill(0, from, &mut batch)? {
            shape.check(&batch, from, FEWEST_TO_LOOK_AT)?;
            let input = Images::of_size(&batch.rows, batch.images.len(), shape.size)?;
            let rows = self.backbone.forward(input, Mode::Eval)?;
            if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
                let what = format!("a feature of image {}", batch.images[at * batch.images.len() / rows.len()]);
                let (value, step, lr_key) = (f64::from(rows[at]), self.position.step, self.method.lr_key());
                return Err(Error::NotFinite { what, value, step, epoch: epoch + 1, lr_key });
            }
            features.extend_from_slice(rows);
            images.extend_from_slice(&batch.images);
            from = batch.index + 1;
        }
        self.method.start_epoch(epoch, &features, &images)
    }

    /// One batch: the target's features where there is one, features, loss, both ways back, the optimiser's step.
    fn step(&mut self, batch: &ViewBuffer, lr: f64) -> Result<crate::MethodStep> {
        let shape = BatchShape { images: batch.images.len(), views: self.shape.views };
        self.labels.clear();
        if self.method.needs_labels() {
            for &image in &batch.images {
                self.labels.push(label(&*self.views, image, self.shape.classes)?);
            }
        }
        if let Some(own) = self.method.own_labels() {
            if own.len() != self.shape.images {
                let (expected, got) = (format!("one for each of {} images", self.shape.images), own.len().to_string());
                return Err(Error::Size { what: "the method's own labels", expected, got });
            }
            self.labels.extend(batch.images.iter().map(|&image| own[image]));
        }
        let (rows, size) = (shape.rows() * self.method.rows_per_view(), self.shape.size);
        let views = ViewBatch { rows: &batch.rows, shape, size };
        // Before the network's own pass, whose activations the way back needs.
        if let Some(target) = &mut self.target {
            target.stand_in(&mut *self.backbone, &mut *self.method, |backbone, method| -> Result<()> {
                let images = Images::of_size(method.prepare(views)?, rows, size)?;
                let features = backbone.forward(images, Mode::Train)?;
                method.take_target(features, shape)
            })?;
        }
        let images = Images::of_size(self.method.prepare(views)?, rows, size)?;
        let Activations { features, taps } = self.backbone.forward_with_taps(images, Mode::Train)?;
        let step = self.method.step_with_taps(features, &taps, shape, &self.labels)?;
        let number = self.position.step + 1;
        if !step.loss.is_finite() {
            let (what, epoch, lr_key) = ("the loss".to_owned(), self.position.epoch + 1, self.method.lr_key());
            return Err(Error::NotFinite { what, value: step.loss, step: number, epoch, lr_key });
        }
        self.backbone.backward_with_taps(self.method.d_features(), &self.method.d_taps())?;
        let parameters = self.backbone.parameters_mut();
        self.backbone_decay.apply(lr, parameters.values_mut());
        let (values, gradients) = parameters.values_and_gradients_mut();
        self.backbone_optimizer.step(lr, values, gradients);
        let parameters = self.method.parameters_mut();
        self.method_decay.apply(lr, parameters.values_mut());
        let (values, gradients) = parameters.values_and_gradients_mut();
        self.method_optimizer.step(lr, values, gradients);
        let steps = u64::from(self.config.epochs) * self.views.batches_per_epoch() as u64;
        if let (Some(target), Some(momentum)) = (&mut self.target, self.method.target_momentum(self.position.step, steps)) {
            target.follow(momentum, self.backbone.parameters(), self.method.parameters());
        }
        self.position.step = number;
        Ok(step)
    }

    fn plan(&self) -> Plan {
        Plan::new(&self.config, &*self.method)
    }

    fn state(&mut self) -> State<'_> {
        State {
            backbone: &mut *self.backbone,
            method: &mut *self.method,
            backbone_optimizer: &mut self.backbone_optimizer,
            method_optimizer: &mut self.method_optimizer,
            target: self.target.as_mut(),
        }
    }

    fn save(&mut self, folder: &RunFolder, name: &str, metrics: &mut MetricsWriter, observer: &mut dyn Observer) -> Result<Flow> {
        for parameters in [self.backbone.parameters(), self.method.parameters()] {
            for spec in parameters.specs() {
                if let Some(value) = parameters.values()[spec.range.clone()].iter().find(|value| !value.is_finite()) {
                    let (what, value) = (format!("parameter {}", spec.name), f64::from(*value));
                    let (step, epoch, lr_key) = (self.position.step, self.position.epoch + 1, self.method.lr_key());
                    return Err(Error::NotFinite { what, value, step, epoch, lr_key });
                }
            }
        }
        metrics.sync()?;
        let (position, seed, mut info) = (self.position, self.seed, self.info.clone());
        info.insert(VIEWS.to_owned(), self.views.fingerprint());
        info.extend(self.plan().to_metadata());
        checkpoint::save(folder, name, &self.state(), position, seed, &info)?;
        Ok(observer.event(&Event::Checkpoint { path: &folder.checkpoint_path(name)? }))
    }

    fn steps_left(&self, batches: usize) -> u64 {
        let epochs = u64::from(self.config.epochs - self.position.epoch);
        (epochs * batches as u64).saturating_sub(self.position.batch as u64)
    }
}
