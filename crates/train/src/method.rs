use crate::views::FEWEST_TO_TRAIN_ON;
use crate::{Error, MethodConfig, OptimizerConfig, Result, TrainConfig};
use relata_model::{Activation, Architecture, Compute, ImageSize, Layout, Parameters};
use relata_optim::ADAM;

/// How many images and views a batch holds; rows are view-major, `view · images + image`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchShape {
    /// B.
    pub images: usize,
    /// K.
    pub views: usize,
}

impl BatchShape {
    /// N = K·B.
    #[must_use]
    pub fn rows(self) -> usize {
        self.images * self.views
    }

    /// Refuses a batch whose images have no others to be told from.
    pub(crate) fn check_others(self) -> Result<()> {
        if self.images < FEWEST_TO_TRAIN_ON { Err(Error::TooFewImages { images: self.images }) } else { Ok(()) }
    }
}

/// A batch of views as their source gives it, before the backbone.
#[derive(Debug, Clone, Copy)]
pub struct ViewBatch<'a> {
    /// `[K·B, H, W, C]`.
    pub rows: &'a [f32],
    /// K and B.
    pub shape: BatchShape,
    /// Of a view.
    pub size: ImageSize,
}

/// What a method's head is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadShape {
    /// D, width of the features.
    pub width: usize,
    /// K, views an image.
    pub views: usize,
    /// Most images a batch.
    pub max_images: usize,
    /// Images of the data.
    pub images: usize,
    /// Classes of the data; 0 where they have no labels.
    pub classes: usize,
    /// Size of the backbone's first activation, H x W x C; of no place where there is none.
    pub first_map: Layout,
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

/// What [`crate::Setup`] takes as its method: [`MethodConfig`], or any [`Method`].
pub trait IntoMethod {
    /// The method, for batches of this shape. One that was built already is given as it is.
    ///
    /// # Errors
    /// Settings outside their range, or data that the method cannot work on.
    fn into_method(self, shape: HeadShape, seed: u64, compute: Compute) -> Result<Box<dyn Method>>;
}

impl IntoMethod for MethodConfig {
    fn into_method(self, shape: HeadShape, seed: u64, compute: Compute) -> Result<Box<dyn Method>> {
        self.validate(shape.views)?;
        self.build(shape, seed, compute)
    }
}

impl<M: Method + 'static> IntoMethod for M {
    fn into_method(self, _: HeadShape, _: u64, _: Compute) -> Result<Box<dyn Method>> {
        Ok(Box::new(self))
    }
}

/// A way to train a backbone: everything above the features.
pub trait Method: Send {
    /// Short name: the prefix of its parameters in checkpoints.
    fn head_name(&self) -> &'static str;

    /// Whether there is anything to train. A run of a method that says no is its initial weights.
    fn trains(&self) -> bool {
        true
    }

    /// Whether [`Method::step`] wants the images' labels.
    fn needs_labels(&self) -> bool {
        false
    }

    /// Whether an epoch begins with [`Method::start_epoch`]: a pass of all images through the backbone.
    fn wants_features(&self) -> bool {
        false
    }

    /// Before the first step of an epoch (the first is 0): the features `[images, D]` of the data, by running statistics and
    /// without augmentation; `images` are their numbers, all but those that cannot be read. Not called where a run is
    /// taken up in the midst of an epoch: what the method made of the features comes from its [`Method::state`].
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

    /// Takes up what [`Method::state`] gave; `state` finds it by name, or says what is wrong. Changes nothing where it fails.
    ///
    /// # Errors
    /// What does not fit, in words.
    fn restore(&mut self, _state: &dyn Fn(&'static str) -> Result<Vec<f32>, String>) -> Result<(), String> {
        Ok(())
    }

    /// Rows that [`Method::prepare`] makes of each view.
    fn rows_per_view(&self) -> usize {
        1
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

    /// The setting that [`Method::lr`] comes of, as the configuration has it: what to make smaller where the loss is no longer a number.
    fn lr_key(&self) -> &'static str {
        "train.lr"
    }

    /// Momentum tau, in [0, 1], of the method's target network at a step of `steps`, the first being 0; `None`, at every step
    /// alike, where it has none. A target is a copy of the parameters of backbone and method; after each step
    /// `t ← tau · t + (1 − tau) · p`.
    fn target_momentum(&self, _step: u64, _steps: u64) -> Option<f64> {
        None
    }

    /// What the method plans for the number of epochs, in words such as "the method plans its target's momentum"; `None` where it plans
    /// nothing. A run of a method that does is not taken up with another number: epochs that are trained already would have been others.
    fn planned_by_epochs(&self) -> Option<&'static str> {
        None
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
