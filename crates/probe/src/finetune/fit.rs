//! The training loop: batches of views, the net forward and back, two optimisers.

use std::sync::Arc;
use std::time::Instant;

use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::Dataset;
use relata_model::{Backbone, Compute, Images, Mode};
use relata_ops::{Isa, matmul, matmul_of_transposed};
use relata_optim::OptimizerConfig;
use serde_json::{Map, Value};

use super::schedule::lr_factor;
use super::state::{Keep, Position, State, digest};
use super::watch::{EpochDone, TrainingStart, Watch};
use crate::answers::answers_of_logits;
use crate::extract::labels;
use crate::features::labels_to_score;
use crate::linear::{cross_entropy, first_parameters, forward};
use crate::{Error, Features, Protocol, Result, Score};

pub(super) struct Fit {
    pub(super) epochs: usize,
    pub(super) batch_size: usize,
    pub(super) backbone: OptimizerConfig,
    pub(super) head: OptimizerConfig,
    /// Added to all gradients, times the parameter: an L2 penalty as PyTorch's optimisers have it.
    pub(super) weight_decay: f64,
    pub(super) seed: u64,
}

/// The linear layer after training: weights `[classes, D]`, then biases.
pub(super) struct Head {
    parameters: Vec<f32>,
}

/// What is trained on what, and how that is followed.
pub(super) struct Training<'a> {
    pub(super) backbone: &'a mut dyn Backbone,
    pub(super) train: &'a Arc<dyn Dataset>,
    pub(super) augmentation: &'a Pipeline,
    pub(super) workers: usize,
    pub(super) compute: &'a Compute,
    /// Where its state is kept, with all that was asked for: a state of another request is not gone on with.
    pub(super) keep: Option<(Keep<'a>, String)>,
    pub(super) protocol: Protocol,
}

impl Fit {
    pub(super) fn run(&self, training: Training<'_>, watch: &mut dyn Watch) -> Result<Head> {
        let Training { backbone, train, augmentation, workers, compute, keep, protocol } = training;
        let labels = labels(&**train)?;
        if labels.iter().all(|label| Some(label) == labels.first()) {
            let class = labels.first().and_then(|&label| train.class_names().get(label)).cloned().unwrap_or_default();
            return Err(Error::OneClass { rows: labels.len(), class });
        }
        let (width, classes, isa) = (backbone.architecture().width, train.class_names().len(), compute.isa());
        let config = LoaderConfig { batch_size: self.batch_size, views: 1, workers, seed: self.seed, ..LoaderConfig::default() };
        let loader = ViewLoader::new(Arc::clone(train), augmentation.clone(), config)?;

        let mut head = first_parameters(self.seed, width, classes);
        let mut head_gradients = vec![0.0; head.len()];
        let mut optimizers = [self.backbone.build(backbone.parameters().len()), self.head.build(head.len())];
        let (mut features, mut logits, mut d_features) = (Vec::new(), Vec::new(), Vec::new());
        let mut at = Position::default();
        let mut start = TrainingStart::New;
        // With the weights that it starts from, which nothing else tells.
        let keep = keep.map(|(keep, asked)| (keep, format!("{asked}; weights {:016x}", digest(backbone.parameters().values()))));
        if let Some((keep, request)) = &keep {
            match keep.find(request)? {
                None => {}
                Some((_, false)) => start = TrainingStart::Instead,
                Some((saved, true)) => {
                    let mut state = State { backbone: &mut *backbone, head: &mut head, optimizers: &mut optimizers };
                    at = keep.restore(&saved, &mut state)?;
                    start = TrainingStart::Resumed { epochs: at.epoch, total: self.epochs, seconds: at.seconds };
                }
            }
        }
        watch.start(start);
        let (before_s, began) = (at.seconds, Instant::now());
        let save = |state: &State<'_>, at: &mut Position| -> Result<()> {
            at.seconds = before_s + began.elapsed().as_secs_f64();
            keep.as_ref().map_or(Ok(()), |(keep, request)| keep.save(request, state, *at))
        };
        while at.epoch < self.epochs {
            let factor = lr_factor(at.epoch, self.epochs);
            let lrs = [self.backbone, self.head].map(|config| config.lr * factor);
            for batch in loader.epoch_from(at.epoch as u32, at.batch) {
                let batch = batch?;
                let rows = batch.size();
                let targets: Vec<usize> = batch.images.iter().map(|&image| labels[image]).collect();
                let input = Images::new(&batch.rows, rows, batch.side_px, batch.side_px)?;
                features.clear();
                features.extend_from_slice(backbone.forward(input, Mode::Train)?);
                logits.resize(rows * classes, 0.0);
                d_features.resize(rows * width, 0.0);
                at.loss_sum += compute.install(|| {
                    let layer = Layer { isa, width, classes, parameters: &head };
                    layer.gradients(&features, &targets, &mut logits, &mut head_gradients, &mut d_features)
                });
                at.seen += rows;
                if !at.loss_sum.is_finite() {
                    return Err(Error::Diverged { epoch: at.epoch + 1, loss: at.loss_sum / at.seen as f64, lr: lrs[0] });
                }
                backbone.backward(&d_features)?;
                let (values, gradients) = backbone.parameters_mut().values_and_gradients_mut();
                self.decay(values, gradients);
                self.decay(&head, &mut head_gradients);
                let [backbone_optimizer, head_optimizer] = &mut optimizers;
                backbone_optimizer.step(lrs[0], values, gradients);
                head_optimizer.step(lrs[1], &mut head, &head_gradients);
                (at.batch, at.steps) = (batch.index + 1, at.steps + 1);
                if watch.wants_stop() {
                    save(&State { backbone: &mut *backbone, head: &mut head, optimizers: &mut optimizers }, &mut at)?;
                    return Err(Error::Stopped { protocol, epochs: at.epoch, total: self.epochs });
                }
            }
            let mean_loss = at.loss_sum / at.seen as f64;
            at = Position { epoch: at.epoch + 1, batch: 0, seen: 0, loss_sum: 0.0, ..at };
            save(&State { backbone: &mut *backbone, head: &mut head, optimizers: &mut optimizers }, &mut at)?;
            watch.epoch(EpochDone { done: at.epoch, total: self.epochs, mean_loss, lr: lrs[0] });
        }
        Ok(Head { parameters: head })
    }

    fn decay(&self, parameters: &[f32], gradients: &mut [f32]) {
        if self.weight_decay > 0.0 {
            let decay = self.weight_decay as f32;
            gradients.iter_mut().zip(parameters).for_each(|(gradient, value)| *gradient += decay * value);
        }
    }
}

