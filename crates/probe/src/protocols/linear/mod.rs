//! The paper's protocol: one linear layer on frozen features.

#[cfg(test)]
mod tests;

use relata_artifact::BackboneUse;
use relata_ops::{Compute, Isa};
use relata_optim::{ADAM, OptimizerConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::draw;
use crate::error::check;
use crate::features::{labels_to_fit, labels_to_score};
use crate::linear_layer::LinearLayer;
use crate::protocol::{FeatureProtocol, ProtocolInfo, ProtocolSettings};
use crate::score::{classes_of_logits, predictions_of_logits};
use crate::{Error, Features, Result, Score};

/// Below this many products a batch (rows · D · classes) one thread does it all: at 128 · 64 · 10 a step takes 20 µs, and a
/// second thread gains nothing.
const PRODUCTS_WORTH_THREADS: usize = 1 << 22;

/// Logistic regression on frozen features by the paper's protocol: a new linear layer with PyTorch's first weights
/// (uniform ±1/√D), softmax cross-entropy averaged over the batch, Adam; the images in a new order each epoch, the last
/// batch as short as it comes. Features are taken as they are, not standardised. The last epoch counts: the test images
/// choose nothing.
///
/// The same features, settings and instruction set give the same bits on any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearProbe {
    /// Passes over the training images. Default 100: the paper's.
    pub epochs: usize,
    /// Images a step. Default 128: the paper's.
    pub batch_size: usize,
    /// Adam's learning rate. Default 1e-3: the paper's.
    pub lr: f64,
    /// Seed of the first weights and of the order of the images. Default 0. In a configuration it is `probe.seed`.
    #[serde(skip)]
    pub seed: u64,
}

/// A fitted [`LinearProbe`].
#[derive(Debug, Clone)]
pub struct LinearModel {
    probe: LinearProbe,
    width: usize,
    class_names: Vec<String>,
    train_images: usize,
    parameters: Vec<f32>,
    epoch_losses: Vec<f64>,
    compute: Compute,
}

impl Default for LinearProbe {
    fn default() -> Self {
        Self { epochs: 100, batch_size: 128, lr: 1e-3, seed: 0 }
    }
}

impl ProtocolSettings for LinearProbe {
    const INFO: ProtocolInfo = ProtocolInfo {
        name: "linear",
        title: "Linear probe",
        rank: 10,
        summary: "a linear layer on the features, trained as in the paper",
        backbone: BackboneUse::Frozen,
        draws: true,
        after_train: true,
        settings_in_probe: true,
    };

    fn validate(&self) -> Result<()> {
        let epochs = self.epochs > 0 && u32::try_from(self.epochs).is_ok();
        check(epochs, "epochs", self.epochs, "1 or more, in 32 bits")?;
        check(self.batch_size > 0, "batch_size", self.batch_size, "1 or more")?;
        check(self.lr > 0.0 && self.lr.is_finite(), "lr", self.lr, "a finite number above 0")
    }
}

impl FeatureProtocol for LinearProbe {
    fn run(&self, train: &Features, test: &Features, seed: u64, compute: &Compute) -> Result<Score> {
        Self { seed, ..*self }.fit(train, compute)?.score(test)
    }
}

impl LinearProbe {
    /// Fits the layer.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Unlabelled`], [`Error::OneClass`], or [`Error::Diverged`] where the loss or a weight is not
    /// finite.
    pub fn fit(&self, train: &Features, compute: &Compute) -> Result<LinearModel> {
        self.validate()?;
        let labels = labels_to_fit(train)?;
        let classes = train.class_names().len();
        let products = self.batch_size.min(train.rows()).saturating_mul(train.width() * classes);
        let threads = if products < PRODUCTS_WORTH_THREADS { Compute::with_isa(1, compute.isa())? } else { compute.clone() };
        let (parameters, epoch_losses) = threads.install(|| LinearFit::new(self, train, labels, threads.isa()).run())?;
        Ok(LinearModel {
            probe: *self,
            width: train.width(),
            class_names: train.class_names().to_vec(),
            train_images: train.rows(),
            parameters,
            epoch_losses,
            compute: compute.clone(),
        })
    }

    fn settings(&self) -> Map<String, Value> {
        let settings = json!({
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "optimizer": ADAM.name,
            "seed": self.seed,
            "standardised": false,
        });
        settings.as_object().cloned().unwrap_or_default()
    }
}

impl LinearModel {
    /// The class of each row of `values [n, D]`: the one with the largest logit, the lower one of equals.
    ///
    /// # Errors
    /// [`Error::Size`] where the values are no whole rows; [`Error::NoPrediction`] where the logits leave the numbers.
    pub fn predict(&self, values: &[f32]) -> Result<Vec<usize>> {
        classes_of_logits(&self.logits(values)?, self.class_names.len())
    }

