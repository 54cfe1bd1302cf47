//! The training loop: batches of views, the net forward and back, two optimisers.

use std::sync::Arc;

use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::Dataset;
use relata_model::{Backbone, Compute, Images, Mode};
use relata_ops::{Isa, matmul, matmul_of_transposed};
use relata_optim::{Adam, AdamConfig, Sgd, SgdConfig};
use serde_json::{Map, Value};

use super::EpochDone;
use super::schedule::lr_factor;
use crate::answers::answers_of_logits;
use crate::extract::labels;
use crate::features::labels_to_score;
use crate::linear::{cross_entropy, first_parameters, forward};
use crate::{Error, Features, Protocol, Result, Score};

/// An optimiser's settings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Optimizer {
    Adam(AdamConfig),
    Sgd(SgdConfig),
}

/// An optimiser at work.
enum Stepper {
    Adam(Adam, f64),
    Sgd(Sgd, f64),
}

impl Optimizer {
    fn start(self, len: usize) -> Stepper {
        match self {
            Self::Adam(config) => Stepper::Adam(Adam::new(config, len), config.lr),
            Self::Sgd(config) => Stepper::Sgd(Sgd::new(config, len), config.lr),
        }
    }
}

impl Stepper {
    fn scale_lr(&mut self, factor: f64) {
        match self {
            Self::Adam(adam, lr) => adam.config.lr = *lr * factor,
            Self::Sgd(sgd, lr) => sgd.config.lr = *lr * factor,
        }
    }

    fn lr(&self) -> f64 {
        match self {
            Self::Adam(adam, _) => adam.config.lr,
            Self::Sgd(sgd, _) => sgd.config.lr,
        }
    }

    fn step(&mut self, parameters: &mut [f32], gradients: &[f32]) {
        match self {
            Self::Adam(adam, _) => adam.step(parameters, gradients),
            Self::Sgd(sgd, _) => sgd.step(parameters, gradients),
        }
    }
}

pub(super) struct Fit {
    pub(super) epochs: usize,
    pub(super) batch_size: usize,
    pub(super) backbone: Optimizer,
    pub(super) head: Optimizer,
    /// Added to all gradients, times the parameter: an L2 penalty as PyTorch's optimisers have it.
    pub(super) weight_decay: f64,
    pub(super) seed: u64,
}

/// The linear layer after training: weights `[classes, D]`, then biases.
pub(super) struct Head {
    parameters: Vec<f32>,
}

impl Fit {
    pub(super) fn run(
        &self,
        backbone: &mut dyn Backbone,
        train: &Arc<dyn Dataset>,
        augmentation: &Pipeline,
        workers: usize,
        compute: &Compute,
        progress: &mut dyn FnMut(EpochDone),
    ) -> Result<Head> {
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
        let mut steppers = [self.backbone.start(backbone.parameters().values.len()), self.head.start(head.len())];
        let (mut features, mut logits, mut d_features) = (Vec::new(), Vec::new(), Vec::new());
        for epoch in 0..self.epochs {
            steppers.iter_mut().for_each(|stepper| stepper.scale_lr(lr_factor(epoch, self.epochs)));
            let (mut sum, mut seen) = (0.0, 0);
            for batch in loader.epoch(epoch as u32) {
                let batch = batch?;
                let rows = batch.size();
                let targets: Vec<usize> = batch.images.iter().map(|&image| labels[image]).collect();
                let input = Images::new(&batch.rows, rows, batch.side_px, batch.side_px)?;
                features.clear();
                features.extend_from_slice(backbone.forward(input, Mode::Train)?);
                logits.resize(rows * classes, 0.0);
                d_features.resize(rows * width, 0.0);
                sum += compute.install(|| {
                    let layer = Layer { isa, width, classes, parameters: &head };
                    layer.gradients(&features, &targets, &mut logits, &mut head_gradients, &mut d_features)
                });
                seen += rows;
                if !sum.is_finite() {
                    return Err(Error::Diverged { epoch: epoch + 1, loss: sum / seen as f64, lr: steppers[0].lr() });
                }
                backbone.backward(&d_features)?;
                let parameters = backbone.parameters_mut();
                self.decay(&parameters.values, &mut parameters.gradients);
                self.decay(&head, &mut head_gradients);
                let [backbone_stepper, head_stepper] = &mut steppers;
                backbone_stepper.step(&mut parameters.values, &parameters.gradients);
                head_stepper.step(&mut head, &head_gradients);
            }
            let lr = steppers[0].lr();
            progress(EpochDone { done: epoch + 1, total: self.epochs, mean_loss: sum / seen as f64, lr });
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
        let answers = answers_of_logits(&logits, labels, classes);
        Ok(Score::of_answers(protocol, settings, train_images, class_names, labels, &answers))
    }
}
