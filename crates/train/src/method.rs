//! What a method is: its settings describe it ([`MethodSpec`]), and what they build trains it ([`Method`]).

use crate::{BatchShape, HeadShape, OptimizerConfig, Result, TrainConfig, ViewBatch};
use relata_artifact::FigureFacts;
use relata_model::{Activation, Architecture, Buffers, Compute, Parameters};
use relata_optim::ADAM;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use toml::Table;

/// What a method needs of those around it: its spec says so before it is built, and the method itself afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Steps. A run of a method without any is its initial weights.
    pub steps: bool,
    /// The images' labels, for [`Method::step`].
    pub labels: bool,
    /// The features of all images before an epoch, for [`Method::start_epoch`].
    pub features: bool,
    /// A target network, for [`Method::take_target`].
    pub target: bool,
    /// Rows that [`Method::prepare`] makes of each view.
    pub rows_per_view: usize,
    /// What the method plans for the number of epochs, in words such as "the method plans its target's momentum"; `None` where it plans
    /// nothing. A run of a method that does is not resumed with another number: epochs that are trained already would have been others.
    pub planned_by_epochs: Option<&'static str>,
    /// The setting that its learning rate comes from: what to make smaller where the loss is not finite.
    pub lr_key: &'static str,
}

impl Needs {
    /// Steps at `train.lr` on the features of a batch, and nothing else.
    pub const FEATURES_OF_A_BATCH: Self = Self {
        steps: true,
        labels: false,
        features: false,
        target: false,
        rows_per_view: 1,
        planned_by_epochs: None,
        lr_key: "train.lr",
    };
}

/// A method's settings: what it is and needs, before it is built.
pub trait MethodSpec: fmt::Debug + Send + Sync {
    /// What it needs of those around it.
    fn needs(&self) -> Needs {
        Needs::FEATURES_OF_A_BATCH
    }

    /// Checks the settings against their ranges, for batches of `views` views an image.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for the first that lies outside.
    fn validate(&self, _views: usize) -> Result<()> {
        Ok(())
    }

    /// The learning rate that its schedule starts from.
    fn base_lr(&self, train: &TrainConfig) -> f64 {
        train.lr
    }

    /// The settings that the memory of what lies above the features goes with.
    fn width_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// The figures that the method reports beside its loss, a chart each; those that are not described are drawn under their names.
    fn figures(&self) -> Vec<FigureFacts> {
        Vec::new()
    }

    /// The method with a freshly drawn head, for batches of this shape. All memory that goes with the batch comes from `buffers`: built
    /// with [`Buffers::counted`], it cannot step, but tells what it would take, and [`Method::needs`] and [`Method::taps`].
    ///
    /// # Errors
    /// Data that the method cannot work on.
    fn build(&self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>>;
}

/// The type of a method's settings, and how the method is called.
pub trait MethodSettings: MethodSpec + Default + Serialize + DeserializeOwned + 'static {
    /// `method.kind`, and the name of its table of settings.
    const NAME: &'static str;
    /// As a page of results calls it.
    const TITLE: &'static str;
    /// One line of help.
    const ABOUT: &'static str;
    /// What it makes of the views, in whole sentences, for the page that shows them. May be empty.
    const VIEWS_NOTE: &'static str = "";
    /// Keys of older configurations, with the keys that their settings have now.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];
}

/// Any method's settings, as a configuration holds them.
pub(crate) trait StoredSpec: MethodSpec {
    /// Every default written out. Fails for numbers beyond TOML's.
    fn to_table(&self) -> Result<Table, toml::ser::Error>;
}

impl<S: MethodSettings> StoredSpec for S {
    fn to_table(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }
}

/// A method's line in the table [`METHODS`](crate::METHODS).
#[derive(Debug)]
pub struct MethodEntry {
    /// `method.kind`, and the name of its table of settings.
    pub name: &'static str,
    /// As a page of results calls it.
    pub title: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// What it makes of the views, in whole sentences. May be empty.
    pub views_note: &'static str,
    /// Keys of older configurations, with the keys that their settings have now.
    pub aliases: &'static [(&'static str, &'static str)],
    pub(crate) defaults: fn() -> Arc<dyn StoredSpec>,
    pub(crate) read: fn(Table) -> Result<Arc<dyn StoredSpec>, toml::de::Error>,
}

impl MethodEntry {
    pub(crate) const fn of<S: MethodSettings>() -> Self {
        Self {
            name: S::NAME,
            title: S::TITLE,
            about: S::ABOUT,
            views_note: S::VIEWS_NOTE,
            aliases: S::ALIASES,
            defaults: || Arc::new(S::default()),
            read: |table| Ok(Arc::new(table.try_into::<S>()?)),
        }
    }
}

/// What one step of a method came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MethodStep {
    /// The loss.
    pub loss: f64,
    /// The method's own figures by name, averaged over steps for the metrics. A name that ends in `_acc` says that the
    /// figure is a share of right answers, in [0, 1].
    pub figures: Vec<(&'static str, f64)>,
}

