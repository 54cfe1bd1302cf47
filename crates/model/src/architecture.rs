//! A backbone as a plain list of layers, which both executors run: one description a net.

use crate::layers::{Layer, Node};
use crate::{Buffers, Parameters};

/// A backbone: images `[N, height, width, channels]` to features `[N, D]`.
///
/// The paper's have names ([`crate::BackboneKind`]), [`Architecture::mlp`] is for rows of numbers; any other list of [`Layer`]s is an
/// architecture too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Architecture {
    /// What it is called in messages: `conv4`, `resnet18 (cifar stem)`, ...
    pub name: String,
    /// Channels of the images: 3 for the paper's backbones.
    pub channels: usize,
    /// The layers, each after all that it reads.
    pub layers: Vec<Layer>,
    /// Width of the features, D.
    pub width: usize,
    /// Values that a training pass hands out beside the features ([`Architecture::with_taps`]). None at first.
    pub taps: Vec<Node>,
}

impl Architecture {
    /// `conv4`, `resnet18 (cifar stem)`, ...
    #[must_use]
    pub fn describe(&self) -> String {
        self.name.clone()
    }

    /// The backbone's parameters, not yet initialised.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.parameters_in(&Buffers::allocated())
    }

    /// As [`Architecture::parameters`], without memory where `buffers` are counted.
    #[must_use]
    pub fn parameters_in(&self, buffers: &Buffers) -> Parameters {
        let mut parameters = Parameters::new(buffers);
        self.layers.iter().for_each(|layer| layer.op.kind().add_parameters(&mut parameters));
        parameters
    }
}