    /// `[n, classes]` for `values [n, D]`: `values · weightᵀ + bias`.
    ///
    /// # Errors
    /// [`Error::Size`] where the values are no whole rows.
    pub fn logits(&self, values: &[f32]) -> Result<Vec<f32>> {
        let (width, classes) = (self.width, self.class_names.len());
        let rows = values.len() / width;
        if rows * width != values.len() {
            return Err(Error::Size { what: "features of whole rows", expected: rows * width, got: values.len() });
        }
        let mut logits = vec![0.0; rows * classes];
        let layer = LinearLayer { isa: self.compute.isa(), width, classes };
        self.compute.install(|| layer.forward(&self.parameters, values, &mut logits));
        Ok(logits)
    }

    /// Scores the layer on other images.
    ///
    /// # Errors
    /// [`Error::Unlabelled`], [`Error::WidthDiffers`], [`Error::ClassCountDiffers`], [`Error::ClassNameDiffers`];
    /// [`Error::NoPrediction`] where the logits leave the numbers.
    pub fn score(&self, test: &Features) -> Result<Score> {
        let labels = labels_to_score(self.width, &self.class_names, test)?;
        let predictions = predictions_of_logits(&self.logits(test.values())?, labels, self.class_names.len())?;
        let (protocol, settings) = (LinearProbe::INFO, self.probe.settings());
        Ok(Score::of_predictions(protocol, settings, self.train_images, &self.class_names, labels, &predictions))
    }

    /// `[classes, D]`, as PyTorch's `Linear.weight`.
    #[must_use]
    pub fn weight(&self) -> &[f32] {
        &self.parameters[..self.class_names.len() * self.width]
    }

    /// `[classes]`, as PyTorch's `Linear.bias`.
    #[must_use]
    pub fn bias(&self) -> &[f32] {
        &self.parameters[self.class_names.len() * self.width..]
    }

    /// Mean cross-entropy of the training images in each epoch, as they were seen.
    #[must_use]
    pub fn epoch_losses(&self) -> &[f64] {
        &self.epoch_losses
    }
}

/// Everything that the epochs need, allocated once.
struct LinearFit<'a> {
    probe: &'a LinearProbe,
    train: &'a Features,
    labels: &'a [usize],
    layer: LinearLayer,
    parameters: Vec<f32>,
    gradients: Vec<f32>,
    batch: Vec<f32>,
    batch_labels: Vec<usize>,
    logits: Vec<f32>,
}

impl<'a> LinearFit<'a> {
    fn new(probe: &'a LinearProbe, train: &'a Features, labels: &'a [usize], isa: Isa) -> Self {
        let (width, classes) = (train.width(), train.class_names().len());
        let parameters = draw::linear_layer(probe.seed, width, classes);
        let gradients = vec![0.0; parameters.len()];
        let layer = LinearLayer { isa, width, classes };
        let (batch, batch_labels, logits) = (Vec::new(), Vec::new(), Vec::new());
        Self { probe, train, labels, layer, parameters, gradients, batch, batch_labels, logits }
    }

    /// The fitted parameters and the loss of each epoch.
    fn run(mut self) -> Result<(Vec<f32>, Vec<f64>)> {
        let LinearProbe { epochs, batch_size, lr, seed } = *self.probe;
        let mut adam = OptimizerConfig::new(&ADAM, lr).build(self.parameters.len());
        let mut losses = Vec::with_capacity(epochs);
        for epoch in 0..epochs {
            let mut sum = 0.0;
            for rows in draw::epoch_order(seed, epoch as u32, self.train.rows()).chunks(batch_size) {
                sum += self.loss_and_gradients(rows);
                adam.step(lr, &mut self.parameters, &self.gradients);
            }
            let mut loss = sum / self.train.rows() as f64;
            // The losses are those before each step, so that they do not see what the last one did.
            if epoch + 1 == epochs && self.parameters.iter().any(|value| !value.is_finite()) {
                loss = f64::NAN;
            }
            if !loss.is_finite() {
                return Err(Error::Diverged { epoch: epoch + 1, loss, lr });
            }
            losses.push(loss);
        }
        Ok((self.parameters, losses))
    }

    /// Fills the gradients of a batch's mean loss; gives the sum of its losses.
    fn loss_and_gradients(&mut self, rows: &[usize]) -> f64 {
        self.batch.clear();
        rows.iter().for_each(|&row| self.batch.extend_from_slice(self.train.row(row)));
        self.batch_labels.clear();
        self.batch_labels.extend(rows.iter().map(|&row| self.labels[row]));
        self.logits.resize(rows.len() * self.layer.classes, 0.0);
        let Self { layer, parameters, gradients, batch, batch_labels, logits, .. } = self;
        layer.loss_and_gradients(parameters, batch, batch_labels, logits, gradients, None)
    }
}