/// What [`crate::Setup`] takes as its method: [`MethodConfig`](crate::MethodConfig), or any [`Method`].
pub trait IntoMethod {
    /// The method, for batches of this shape. One that was built already is given as it is.
    ///
    /// # Errors
    /// Settings outside their range, or data that the method cannot work on.
    fn into_method(self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>>;
}

impl<M: Method + 'static> IntoMethod for M {
    fn into_method(self, _: HeadShape, _: u64, _: Compute, _: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(self))
    }
}

/// A way to train a backbone: everything above the features.
pub trait Method: Send {
    /// Short name: the prefix of its parameters in checkpoints.
    fn head_name(&self) -> &'static str;

    /// What it needs of those around it.
    fn needs(&self) -> Needs {
        Needs::FEATURES_OF_A_BATCH
    }

    /// Before the first step of an epoch (the first is 0): the features `[images, D]` of the data, by running statistics and
    /// without augmentation; `images` are their numbers, all but those that cannot be read. Not called where a run is
    /// resumed in the middle of an epoch: what the method made of the features comes from its [`Method::state`].
    ///
    /// # Errors
    /// Where nothing can be made of the features.
    fn start_epoch(&mut self, _epoch: u32, _features: &[f32], _images: &[usize]) -> Result<()> {
        Ok(())
    }

    /// A label for each image of the data that the method has given itself, for [`Method::step`]; valid until the next epoch.
    fn own_labels(&self) -> Option<&[usize]> {
        None
    }

    /// What a run needs beside the parameters to be taken up again to the bit, by name.
    fn state(&self) -> Vec<(&'static str, Vec<f32>)> {
        Vec::new()
    }

    /// Restores what [`Method::state`] gave; `state` finds it by name, or says what is wrong. Changes nothing where it fails.
    ///
    /// # Errors
    /// What does not fit, in words.
    fn restore(&mut self, _state: &dyn Fn(&'static str) -> Result<Vec<f32>, String>) -> Result<(), String> {
        Ok(())
    }

    /// The images that the backbone gets, `[rows_per_view · K·B, H, W, C]`; the views as they are, unless a method
    /// makes something of them.
    ///
    /// # Errors
    /// Where views of this size are not what the method works on.
    fn prepare<'a>(&'a mut self, views: ViewBatch<'a>) -> Result<&'a [f32]> {
        Ok(views.rows)
    }

    /// What steps the parameters. Adam at `train.lr`, unless a method has reasons.
    fn optimizer(&self, train: &TrainConfig) -> OptimizerConfig {
        OptimizerConfig::new(&ADAM, train.lr)
    }

    /// Learning rate in an epoch; the first is 0.
    fn lr(&self, train: &TrainConfig, _epoch: u32) -> f64 {
        train.lr
    }

    /// Momentum tau, in [0, 1], of the method's target network at a step of `steps`, the first being 0. A target is a copy of the
    /// parameters of backbone and method; after each step `t ← tau · t + (1 − tau) · p`. Asked only where [`Needs::target`] says that
    /// there is one.
    fn target_momentum(&self, _step: u64, _steps: u64) -> f64 {
        1.0
    }

    /// Takes what the target's backbone makes of the batch that [`Method::step`] gets next: features as there. Meanwhile
    /// [`Method::parameters`] are the target's. Called only where there is a target.
    ///
    /// # Errors
    /// Where the batch cannot be used.
    fn take_target(&mut self, _features: &[f32], _batch: BatchShape) -> Result<()> {
        Ok(())
    }

    /// Inner activations of the backbone that [`Method::step_with_taps`] wants beside the features, by the names of
    /// [`Architecture::activations`].
    fn taps(&self, _architecture: &Architecture) -> Vec<String> {
        Vec::new()
    }

    /// Loss of a batch of features `[rows_per_view · K·B, D]`; fills the gradients of the method's own parameters and
    /// [`Method::d_features`]. `labels` are those of the B images, the data's or [`Method::own_labels`],
    /// or none where the method wants neither.
    ///
    /// # Errors
    /// Where the batch cannot be used.
    fn step(&mut self, features: &[f32], batch: BatchShape, labels: &[usize]) -> Result<MethodStep>;

    /// [`Method::step`] with the activations that [`Method::taps`] named, in that order: what the trainer calls. Fills
    /// [`Method::d_taps`] too.
    ///
    /// # Errors
    /// As there.
    fn step_with_taps(
        &mut self,
        features: &[f32],
        _taps: &[Activation<'_>],
        batch: BatchShape,
        labels: &[usize],
    ) -> Result<MethodStep> {
        self.step(features, batch, labels)
    }

    /// The gradient with respect to the features of the last step, as long as they are.
    fn d_features(&self) -> &[f32];

    /// The gradients with respect to the taps of the last step, each dense, `[N, H, W, C]`; none where nothing goes back through them.
    fn d_taps(&self) -> Vec<&[f32]> {
        Vec::new()
    }

    /// The method's own parameters, with the gradients of the last step.
    fn parameters(&self) -> &Parameters;

    /// The method's own parameters, to be changed by an optimiser or a checkpoint.
    fn parameters_mut(&mut self) -> &mut Parameters;
}
