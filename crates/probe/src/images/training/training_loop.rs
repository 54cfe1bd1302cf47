//! The training loop: batches of views, the net forward and back, two optimisers.

use std::sync::Arc;
use std::time::Instant;

use relata_augment::{Batch, LoaderConfig, Pipeline, ViewLoader};
use relata_data::Dataset;
use relata_model::{Backbone, Images, Mode};
use relata_ops::Compute;
use relata_optim::{Optimizer, step_decay};

use super::observer::{EpochDone, TrainingObserver, TrainingStart};
use super::unfinished::{StateFile, TrainingPosition, TrainingState, digest};
use crate::draw;
use crate::images::extract::labels;
use crate::linear_layer::LinearLayer;
use crate::protocol::TrainingRecipe;
use crate::{Error, Result};

/// What is trained on what.
pub(super) struct TrainingInput<'a> {
    pub(super) protocol: &'static str,
    pub(super) recipe: &'a TrainingRecipe,
    pub(super) seed: u64,
    pub(super) backbone: &'a mut dyn Backbone,
    pub(super) train: &'a Arc<dyn Dataset>,
    pub(super) augmentation: &'a Pipeline,
    pub(super) workers: usize,
    pub(super) compute: &'a Compute,
}

/// Where a training is saved, with everything that it was requested with: a state of another request is not continued.
pub(super) struct SavedAs<'a> {
    pub(super) file: StateFile<'a>,
    pub(super) request: String,
}

/// A training between two steps, with its buffers.
pub(super) struct TrainingLoop<'a> {
    input: TrainingInput<'a>,
    saved_as: Option<SavedAs<'a>>,
    loader: ViewLoader,
    /// Of all images.
    labels: Vec<usize>,
    layer: LinearLayer,
    /// Parameters of the layer, and their gradients.
    head: Vec<f32>,
    head_gradients: Vec<f32>,
    /// Of backbone and head.
    optimizers: [Box<dyn Optimizer>; 2],
    position: TrainingPosition,
    features: Vec<f32>,
    logits: Vec<f32>,
    d_features: Vec<f32>,
}

impl<'a> TrainingLoop<'a> {
    pub(super) fn new(input: TrainingInput<'a>, saved_as: Option<SavedAs<'a>>) -> Result<Self> {
        let TrainingInput { recipe, seed, ref backbone, train, compute, .. } = input;
        let labels = labels(&**train)?;
        if labels.iter().all(|label| Some(label) == labels.first()) {
            let class = labels.first().and_then(|&label| train.class_names().get(label)).cloned().unwrap_or_default();
            return Err(Error::OneClass { rows: labels.len(), class });
        }
        let (batch_size, workers) = (recipe.batch_size, input.workers);
        let config = LoaderConfig { batch_size, views: 1, workers, seed, ..LoaderConfig::default() };
        let loader = ViewLoader::new(Arc::clone(train), input.augmentation.clone(), config)?;
        let (width, classes) = (backbone.architecture().width, train.class_names().len());
        let head = draw::linear_layer(seed, width, classes);
        // First weights are part of the request too, and nothing else says which they are.
        let weights = digest(backbone.parameters().values());
        let with_weights =
            |saved: SavedAs<'a>| SavedAs { request: format!("{}; weights {weights:016x}", saved.request), ..saved };
        Ok(Self {
            saved_as: saved_as.map(with_weights),
            loader,
            labels,
            layer: LinearLayer { isa: compute.isa(), width, classes },
            head_gradients: vec![0.0; head.len()],
            optimizers: [recipe.backbone.build(backbone.parameters().len()), recipe.head.build(head.len())],
            head,
            position: TrainingPosition::default(),
            features: Vec::new(),
            logits: Vec::new(),
            d_features: Vec::new(),
            input,
        })
    }

    /// Trains to the end; gives the linear layer's parameters.
    pub(super) fn run(mut self, observer: &mut dyn TrainingObserver) -> Result<Vec<f32>> {
        observer.start(self.resume()?);
        let (before_s, began) = (self.position.seconds, Instant::now());
        let seconds = || before_s + began.elapsed().as_secs_f64();
        let total = self.input.recipe.epochs;
        while self.position.epoch < total {
            let lrs = self.learning_rates();
            for batch in self.loader.epoch_from(self.position.epoch as u32, self.position.batch) {
                self.step(&batch?, lrs)?;
                if observer.wants_stop() {
                    self.save(seconds())?;
                    let (protocol, epochs) = (self.input.protocol, self.position.epoch);
                    return Err(Error::Stopped { protocol, epochs, total });
                }
            }
            let mean_loss = self.position.loss_sum / self.position.images as f64;
            let epoch = self.position.epoch + 1;
            self.position = TrainingPosition { epoch, batch: 0, images: 0, loss_sum: 0.0, ..self.position };
            self.save(seconds())?;
            observer.epoch(EpochDone { done: epoch, total, mean_loss, lr: lrs[0] });
        }
        Ok(self.head)
    }

