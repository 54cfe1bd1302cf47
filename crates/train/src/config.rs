use crate::classifier::Classifier;
use crate::rotation::TURNS;
use crate::{
    Barlow, BarlowConfig, Byol, ByolConfig, DeepCluster, DeepClusterConfig, DeepInfoMax, DeepInfoMaxConfig, Error, HeadShape,
    Method, Random, Relational, Result, Rotation, Simclr, SimclrConfig, Supervised, SupervisedConfig,
};
use crate::{byol, supervised};
use relata_model::{Aggregation, Architecture, Buffers, Compute, PairLoss, RelationHead, RelationHeadConfig};
use relata_optim::Schedule;
use serde::{Deserialize, Serialize};

/// [`Error::Setting`] where a value does not fit.
pub(crate) fn check(fits: bool, key: &'static str, value: impl ToString, allowed: &'static str) -> Result<()> {
    if fits { Ok(()) } else { Err(Error::Setting { key, value: value.to_string(), allowed }) }
}

/// [`Error::Setting`] for the width of a layer that no machine would have room for; the memory of smaller ones can be foretold.
pub(crate) fn check_width(key: &'static str, width: usize) -> Result<()> {
    check((1..=65536).contains(&width), key, width, "1 to 65536")
}

/// `[train]` of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the data. Default 20; the paper trains for 200.
    pub epochs: u32,
    /// B, images a batch; each is seen K times. Default 64, the paper's.
    pub batch_size: usize,
    /// Adam's learning rate. Default 1e-3, the paper's. Training with labels has its own: `method.supervised.lr`.
    pub lr: f64,
    /// How the learning rate goes over the run. Default constant, the paper's. Multiplies what the method asks for.
    pub schedule: Schedule,
    /// Epochs, or a part of one, in which the learning rate rises in a line from nothing. Default 0: the paper has none.
    pub warmup_epochs: f64,
    /// Decoupled weight decay (AdamW's) of the weights of convolutions and linear layers, not of biases and batch norms; with any
    /// optimiser. Default 0: the paper has none.
    pub weight_decay: f64,
    /// Worker threads that make views; 0 (the default): one for every two compute threads.
    pub workers: usize,
    /// Batches of views made ahead. Default 4.
    pub prefetch: usize,
    /// Steps that one line of metrics.jsonl sums up. Default 20.
    pub log_every: u64,
    /// Steps between checkpoints within an epoch; 0 (the default): only at its end.
    pub checkpoint_every: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        let (schedule, warmup_epochs, weight_decay) = (Schedule::Constant, 0.0, 0.0);
        let (workers, prefetch, log_every, checkpoint_every) = (0, 4, 20, 0);
        let (epochs, batch_size, lr) = (20, 64, 1e-3);
        Self { epochs, batch_size, lr, schedule, warmup_epochs, weight_decay, workers, prefetch, log_every, checkpoint_every }
    }
}

impl TrainConfig {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that lies outside.
    pub fn validate(&self) -> Result<()> {
        check(self.epochs > 0, "train.epochs", self.epochs, "1 or more")?;
        let batch = "2 or more: an image alone in its batch has nothing to be told from";
        check(self.batch_size >= 2, "train.batch_size", self.batch_size, batch)?;
        check(self.lr > 0.0 && self.lr.is_finite(), "train.lr", self.lr, "a number above 0")?;
        let fits = (0.0..=f64::from(self.epochs)).contains(&self.warmup_epochs);
        check(fits, "train.warmup_epochs", self.warmup_epochs, "0 to train.epochs")?;
        let decays = self.weight_decay >= 0.0 && self.weight_decay.is_finite();
        check(decays, "train.weight_decay", self.weight_decay, "a number of 0 or more")?;
        check(self.prefetch > 0, "train.prefetch", self.prefetch, "1 or more")?;
        check(self.log_every > 0, "train.log_every", self.log_every, "1 or more")?;
        Ok(())
    }

    /// What the learning rate of batch `batch` of an epoch is multiplied by, both from 0, in a run of `batches` batches an epoch.
    pub(crate) fn lr_factor(&self, epoch: u32, batch: usize, batches: usize) -> f64 {
        let batches = batches as u64;
        let warmup = (self.warmup_epochs * batches as f64).round() as u64;
        self.schedule.factor(u64::from(epoch) * batches + batch as u64, u64::from(self.epochs) * batches, warmup)
    }

