//! Supervised training from random weights: the upper bound.

use relata_artifact::BackboneUse;
use relata_augment::{CropConfig, CropKind, FlipConfig, PipelineConfig};
use relata_optim::{OptimizerConfig, OptimizerSettings, SGD};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Result;
use crate::error::check;
use crate::protocol::{ProtocolInfo, ProtocolSettings, TrainingProtocol, TrainingRecipe, check_training};

/// The upper bound: backbone and linear layer from random weights, trained with the labels by SGD with momentum; the learning
/// rate is divided by 10 after half and after three quarters of the epochs (the paper's protocol). Otherwise as [`crate::Finetune`].
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

impl ProtocolSettings for Supervised {
    const INFO: ProtocolInfo = ProtocolInfo {
        name: "supervised",
        title: "Supervised",
        rank: 70,
        summary: "the same from random weights: the upper bound",
        backbone: BackboneUse::FromScratch,
        draws: true,
        after_train: false,
        settings_in_probe: false,
    };

    fn validate(&self) -> Result<()> {
        check_training(self.epochs, self.batch_size, self.lr)?;
        check((0.0..1.0).contains(&self.momentum), "momentum", self.momentum, "0 or more, below 1")
    }
}

impl TrainingProtocol for Supervised {
    /// What it does to an image: torchvision's `RandomCrop(side, padding = side / 8)` and a horizontal flip.
    fn augmentation(&self, side_px: usize) -> PipelineConfig {
        let crop = CropConfig { kind: CropKind::Padded, padding: side_px / 8, ..CropConfig::default() };
        PipelineConfig { crop, flip: FlipConfig { p: 0.5 }, ..PipelineConfig::evaluation() }
    }

    fn recipe(&self) -> TrainingRecipe {
        let settings = OptimizerSettings { momentum: self.momentum, ..OptimizerSettings::default() };
        let sgd = OptimizerConfig { settings, ..OptimizerConfig::new(&SGD, self.lr) };
        let named = json!({ "optimizer": SGD.name, "momentum": self.momentum });
        TrainingRecipe {
            epochs: self.epochs,
            batch_size: self.batch_size,
            backbone: sgd,
            head: sgd,
            weight_decay: 0.0,
            settings: named.as_object().cloned().unwrap_or_default(),
        }
    }
}
