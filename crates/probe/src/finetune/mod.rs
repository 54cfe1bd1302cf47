//! Training of the whole net with labels: fine-tuning from trained weights, and the supervised bound from random ones.

mod fit;
mod schedule;
mod state;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;

use relata_augment::{AffineConfig, CropConfig, CropKind, CutoutConfig, FlipConfig, Pipeline, PipelineConfig};
use relata_data::{Dataset, Subset};
use relata_model::{Backbone, Compute};
use relata_optim::{ADAM, OptimizerConfig, OptimizerSettings, SGD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::check;
use crate::extract::labels;
use crate::features::same_classes;
use crate::label_fraction::stratified_rows;
use crate::{Error, ProbeConfig, Protocol, Result, Score};
use fit::{Fit, Training};

pub use state::Keep;
pub use watch::{EpochDone, TrainingStart, Watch};

/// Fine-tuning: a new linear layer on the trained backbone, and all weights trained with the labels. The paper's protocol on
/// STL-10, as its reference code runs it: softmax cross-entropy, Adam with an L2 penalty, batches of 128, 100 epochs, both learning
/// rates divided by 10 after half and after three quarters of the epochs asked for. (The reference's own drops follow a default of 200
/// epochs, so neither comes in 100.) The last epoch counts.
///
/// Images are augmented as the reference's fine-tuning has it ([`Finetune::augmentation`]). The same bits on any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Finetune {
    /// Passes over the training images. Default 100: the reference's.
    pub epochs: usize,
    /// Images a step. Default 128: the reference's.
    pub batch_size: usize,
    /// Adam's learning rate for the backbone. Default 1e-3: the reference's.
    pub lr: f64,
    /// And for the linear layer. Default 1e-4: the reference's.
    pub head_lr: f64,
    /// L2 penalty, added to the gradients as PyTorch's Adam does. Default 1e-5: the reference's.
    pub weight_decay: f64,
    /// Probability of a horizontal flip. Default 0.5: the reference's.
    pub flip: f64,
    /// Probability of an affine map of up to 18°, a tenth of a side, 0.9 to 1.1 in scale and 10° of shear
    /// ([`relata_augment::AffineConfig`]). Default 0.5: the reference's.
    pub affine: f64,
    /// Probability that a square of the image is cut out. Default 0.5: the reference's.
    pub cutout: f64,
    /// That square's share of the area. Default 0.111: the reference's for STL-10; it takes 0.25 for CIFAR-10, 0.0625 for CIFAR-100.
    pub cutout_area: f64,
}

impl Default for Finetune {
    fn default() -> Self {
        let (flip, affine, cutout, cutout_area) = (0.5, 0.5, 0.5, 0.111);
        Self { epochs: 100, batch_size: 128, lr: 1e-3, head_lr: 1e-4, weight_decay: 1e-5, flip, affine, cutout, cutout_area }
    }
}

/// The upper bound: backbone and linear layer from random weights, trained with the labels by SGD with momentum; the learning
/// rate is divided by 10 after half and after three quarters of the epochs (the paper's protocol). Otherwise as [`Finetune`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Supervised {
    /// Passes over the training images. Default 200: the paper's.
    pub epochs: usize,
    /// Images a step. Default 128: the reference's.
    pub batch_size: usize,
    /// Learning rate. Default 0.1: the paper's.
    pub lr: f64,
    /// Share of the last velocity that is kept. Default 0.9: the paper's.
    pub momentum: f64,
}

impl Default for Supervised {
    fn default() -> Self {
        Self { epochs: 200, batch_size: 128, lr: 0.1, momentum: 0.9 }
    }
}

/// What supervised training does to an image: torchvision's `RandomCrop(side, padding = side / 8)` and a horizontal flip.
#[must_use]
pub fn supervised_augmentation(side_px: usize) -> PipelineConfig {
    let crop = CropConfig { kind: CropKind::Padded, padding: side_px / 8, ..CropConfig::default() };
    PipelineConfig { crop, flip: FlipConfig { p: 0.5 }, ..PipelineConfig::evaluation() }
}

/// Images of a protocol that trains the backbone, and how they are prepared.
#[derive(Clone)]
pub struct LabelledImages {
    /// Images to train on.
    pub train: Arc<dyn Dataset>,
    /// Images to score on.
    pub test: Arc<dyn Dataset>,
    /// Prepares training images: [`ProbeConfig::augmentation`] with the backbone's side and normalisation.
    pub augmentation: Pipeline,
}

