//! Taps: inner activations that are handed out beside the features, and whose gradients come back with theirs.

use crate::layers::Node;
use crate::{Architecture, Error, ImageSize, Layout, Result};

/// An inner activation of a batch, `[rows, H, W, C]`: the images' maps one behind the other.
#[derive(Debug, Clone, Copy)]
pub struct Activation<'a> {
    /// The numbers; of each map those that `layout` says, its halo aside.
    pub data: &'a [f32],
    /// Where the numbers of one map lie.
    pub layout: Layout,
}

/// What a forward pass gives.
#[derive(Debug)]
pub struct Activations<'a> {
    /// `[rows, D]`.
    pub features: &'a [f32],
    /// Of a training pass: the taps, in the order of [`Architecture::taps`].
    pub taps: Vec<Activation<'a>>,
}

impl Activation<'_> {
    /// The maps without their halo, `[rows, H, W, C]`.
    #[must_use]
    pub fn dense(&self) -> Vec<f32> {
        let images = self.data.chunks_exact(self.layout.image_len());
        images.flat_map(|image| (0..self.layout.height).flat_map(move |y| image[self.layout.row(y)].iter().copied())).collect()
    }
}

impl Architecture {
    /// Names of the activations that can be tapped, in the order of the layers: that of a batch norm stands for what comes of it, behind
    /// residual and ReLU where there are any. `layer1.bn` is conv4's first, before its pool; `bn1` that of the others.
    pub fn activations(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().filter_map(|layer| layer.op.kind().activation())
    }

    /// The same net with taps at these activations, in this order.
    ///
    /// # Errors
    /// [`Error::NoActivation`] for the first name that is none of [`Architecture::activations`].
    pub fn with_taps<S: AsRef<str>>(mut self, names: &[S]) -> Result<Self> {
        self.taps = names.iter().map(|name| self.activation(name.as_ref())).collect::<Result<_>>()?;
        Ok(self)
    }

    /// The value of that name.
    fn activation(&self, name: &str) -> Result<Node> {
        let found = self.layers.iter().position(|layer| layer.op.kind().activation() == Some(name));
        found.map(|layer| layer + 1).ok_or_else(|| Error::NoActivation {
            name: name.to_owned(),
            backbone: self.describe(),
            known: self.activations().map(str::to_owned).collect(),
        })
    }

    /// Name of the first activation, and the layout of its maps for images of `size`; `None` where there is none, or the images are too
    /// small for it.
    #[must_use]
    pub fn first_map(&self, size: ImageSize) -> Option<(&str, Layout)> {
        let kind = self.layers.first()?.op.kind();
        let (rows, columns) = kind.output_sides(size.height, size.width)?;
        Some((kind.activation()?, Layout::dense(rows, columns, kind.output_channels(self.channels).ok()?)))
    }

    /// Layouts of the taps' maps for images of `size`, without a halo.
    ///
    /// # Errors
    /// [`Error::Size`] where the images are too small for the net, or of other channels.
    pub fn tap_layouts(&self, size: ImageSize) -> Result<Vec<Layout>> {
        let layouts = self.layouts(size)?;
        Ok(self.taps.iter().map(|node| layouts[*node]).collect())
    }
}

/// One gradient a tap, each as long as its dense maps; or none at all, where nothing comes back through them.
pub(crate) fn check_gradients(d_taps: &[&[f32]], rows: usize, layouts: &[Layout]) -> Result<()> {
    let expected: Vec<usize> = layouts.iter().map(|layout| rows * layout.pixels() * layout.channels).collect();
    let found: Vec<usize> = d_taps.iter().map(|d| d.len()).collect();
    if d_taps.is_empty() || found == expected {
        return Ok(());
    }
    Err(Error::Size { what: "gradients of the taps", expected: format!("{expected:?} floats"), got: format!("{found:?} floats") })
}
