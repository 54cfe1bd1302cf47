use relata_augment::PipelineConfig;
use relata_optim::OptimizerConfig;
use serde_json::{Map, Value, json};

use super::settings::ProtocolSettings;
use crate::Result;
use crate::error::check;

/// A protocol that trains backbone and a new linear layer with the labels ([`crate::train_and_score`]).
pub trait TrainingProtocol: ProtocolSettings {
    /// How it augments images of `side_px`.
    fn augmentation(&self, side_px: usize) -> PipelineConfig;

    /// How it trains.
    fn recipe(&self) -> TrainingRecipe;
}

/// How backbone and linear layer are trained: softmax cross-entropy, both learning rates divided by 10 after half and after three
/// quarters of the epochs, the last epoch counts.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingRecipe {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Optimiser of the backbone.
    pub backbone: OptimizerConfig,
    /// Optimiser of the linear layer.
    pub head: OptimizerConfig,
    /// Added to all gradients, times the parameter: an L2 penalty as PyTorch's optimisers have it.
    pub weight_decay: f64,
    /// What the score's settings say beside epochs, batch size, learning rate and seed.
    pub settings: Map<String, Value>,
}

impl TrainingRecipe {
    /// All settings, as a score has them.
    pub(crate) fn all_settings(&self, seed: u64) -> Map<String, Value> {
        let all = json!({
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "lr": self.backbone.lr,
            "lr_drops": "/10 after 50 % and 75 % of the epochs",
            "seed": seed,
        });
        let mut settings = all.as_object().cloned().unwrap_or_default();
        settings.extend(self.settings.clone());
        settings
    }
}

/// The check of what every training has.
pub(crate) fn check_training(epochs: usize, batch_size: usize, lr: f64) -> Result<()> {
    check(epochs > 0 && u32::try_from(epochs).is_ok(), "epochs", epochs, "1 or more, in 32 bits")?;
    check(batch_size >= 2, "batch_size", batch_size, "2 or more: batch norm needs them")?;
    check(lr > 0.0 && lr.is_finite(), "lr", lr, "a finite number above 0")
}