    /// Refuses a decay that would turn the weights' signs where they are stepped at `lr`, the setting `lr_key`.
    pub(crate) fn check_decay(&self, lr: f64, lr_key: &'static str) -> Result<()> {
        let decay = self.weight_decay;
        if decay * lr < 1.0 { Ok(()) } else { Err(Error::WeightDecay { decay, lr_key, lr }) }
    }

    /// What the schedule plans for the number of epochs, in words, so that a change of it would change epochs that are trained already.
    #[must_use]
    pub fn planned_by_epochs(&self) -> Option<&'static str> {
        (self.schedule == Schedule::Cosine).then_some("train.schedule = \"cosine\" plans the learning rate")
    }

    /// The number of workers that make views beside `threads` compute threads.
    #[must_use]
    pub fn workers(&self, threads: usize) -> usize {
        if self.workers == 0 { threads.div_ceil(2) } else { self.workers }
    }
}

/// The methods that can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MethodKind {
    /// Self-supervised relational reasoning (arXiv 2006.05849).
    #[default]
    Relational,
    /// SimCLR (Chen et al. 2020).
    Simclr,
    /// Barlow Twins (Zbontar et al. 2021).
    Barlow,
    /// BYOL, Bootstrap Your Own Latent (Grill et al. 2020).
    Byol,
    /// `DeepCluster` (Caron et al. 2018).
    DeepCluster,
    /// Deep InfoMax (Hjelm et al. 2019).
    DeepInfoMax,
    /// Rotation prediction (Gidaris et al. 2018).
    Rotation,
    /// Training with labels: the upper bound.
    Supervised,
    /// No training: the lower bound.
    Random,
}

/// Loss on a pair's logit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// Binary cross-entropy: the tutorial's and the short reference script's.
    #[default]
    Bce,
    /// Sigmoid focal loss: the full reference code's.
    Focal,
}

/// `[method]` of a configuration: the relational method's settings, and a table for each other method that has any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MethodConfig {
    /// Which method. Default relational.
    pub kind: MethodKind,
    /// How two features become a pair. Default cat, the paper's best.
    pub aggregation: Aggregation,
    /// Loss on each pair. Default bce.
    pub loss: LossKind,
    /// Focal loss's gamma. Default 2, the reference's.
    pub gamma: f32,
    /// Focal loss's alpha. Default 0.5, the reference's.
    pub alpha: f32,
    /// Width of the relation head's hidden layers. Default 256, the paper's.
    pub hidden: usize,
    /// Hidden layers of the relation head, 1 to 4. Default 1, the paper's; from 2 on the rows of the pairs are kept in memory.
    pub layers: usize,
    /// Rolls of each pair of views, so negatives a pair: each image of one view meets as many others of the other view. Default 1,
    /// the paper's.
    pub shifts: usize,
    /// SimCLR's settings.
    pub simclr: SimclrConfig,
    /// Settings of Barlow Twins.
    pub barlow: BarlowConfig,
    /// BYOL's settings.
    pub byol: ByolConfig,
    /// Settings of `DeepCluster`.
    pub deepcluster: DeepClusterConfig,
    /// Settings of Deep InfoMax.
    pub deepinfomax: DeepInfoMaxConfig,
    /// Settings of training with labels.
    pub supervised: SupervisedConfig,
}

impl Default for MethodConfig {
    fn default() -> Self {
        let (kind, aggregation, loss) = (MethodKind::Relational, Aggregation::Cat, LossKind::Bce);
        Self {
            kind,
            aggregation,
            loss,
            gamma: 2.0,
            alpha: 0.5,
            hidden: 256,
            layers: 1,
            shifts: 1,
            simclr: SimclrConfig::default(),
            barlow: BarlowConfig::default(),
            byol: ByolConfig::default(),
            deepcluster: DeepClusterConfig::default(),
            deepinfomax: DeepInfoMaxConfig::default(),
            supervised: SupervisedConfig::default(),
        }
    }
}

