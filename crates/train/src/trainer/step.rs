//! One step: a batch through backbone and method, both ways back, and the optimisers.

use super::Trainer;
use crate::batch::FEWEST_TO_LOOK_AT;
use crate::views::label;
use crate::{BatchShape, Error, MethodStep, Result, ViewBatch, ViewBuffer};
use relata_model::{Activations, Images, Mode};

impl Trainer {
    /// Features of all images by the backbone as it stands, for the method to make something of.
    pub(super) fn show_all_features(&mut self, epoch: u32) -> Result<()> {
        let mut source = self.views.plain()?;
        let (shape, mut batch, mut from) = (source.shape(), ViewBuffer::default(), 0);
        let (mut features, mut images) = (Vec::new(), Vec::new());
        while source.fill(0, from, &mut batch)? {
            shape.check(&batch, from, FEWEST_TO_LOOK_AT)?;
            let input = Images::of_size(&batch.rows, batch.images.len(), shape.size)?;
            let rows = self.backbone.forward(input, Mode::Eval)?;
            if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
                let what = format!("a feature of image {}", batch.images[at * batch.images.len() / rows.len()]);
                let value = f64::from(rows[at]);
                return Err(self.not_finite(what, value, self.position.step));
            }
            features.extend_from_slice(rows);
            images.extend_from_slice(&batch.images);
            from = batch.index + 1;
        }
        self.method.start_epoch(epoch, &features, &images)
    }

    /// One batch: the target's features where there is one, features, loss, both ways back, the optimiser's step.
    pub(super) fn step(&mut self, batch: &ViewBuffer, lr: f64) -> Result<MethodStep> {
        let shape = BatchShape { images: batch.images.len(), views: self.shape.views };
        self.labels.clear();
        if self.method.needs().labels {
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
        let (rows, size) = (shape.rows() * self.method.needs().rows_per_view, self.shape.size);
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
            return Err(self.not_finite("the loss".to_owned(), step.loss, number));
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
        if let Some(target) = &mut self.target {
            let momentum = self.method.target_momentum(self.position.step, steps);
            target.ema_update(momentum, self.backbone.parameters(), self.method.parameters());
        }
        self.position.step = number;
        Ok(step)
    }
}