/// The linear layer on a batch of features.
pub(super) struct Layer<'a> {
    pub(super) isa: Isa,
    pub(super) width: usize,
    pub(super) classes: usize,
    /// Weights `[classes, D]`, then biases.
    pub(super) parameters: &'a [f32],
}

impl Layer<'_> {
    /// Fills the gradients of the mean cross-entropy of `features [rows, D]`, by the parameters and by the features; gives the sum of
    /// the rows' losses. `logits [rows, classes]` is workspace.
    pub(super) fn gradients(
        &self,
        features: &[f32],
        targets: &[usize],
        logits: &mut [f32],
        d_parameters: &mut [f32],
        d_features: &mut [f32],
    ) -> f64 {
        let Self { isa, width, classes, parameters } = *self;
        let rows = targets.len();
        forward(isa, parameters, width, features, classes, logits);
        let loss = cross_entropy(logits, classes, targets);
        matmul(isa, rows, classes, width, logits, &parameters[..classes * width], d_features, false);
        let (d_weight, d_bias) = d_parameters.split_at_mut(classes * width);
        matmul_of_transposed(isa, rows, classes, width, logits, features, d_weight);
        d_bias.fill(0.0);
        for row in logits.chunks_exact(classes) {
            d_bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        loss
    }
}

impl Head {
    pub(super) fn score(
        &self,
        protocol: Protocol,
        settings: Map<String, Value>,
        train_images: usize,
        class_names: &[String],
        test: &Features,
        compute: &Compute,
    ) -> Result<Score> {
        let (width, classes) = (test.width(), class_names.len());
        let labels = labels_to_score(width, class_names, test)?;
        let mut logits = vec![0.0; test.rows() * classes];
        compute.install(|| forward(compute.isa(), &self.parameters, width, test.values(), classes, &mut logits));
        let answers = answers_of_logits(&logits, labels, classes)?;
        Ok(Score::of_answers(protocol, settings, train_images, class_names, labels, &answers))
    }
}