impl MethodKind {
    /// The name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Relational => "relational",
            Self::Simclr => "simclr",
            Self::Barlow => "barlow",
            Self::Byol => "byol",
            Self::DeepCluster => "deepcluster",
            Self::DeepInfoMax => "deepinfomax",
            Self::Rotation => "rotation",
            Self::Supervised => "supervised",
            Self::Random => "random",
        }
    }
}

impl MethodConfig {
    /// Checks the settings of the chosen method against their ranges, for batches of `views` views an image.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that lies outside.
    pub fn validate(&self, views: usize) -> Result<()> {
        match self.kind {
            MethodKind::Relational => self.validate_relational(views),
            MethodKind::Simclr => self.simclr.validate(views),
            MethodKind::Barlow => self.barlow.validate(views),
            MethodKind::Byol => self.byol.validate(views),
            MethodKind::DeepCluster => self.deepcluster.validate(),
            MethodKind::DeepInfoMax => self.deepinfomax.validate(),
            MethodKind::Supervised => self.supervised.validate(),
            MethodKind::Rotation | MethodKind::Random => Ok(()),
        }
    }

    fn validate_relational(&self, views: usize) -> Result<()> {
        check(views >= 2, "augment.views", views, "2 or more: relational reasoning compares two views of one image")?;
        check(self.gamma >= 0.0 && self.gamma.is_finite(), "method.gamma", self.gamma, "a number of 0 or more")?;
        check((0.0..=1.0).contains(&self.alpha), "method.alpha", self.alpha, "0 to 1")?;
        check_width("method.hidden", self.hidden)?;
        check((1..=4).contains(&self.layers), "method.layers", self.layers, "1 to 4")?;
        check((1..=1024).contains(&self.shifts), "method.shifts", self.shifts, "1 to 1024")?;
        Ok(())
    }

    /// The relation head that the settings ask for.
    fn head(&self) -> RelationHeadConfig {
        let loss = match self.loss {
            LossKind::Bce => PairLoss::Bce,
            LossKind::Focal => PairLoss::Focal { gamma: self.gamma, alpha: self.alpha },
        };
        let Self { aggregation, hidden, layers, shifts, .. } = *self;
        RelationHeadConfig { aggregation, hidden, layers, loss, shifts }
    }

    /// Whether there is anything to train; if not, a run takes no step.
    #[must_use]
    pub fn trains(&self) -> bool {
        self.kind != MethodKind::Random
    }

    /// Whether a run keeps a target network: one more set of the parameters of backbone and method.
    #[must_use]
    pub fn has_target(&self) -> bool {
        self.kind == MethodKind::Byol
    }

