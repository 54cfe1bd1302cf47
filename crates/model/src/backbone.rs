use crate::{Activations, Architecture, Buffers, Error, ImageSize, Op, ParameterKind, Parameters, Result};

/// Whether a forward pass learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, running statistics move along, activations are kept for the backward pass.
    Train,
    /// Running statistics.
    Eval,
}

/// A batch of normalised images, `[rows, height, width, channels]`, NHWC; or of rows of numbers, which are images of one pixel.
#[derive(Debug, Clone, Copy)]
pub struct Images<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// Images in the batch, N.
    pub rows: usize,
    /// Of an image: height, width and channels.
    pub size: ImageSize,
}

impl<'a> Images<'a> {
    /// Wraps a batch of RGB images.
    ///
    /// # Errors
    /// [`Error::Size`] where the number of floats is not rows · height · width · 3, or there are none.
    pub fn new(data: &'a [f32], rows: usize, height: usize, width: usize) -> Result<Self> {
        Self::of_size(data, rows, ImageSize::new(height, width, 3))
    }

    /// Wraps a batch of `rows` images of any number of channels.
    ///
    /// # Errors
    /// [`Error::Size`] where the number of floats is not rows · H · W · C, or there are none.
    pub fn of_size(data: &'a [f32], rows: usize, size: ImageSize) -> Result<Self> {
        if size.batch_len(rows) != Some(data.len()) || data.is_empty() {
            return Err(Error::Size {
                what: "images",
                expected: format!("{rows} x {size} floats, more than none"),
                got: format!("{} floats", data.len()),
            });
        }
        Ok(Self { data, rows, size })
    }

    /// Wraps rows of `width` numbers each, `[N, F]`, as images of one pixel of F channels.
    ///
    /// # Errors
    /// [`Error::Size`] where they are not whole rows, or there are none.
    pub fn of_rows(data: &'a [f32], width: usize) -> Result<Self> {
        Self::of_size(data, data.len() / width.max(1), ImageSize::row(width))
    }
}

/// A backbone that can be trained: images in, features out, and the way back. Everything above the features (heads,
/// losses) is the caller's; see the crate's front page for how the two meet.
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

    /// Asks for inner activations, by the names of [`Architecture::activations`]: from the next forward pass on they are the architecture's
    /// taps. A backbone that has none to give knows no name.
    ///
    /// # Errors
    /// [`Error::NoActivation`].
    fn set_taps(&mut self, names: &[String]) -> Result<()> {
        let Some(name) = names.first() else { return Ok(()) };
        let (name, backbone, known) = (name.clone(), self.architecture().describe(), "none to hand out".to_owned());
        Err(Error::NoActivation { name, backbone, known })
    }

    /// [`Backbone::forward`] with the taps, in the order asked for. A pass in evaluation mode hands none out.
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
        crate::tap::check_gradients(d_taps, 0, &[])?;
        self.backward(d_features)
    }
}

impl Architecture {
    /// The backbone's parameters, not yet initialised.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.parameters_in(&Buffers::allocated())
    }

    /// As [`Architecture::parameters`], without memory where `buffers` are counted.
    pub(crate) fn parameters_in(&self, buffers: &Buffers) -> Parameters {
        let mut parameters = Parameters::new(buffers);
        for layer in &self.layers {
            if let Op::ConvNorm { conv, conv_name, norm_name, .. } = &layer.op {
                let shape = [conv.channels_out, conv.channels_in, conv.kernel, conv.kernel];
                parameters.add(format!("{conv_name}.weight"), &shape, ParameterKind::ConvWeight);
                parameters.add_norm(norm_name, conv.channels_out);
            }
        }
        parameters
    }
}
