use crate::error::check;
use crate::heads::classifier::{Classifier, check_labels};
use crate::{
    BatchShape, Error, HeadShape, Method, MethodSettings, MethodSpec, MethodStep, Needs, OptimizerConfig, Result, TrainConfig,
};
use relata_artifact::FigureFacts;
use relata_model::{Buffers, Compute, Parameters};
use relata_optim::{OptimizerSettings, SGD, step_decay};
use serde::{Deserialize, Serialize};

/// Where its learning rate stands.
const LR_KEY: &str = "method.supervised.lr";

const NEEDS: Needs = Needs {
    labels: true,
    planned_by_epochs: Some("the method plans the drops of its learning rate"),
    lr_key: LR_KEY,
    ..Needs::FEATURES_OF_A_BATCH
};

/// `[method.supervised]` of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupervisedConfig {
    /// SGD's learning rate, in place of `train.lr`. Default 0.1, the reference's; divided by 10 after half and after three
    /// quarters of the epochs.
    pub lr: f64,
    /// SGD's momentum. Default 0.9, the reference's.
    pub momentum: f64,
}

impl Default for SupervisedConfig {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.9 }
    }
}

impl MethodSettings for SupervisedConfig {
    const NAME: &'static str = "supervised";
    const TITLE: &'static str = "Supervised training";
    const ABOUT: &'static str = "cross-entropy with labels, SGD: the upper bound";
}

impl MethodSpec for SupervisedConfig {
    fn needs(&self) -> Needs {
        NEEDS
    }

    fn validate(&self, _views: usize) -> Result<()> {
        check(self.lr > 0.0 && self.lr.is_finite(), LR_KEY, self.lr, "a number above 0")?;
        check((0.0..1.0).contains(&self.momentum), "method.supervised.momentum", self.momentum, "0 to 1 (exclusive)")?;
        Ok(())
    }

    fn base_lr(&self, _train: &TrainConfig) -> f64 {
        self.lr
    }

    fn figures(&self) -> Vec<FigureFacts> {
        vec![FigureFacts::single("class_acc", "Classes predicted correctly")]
    }

    fn build(&self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(Supervised::new(self, shape, seed, compute, buffers)?))
    }
}

/// Training with labels, the upper bound of the comparison in arXiv 2006.05849: `Linear(D, classes)` on the features,
/// cross-entropy, SGD. Every view of an image has the image's label.
#[derive(Debug)]
pub struct Supervised {
    config: SupervisedConfig,
    classes: usize,
    classifier: Classifier,
}

impl Supervised {
    /// A method with a freshly drawn classifier.
    ///
    /// # Errors
    /// [`Error::TooFewClasses`] where there are no labels, or all say the same.
    pub fn new(config: &SupervisedConfig, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Self> {
        if shape.classes < 2 {
            return Err(Error::TooFewClasses { classes: shape.classes });
        }
        let HeadShape { width, views, max_images, classes, .. } = shape;
        Ok(Self {
            config: config.clone(),
            classes,
            classifier: Classifier::new(width, classes, views * max_images, seed, compute, buffers),
        })
    }
}

impl Method for Supervised {
    fn head_name(&self) -> &'static str {
        "classifier"
    }

    fn needs(&self) -> Needs {
        NEEDS
    }

    fn optimizer(&self, _train: &TrainConfig) -> OptimizerConfig {
        let SupervisedConfig { lr, momentum } = self.config;
        let settings = OptimizerSettings { momentum, ..OptimizerSettings::default() };
        OptimizerConfig { settings, ..OptimizerConfig::new(&SGD, lr) }
    }

    fn lr(&self, train: &TrainConfig, epoch: u32) -> f64 {
        step_decay(self.config.lr, u64::from(epoch), u64::from(train.epochs))
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, labels: &[usize]) -> Result<MethodStep> {
        check_labels(labels, batch.images, self.classes)?;
        let outcome = self.classifier.step(features, batch.rows(), |row| labels[row % batch.images])?;
        Ok(MethodStep { loss: outcome.loss, figures: vec![("class_acc", outcome.accuracy())] })
    }

    fn d_features(&self) -> &[f32] {
        self.classifier.d_features()
    }

    fn parameters(&self) -> &Parameters {
        self.classifier.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.classifier.parameters_mut()
    }
}