    /// What the method plans for the number of epochs, as [`crate::Method::planned_by_epochs`].
    #[must_use]
    pub fn planned_by_epochs(&self) -> Option<&'static str> {
        match self.kind {
            MethodKind::Byol => Some(byol::PLANNED),
            MethodKind::Supervised => Some(supervised::PLANNED),
            _ => None,
        }
    }

    /// Checks `train.weight_decay` against the learning rate that the method steps at.
    ///
    /// # Errors
    /// [`Error::WeightDecay`] where a step would turn the weights' signs.
    pub fn check_decay(&self, train: &TrainConfig) -> Result<()> {
        match self.kind {
            MethodKind::Supervised => train.check_decay(self.supervised.lr, supervised::LR_KEY),
            MethodKind::Random => Ok(()),
            _ => train.check_decay(train.lr, "train.lr"),
        }
    }

    /// The settings that the memory of what lies above the features goes with.
    #[must_use]
    pub fn width_keys(&self) -> &'static [&'static str] {
        match self.kind {
            MethodKind::Relational => &["method.hidden"],
            MethodKind::Simclr => &["method.simclr.hidden", "method.simclr.output"],
            MethodKind::Barlow => &["method.barlow.hidden", "method.barlow.output"],
            MethodKind::Byol => &["method.byol.hidden", "method.byol.output"],
            MethodKind::DeepCluster => &["method.deepcluster.hidden", "method.deepcluster.clusters"],
            MethodKind::DeepInfoMax => &["method.deepinfomax.hidden"],
            MethodKind::Rotation | MethodKind::Supervised | MethodKind::Random => &[],
        }
    }

    /// Whether each epoch begins with a pass of all images through the backbone.
    #[must_use]
    pub fn wants_features(&self) -> bool {
        self.kind == MethodKind::DeepCluster
    }

    /// Inner activations that the method taps, as [`crate::Method::taps`].
    #[must_use]
    pub fn taps(&self, architecture: &Architecture) -> Vec<String> {
        if self.kind == MethodKind::DeepInfoMax { DeepInfoMaxConfig::taps(architecture) } else { Vec::new() }
    }

    /// Rows that the backbone gets for each view of a batch.
    #[must_use]
    pub fn rows_per_view(&self) -> usize {
        if self.kind == MethodKind::Rotation { TURNS } else { 1 }
    }

    /// Numbers that the method trains above the features.
    #[must_use]
    pub fn parameter_count(&self, shape: HeadShape) -> usize {
        let HeadShape { width, classes, .. } = shape;
        match self.kind {
            // The hidden layers' weights, biases and batch norms, then the last layer's weights and bias.
            MethodKind::Relational => {
                (self.aggregation.width(width) + 3 + (self.layers - 1) * (self.hidden + 3) + 1) * self.hidden + 1
            }
            MethodKind::Simclr => self.simclr.parameter_count(width),
            MethodKind::Barlow => self.barlow.parameter_count(width),
            MethodKind::Byol => self.byol.parameter_count(width),
            MethodKind::DeepCluster => self.deepcluster.parameter_count(width),
            MethodKind::DeepInfoMax => self.deepinfomax.parameter_count(shape),
            MethodKind::Rotation => Classifier::parameter_count(width, TURNS),
            MethodKind::Supervised => Classifier::parameter_count(width, classes),
            MethodKind::Random => 0,
        }
    }

    /// Bytes of the buffers that the method takes beside its parameters, for views of `side_px`.
    #[must_use]
    pub fn bytes(&self, shape: HeadShape, side_px: usize) -> usize {
        let HeadShape { width, views, max_images, .. } = shape;
        match self.kind {
            MethodKind::Relational => {
                let mut buffers = Buffers::counted();
                let counted = Compute::new(1)
                    .map_err(relata_model::Error::from)
                    .and_then(|compute| RelationHead::new(self.head(), width, views, max_images, 0, compute, &mut buffers));
                counted.map_or(0, |_| buffers.bytes())
            }
            MethodKind::Simclr => self.simclr.bytes(shape),
            MethodKind::Barlow => self.barlow.bytes(shape),
            MethodKind::Byol => self.byol.bytes(shape),
            MethodKind::DeepCluster => self.deepcluster.bytes(shape),
            MethodKind::DeepInfoMax => self.deepinfomax.bytes(shape),
            MethodKind::Rotation => Rotation::bytes(shape, side_px),
            MethodKind::Supervised => Supervised::bytes(shape),
            MethodKind::Random => 0,
        }
    }

    /// The table of methods: builds the one asked for.
    pub(crate) fn build(&self, shape: HeadShape, seed: u64, compute: Compute) -> Result<Box<dyn Method>> {
        Ok(match self.kind {
            MethodKind::Relational => Box::new(Relational::new(&self.head(), shape, seed, compute)?),
            MethodKind::Simclr => Box::new(Simclr::new(&self.simclr, shape, seed, compute)),
            MethodKind::Barlow => Box::new(Barlow::new(&self.barlow, shape, seed, compute)),
            MethodKind::Byol => Box::new(Byol::new(&self.byol, shape, seed, compute)),
            MethodKind::DeepCluster => Box::new(DeepCluster::new(&self.deepcluster, shape, seed, compute)?),
            MethodKind::DeepInfoMax => Box::new(DeepInfoMax::new(&self.deepinfomax, shape, seed, compute)?),
            MethodKind::Rotation => Box::new(Rotation::new(shape, seed, compute)),
            MethodKind::Supervised => Box::new(Supervised::new(&self.supervised, shape, seed, compute)?),
            MethodKind::Random => Box::new(Random::default()),
        })
    }
}