    /// Continues what was saved, where it is of the same request.
    fn resume(&mut self) -> Result<TrainingStart> {
        let Some(saved_as) = &self.saved_as else { return Ok(TrainingStart::New) };
        match saved_as.file.find(&saved_as.request)? {
            None => Ok(TrainingStart::New),
            Some((_, false)) => Ok(TrainingStart::Replaced),
            Some((saved, true)) => {
                let (backbone, head, optimizers) = (&mut *self.input.backbone, &mut self.head, &mut self.optimizers);
                self.position = saved_as.file.restore(&saved, &mut TrainingState { backbone, head, optimizers })?;
                let TrainingPosition { epoch, seconds, .. } = self.position;
                Ok(TrainingStart::Resumed { epochs: epoch, total: self.input.recipe.epochs, seconds })
            }
        }
    }

    fn save(&mut self, seconds: f64) -> Result<()> {
        self.position.seconds = seconds;
        let Some(SavedAs { file, request }) = &self.saved_as else { return Ok(()) };
        let (backbone, head, optimizers) = (&mut *self.input.backbone, &mut self.head, &mut self.optimizers);
        file.save(request, &TrainingState { backbone, head, optimizers }, self.position)
    }

    /// Of backbone and head, in this epoch.
    fn learning_rates(&self) -> [f64; 2] {
        let recipe = self.input.recipe;
        let factor = step_decay(1.0, self.position.epoch as u64, recipe.epochs as u64);
        [recipe.backbone, recipe.head].map(|config| config.lr * factor)
    }

    fn step(&mut self, batch: &Batch, lrs: [f64; 2]) -> Result<()> {
        let (rows, LinearLayer { width, classes, .. }) = (batch.size(), self.layer);
        let targets: Vec<usize> = batch.images.iter().map(|&image| self.labels[image]).collect();
        let images = Images::new(&batch.rows, rows, batch.side_px, batch.side_px)?;
        let backbone = &mut *self.input.backbone;
        self.features.clear();
        self.features.extend_from_slice(backbone.forward(images, Mode::Train)?);
        self.logits.resize(rows * classes, 0.0);
        self.d_features.resize(rows * width, 0.0);
        let (layer, head, features) = (self.layer, &self.head, &self.features);
        let (logits, d_head, d_features) = (&mut self.logits, &mut self.head_gradients, &mut self.d_features);
        self.position.loss_sum +=
            self.input.compute.install(|| layer.loss_and_gradients(head, features, &targets, logits, d_head, Some(d_features)));
        self.position.images += rows;
        if !self.position.loss_sum.is_finite() {
            let loss = self.position.loss_sum / self.position.images as f64;
            return Err(Error::Diverged { epoch: self.position.epoch + 1, loss, lr: lrs[0] });
        }
        backbone.backward(&self.d_features)?;
        let (values, gradients) = backbone.parameters_mut().values_and_gradients_mut();
        let weight_decay = self.input.recipe.weight_decay;
        add_l2_gradient(weight_decay, values, gradients);
        add_l2_gradient(weight_decay, &self.head, &mut self.head_gradients);
        let [backbone_optimizer, head_optimizer] = &mut self.optimizers;
        backbone_optimizer.step(lrs[0], values, gradients);
        head_optimizer.step(lrs[1], &mut self.head, &self.head_gradients);
        self.position.batch = batch.index + 1;
        self.position.steps += 1;
        Ok(())
    }
}

/// The gradient of `weight_decay / 2 · ‖parameters‖²`, added to theirs: an L2 penalty as PyTorch's optimisers have it.
fn add_l2_gradient(weight_decay: f64, parameters: &[f32], gradients: &mut [f32]) {
    if weight_decay > 0.0 {
        let decay = weight_decay as f32;
        gradients.iter_mut().zip(parameters).for_each(|(gradient, value)| *gradient += decay * value);
    }
}