/// Trains `backbone` and a new linear layer by a protocol that is [`Protocol::trains_backbone`], on
/// [`ProbeConfig::label_fraction`] of the training images, and scores both on the test images. `seed` of the configuration is that
/// of the linear layer, of the order of the images, of their views and of the labels drawn.
///
/// `watch` hears of every epoch and may stop it after a step. With `keep`, the state is saved after every epoch and where it is stopped,
/// and a state that is there is gone on with, to the bit, if it is one of the same request: protocol, settings, images, augmentation and
/// first weights. It is left there, that of a training which is done too, until all that a score needs is done and it is removed.
///
/// # Errors
/// Before anything is trained [`Error::FrozenProtocol`] for a protocol that takes features, [`Error::Setting`], [`Error::Unlabelled`],
/// [`Error::OneClass`], [`Error::ClassCountDiffers`], [`Error::ClassNameDiffers`], [`Error::Unfinished`]; then [`Error::Stopped`],
/// [`Error::Diverged`], [`Error::NoAnswer`]; as [`crate::extract`].
pub fn train_and_score(
    protocol: Protocol,
    config: &ProbeConfig,
    backbone: &mut dyn Backbone,
    images: &LabelledImages,
    compute: &Compute,
    keep: Option<Keep<'_>>,
    watch: &mut dyn Watch,
) -> Result<Score> {
    let (fit, mut settings) = match protocol {
        Protocol::Finetune => (config.finetune.fit(config.seed), config.finetune.settings(config.seed)),
        Protocol::Supervised => (config.supervised.fit(config.seed), config.supervised.settings(config.seed)),
        _ => return Err(Error::FrozenProtocol { protocol }),
    };
    protocol.validate(config)?;
    settings.insert("augmentation".to_owned(), images.augmentation.config().in_words().into());
    if config.label_fraction < 1.0 {
        settings.insert("label_fraction".to_owned(), config.label_fraction.into());
        settings.insert("label_seed".to_owned(), config.seed.into());
    }
    // Now, for the test images are not looked at before all is trained.
    same_classes(images.train.class_names(), images.test.class_names())?;
    labels(&*images.test)?;
    let train = fraction_of(&images.train, config)?;
    let request = || {
        let (settings, prepared) = (Value::Object(settings.clone()), &images.augmentation);
        format!("{protocol} {settings}; images {}, prepared by {prepared:?}", train.fingerprint())
    };
    let training = Training {
        backbone: &mut *backbone,
        train: &train,
        augmentation: &images.augmentation,
        workers: config.workers,
        compute,
        keep: keep.map(|keep| (keep, request())),
        protocol,
    };
    let fitted = fit.run(training, watch)?;
    let test =
        crate::extract(backbone, Arc::clone(&images.test), &images.augmentation, &config.extract_options(), &mut |_, _| {})?;
    fitted.score(protocol, settings, train.len(), train.class_names(), &test, compute)
}

fn fraction_of(train: &Arc<dyn Dataset>, config: &ProbeConfig) -> Result<Arc<dyn Dataset>> {
    if config.label_fraction == 1.0 {
        return Ok(Arc::clone(train));
    }
    let rows = stratified_rows(&labels(&**train)?, config.label_fraction, config.seed)?;
    Ok(Arc::new(Subset::of(Arc::clone(train), rows)?))
}

impl Finetune {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<()> {
        check_training(self.epochs, self.batch_size, self.lr)?;
        check(self.head_lr > 0.0 && self.head_lr.is_finite(), "head_lr", self.head_lr, "a finite number above 0")?;
        let decay = self.weight_decay >= 0.0 && self.weight_decay.is_finite();
        check(decay, "weight_decay", self.weight_decay, "a finite number, 0 or more")?;
        for (key, p) in [("flip", self.flip), ("affine", self.affine), ("cutout", self.cutout)] {
            check((0.0..=1.0).contains(&p), key, p, "a probability, 0 to 1")?;
        }
        check(self.cutout_area > 0.0 && self.cutout_area < 1.0, "cutout_area", self.cutout_area, "above 0, below 1")
    }

    /// What it does to an image: torchvision's `RandomHorizontalFlip`, `RandomAffine(18, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=10)`
    /// and, on the normalised image, `RandomErasing` of a square, as the reference's `datamanager.py` puts them together.
    #[must_use]
    pub fn augmentation(&self) -> PipelineConfig {
        PipelineConfig {
            flip: FlipConfig { p: self.flip },
            affine: AffineConfig { p: self.affine, ..AffineConfig::default() },
            cutout: CutoutConfig { p: self.cutout, area: self.cutout_area },
            ..PipelineConfig::evaluation()
        }
    }

    fn fit(&self, seed: u64) -> Fit {
        Fit {
            epochs: self.epochs,
            batch_size: self.batch_size,
            backbone: OptimizerConfig::new(&ADAM, self.lr),
            head: OptimizerConfig::new(&ADAM, self.head_lr),
            weight_decay: self.weight_decay,
            seed,
        }
    }

    fn settings(&self, seed: u64) -> Map<String, Value> {
        let own = json!({ "optimizer": "adam", "head_lr": self.head_lr, "weight_decay": self.weight_decay });
        settings(self.epochs, self.batch_size, self.lr, seed, own)
    }
}

impl Supervised {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<()> {
        check_training(self.epochs, self.batch_size, self.lr)?;
        check((0.0..1.0).contains(&self.momentum), "momentum", self.momentum, "0 or more, below 1")
    }

    fn fit(&self, seed: u64) -> Fit {
        let settings = OptimizerSettings { momentum: self.momentum, ..OptimizerSettings::default() };
        let sgd = OptimizerConfig { settings, ..OptimizerConfig::new(&SGD, self.lr) };
        Fit { epochs: self.epochs, batch_size: self.batch_size, backbone: sgd, head: sgd, weight_decay: 0.0, seed }
    }

    fn settings(&self, seed: u64) -> Map<String, Value> {
        let own = json!({ "optimizer": "sgd", "momentum": self.momentum });
        settings(self.epochs, self.batch_size, self.lr, seed, own)
    }
}

fn check_training(epochs: usize, batch_size: usize, lr: f64) -> Result<()> {
    check(epochs > 0 && u32::try_from(epochs).is_ok(), "epochs", epochs, "1 or more, in 32 bits")?;
    check(batch_size >= 2, "batch_size", batch_size, "2 or more: batch norm needs them")?;
    check(lr > 0.0 && lr.is_finite(), "lr", lr, "a finite number above 0")
}

fn settings(epochs: usize, batch_size: usize, lr: f64, seed: u64, own: Value) -> Map<String, Value> {
    let all = json!({
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "lr_drops": "/10 after 50 % and 75 % of the epochs",
        "seed": seed,
    });
    let mut settings = all.as_object().cloned().unwrap_or_default();
    settings.extend(own.as_object().cloned().unwrap_or_default());
    settings
}
