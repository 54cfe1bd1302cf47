//! Fine-tuning: backbone and a new linear layer trained with the labels.

use relata_artifact::BackboneUse;
use relata_augment::{AffineConfig, CutoutConfig, FlipConfig, PipelineConfig};
use relata_optim::{ADAM, OptimizerConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Result;
use crate::error::check;
use crate::protocol::{ProtocolInfo, ProtocolSettings, TrainingProtocol, TrainingRecipe, check_training};

/// Fine-tuning: a new linear layer on the trained backbone, and all weights trained with the labels. The paper's protocol on
/// STL-10, as its reference code runs it: softmax cross-entropy, Adam with an L2 penalty, batches of 128, 100 epochs, both learning
/// rates divided by 10 after half and after three quarters of the epochs. (The reference's own drops follow a default of 200
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

impl ProtocolSettings for Finetune {
    const INFO: ProtocolInfo = ProtocolInfo {
        name: "finetune",
        title: "Fine-tuning",
        rank: 60,
        summary: "backbone and a new linear layer trained with the labels",
        backbone: BackboneUse::FineTuned,
        draws: true,
        after_train: false,
        settings_in_probe: false,
    };

    fn validate(&self) -> Result<()> {
        check_training(self.epochs, self.batch_size, self.lr)?;
        check(self.head_lr > 0.0 && self.head_lr.is_finite(), "head_lr", self.head_lr, "a finite number above 0")?;
        let decay = self.weight_decay >= 0.0 && self.weight_decay.is_finite();
        check(decay, "weight_decay", self.weight_decay, "a finite number, 0 or more")?;
        for (key, p) in [("flip", self.flip), ("affine", self.affine), ("cutout", self.cutout)] {
            check((0.0..=1.0).contains(&p), key, p, "a probability, 0 to 1")?;
        }
        check(self.cutout_area > 0.0 && self.cutout_area < 1.0, "cutout_area", self.cutout_area, "above 0, below 1")
    }
}

impl TrainingProtocol for Finetune {
    /// What it does to an image: torchvision's `RandomHorizontalFlip`, `RandomAffine(18, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=10)`
    /// and, on the normalised image, `RandomErasing` of a square, as the reference's `datamanager.py` puts them together.
    fn augmentation(&self, _side_px: usize) -> PipelineConfig {
        PipelineConfig {
            flip: FlipConfig { p: self.flip },
            affine: AffineConfig { p: self.affine, ..AffineConfig::default() },
            cutout: CutoutConfig { p: self.cutout, area: self.cutout_area },
            ..PipelineConfig::evaluation()
        }
    }

    fn recipe(&self) -> TrainingRecipe {
        let settings = json!({ "optimizer": ADAM.name, "head_lr": self.head_lr, "weight_decay": self.weight_decay });
        TrainingRecipe {
            epochs: self.epochs,
            batch_size: self.batch_size,
            backbone: OptimizerConfig::new(&ADAM, self.lr),
            head: OptimizerConfig::new(&ADAM, self.head_lr),
            weight_decay: self.weight_decay,
            settings: settings.as_object().cloned().unwrap_or_default(),
        }
    }
}
