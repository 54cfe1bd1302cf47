//! A list of layers while it is written.

use crate::Architecture;
use crate::layers::{ConvNorm, Layer, Node, Op};
use relata_ops::ConvSpec;

/// Layers that each read what the one before them gives, unless they say otherwise, and the channels of every value.
#[derive(Debug)]
pub(super) struct LayerList {
    layers: Vec<Layer>,
    channels: Vec<usize>,
}

impl LayerList {
    /// No layer yet, for images of so many channels.
    pub(super) fn new(channels: usize) -> Self {
        Self { layers: Vec::new(), channels: vec![channels] }
    }

    /// What the last layer gives.
    pub(super) fn last(&self) -> Node {
        self.layers.len()
    }

    /// Channels of a value.
    pub(super) fn channels(&self, node: Node) -> usize {
        self.channels[node]
    }

    /// A layer without parameters behind the last one.
    pub(super) fn push(&mut self, op: Op) {
        let input = self.last();
        self.channels.push(self.channels[input]);
        self.layers.push(Layer { input, op });
    }

    /// Convolution, batch norm and ReLU behind the last layer. `names` are the prefixes of convolution and batch norm.
    pub(super) fn conv_norm_relu(&mut self, names: [&str; 2], channels: usize, kernel: usize, stride: usize) {
        self.conv_norm(self.last(), names, [channels, kernel, stride], None, true);
    }

    /// Convolution of `input` to so many channels, with a kernel of so many pixels a side and a stride, padded so that stride 1 keeps the
    /// sides; batch norm; then the sum with `residual` and a ReLU, both optional.
    pub(super) fn conv_norm(
        &mut self,
        input: Node,
        names: [&str; 2],
        [channels_out, kernel, stride]: [usize; 3],
        residual: Option<Node>,
        relu: bool,
    ) {
        let conv = ConvSpec { channels_in: self.channels[input], channels_out, kernel, stride, padding: kernel / 2 };
        let [conv_name, norm_name] = names.map(str::to_owned);
        self.channels.push(channels_out);
        self.layers.push(Layer { input, op: Op::ConvNorm(ConvNorm { conv, conv_name, norm_name, residual, relu }) });
    }

    /// The net that these layers and a global average make.
    pub(super) fn into_architecture(mut self, name: String) -> Architecture {
        self.push(Op::GlobalAverage);
        let (channels, width) = (self.channels[0], self.channels[self.last()]);
        Architecture { name, channels, layers: self.layers, width, taps: Vec::new() }
    }
}
