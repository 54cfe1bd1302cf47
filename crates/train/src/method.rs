use crate::Result;
use relata_model::Parameters;

/// How many images and views a batch of features holds; rows are view-major, `view · images + image`.
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
}

/// What one step of a method came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MethodStep {
    /// The loss.
    pub loss: f64,
    /// The method's own figures by name (shares in [0, 1], say), averaged over steps for the metrics.
    pub figures: Vec<(&'static str, f64)>,
}

/// A way to train a backbone: everything above the features.
pub trait Method: Send {
    /// Short name: the prefix of its parameters in checkpoints.
    fn head_name(&self) -> &'static str;

    /// Loss of a batch of features `[N, D]`; fills the gradients of the method's own parameters and
    /// [`Method::d_features`].
    ///
    /// # Errors
    /// Where the batch cannot be used.
    fn step(&mut self, features: &[f32], batch: BatchShape) -> Result<MethodStep>;

    /// The gradient with respect to the features of the last step, `[N, D]`.
    fn d_features(&self) -> &[f32];

    /// The method's own parameters, with the gradients of the last step.
    fn parameters(&self) -> &Parameters;

    /// The method's own parameters, to be changed by an optimiser or a checkpoint.
    fn parameters_mut(&mut self) -> &mut Parameters;
}
