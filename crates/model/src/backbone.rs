//! What every executor is: images in, features out, and gradients back.

use crate::images::{Images, Mode};
use crate::tap::{Activations, check_gradients};
use crate::{Architecture, Error, Parameters, Result};

/// A backbone that can be trained: images in, features out; then the features' gradient in, the parameters' gradients out.
///
/// Everything above the features (heads, losses) is the caller's. The crate's front page shows how the two meet.
pub trait Backbone: Send {
    /// What it is.
    fn architecture(&self) -> &Architecture;

    /// Its parameters, with the gradients of the last backward pass.
    fn parameters(&self) -> &Parameters;

    /// Its parameters, to be changed by an optimiser or a weight file.
    fn parameters_mut(&mut self) -> &mut Parameters;

    /// Features `[rows, D]` of a batch.
    ///
    /// # Errors
    /// Where the images are too small for the net, or of other channels.
    fn forward(&mut self, images: Images<'_>, mode: Mode) -> Result<&[f32]>;

    /// Fills the parameters' gradients from the features' `[rows, D]`. Belongs to the last forward pass, which must have
    /// been in training mode, and uses it up.
    ///
    /// # Errors
    /// [`Error::NoForward`], or [`Error::Size`] where the gradient is not as large as the features were.
    fn backward(&mut self, d_features: &[f32]) -> Result<()>;

    /// Taps inner activations, by the names of [`Architecture::activations`]: from the next training pass on they are handed out. A backbone
    /// that has none to give knows no name.
    ///
    /// # Errors
    /// [`Error::NoActivation`].
    fn set_taps(&mut self, names: &[String]) -> Result<()> {
        let Some(name) = names.first() else { return Ok(()) };
        let (name, backbone) = (name.clone(), self.architecture().describe());
        Err(Error::NoActivation { name, backbone, known: Vec::new() })
    }

    /// [`Backbone::forward`] with the taps, in the order of [`Backbone::set_taps`]. A pass in evaluation mode hands none out.
    ///
    /// # Errors
    /// As there.
    fn forward_with_taps(&mut self, images: Images<'_>, mode: Mode) -> Result<Activations<'_>> {
        Ok(Activations { features: self.forward(images, mode)?, taps: Vec::new() })
    }

    /// [`Backbone::backward`] with the gradients of the taps, each dense, `[rows, H, W, C]`, which are added to what comes down from the
    /// features; or with none, where nothing comes back through them.
    ///
    /// # Errors
    /// As there; [`Error::Size`] where the taps' gradients are not as many and as large as the taps were.
    fn backward_with_taps(&mut self, d_features: &[f32], d_taps: &[&[f32]]) -> Result<()> {
        check_gradients(d_taps, 0, &[])?;
        self.backward(d_features)
    }
}
