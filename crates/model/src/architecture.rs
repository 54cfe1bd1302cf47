//! Backbones as plain lists of layers. Both executors run the same list, so there is one description a net.
//!
//! The paper's are here by name, and perceptrons for rows of numbers; any other list of [`Layer`]s is an [`Architecture`] too.

use relata_ops::ConvSpec;
use serde::{Deserialize, Serialize};

/// The backbones of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackboneKind {
    /// Four 3 x 3 convolutions of 8, 16, 32, 64 channels with average pools between them; D = 64.
    Conv4,
    /// Three stages of one basic block, 16, 32, 64 channels; D = 64.
    Resnet8,
    /// Three stages of five basic blocks; D = 64.
    Resnet32,
    /// Three stages of nine basic blocks; D = 64.
    Resnet56,
    /// torchvision's `resnet18` without `fc`; D = 512.
    Resnet18,
    /// torchvision's `resnet34` without `fc`; D = 512.
    Resnet34,
}

/// How resnet18 and resnet34 begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// 7 x 7 convolution with stride 2, then a 3 x 3 maximum with stride 2: for images of 96 px and more.
    #[default]
    Imagenet,
    /// 3 x 3 convolution with stride 1 and no pool: for images of 32 or 64 px.
    Cifar,
}

/// A value in the net: 0 is the images, `i + 1` what layer `i` gives.
pub type Node = usize;

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it reads.
    pub input: Node,
    /// What it does.
    pub op: Op,
}

/// What a layer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// `relu(batch_norm(conv(input)) + residual)`, the sum and the ReLU where asked for.
    ConvNorm {
        /// The convolution.
        conv: ConvSpec,
        /// State-dict prefix of the convolution: `{conv_name}.weight`.
        conv_name: String,
        /// State-dict prefix of the batch norm: `{norm_name}.weight`, `.bias`, `.running_mean`, `.running_var`.
        norm_name: String,
        /// A value of the output's shape that is added before the ReLU.
        residual: Option<Node>,
        /// Whether a ReLU follows.
        relu: bool,
    },
    /// `AvgPool2d(2)`.
    AveragePool2,
    /// `MaxPool2d(3, 2, 1)`.
    MaxPool,
    /// `AdaptiveAvgPool2d(1)` and flatten: the last layer of every backbone, gives the features `[N, D]`.
    GlobalAverage,
}

/// A backbone: images `[N, height, width, channels]` to features `[N, D]`.
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

impl BackboneKind {
    /// All of them, in the order of the paper.
    pub const ALL: [Self; 6] = [Self::Conv4, Self::Resnet8, Self::Resnet32, Self::Resnet56, Self::Resnet18, Self::Resnet34];

    /// The name in configurations: `conv4`, `resnet32`, ...
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Conv4 => "conv4",
            Self::Resnet8 => "resnet8",
            Self::Resnet32 => "resnet32",
            Self::Resnet56 => "resnet56",
            Self::Resnet18 => "resnet18",
            Self::Resnet34 => "resnet34",
        }
    }

    /// From the name; `None` where there is no such backbone.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Stem {
    /// The name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Imagenet => "imagenet",
            Self::Cifar => "cifar",
        }
    }
}

impl Architecture {
    /// The list of layers of a backbone. `stem` matters to resnet18 and resnet34 only.
    #[must_use]
    pub fn new(kind: BackboneKind, stem: Stem) -> Self {
        let mut list = List::default();
        let width = match kind {
            BackboneKind::Conv4 => {
                for (index, (channels_in, channels_out)) in [(3, 8), (8, 16), (16, 32), (32, 64)].into_iter().enumerate() {
                    if index > 0 {
                        list.push(Op::AveragePool2);
                    }
                    let name = format!("layer{}", index + 1);
                    list.conv_norm(
                        conv(channels_in, channels_out, 3, 1),
                        &format!("{name}.conv"),
                        &format!("{name}.bn"),
                        None,
                        true,
                    );
                }
                64
            }
            BackboneKind::Resnet8 | BackboneKind::Resnet32 | BackboneKind::Resnet56 => {
                let blocks = match kind {
                    BackboneKind::Resnet8 => 1,
                    BackboneKind::Resnet32 => 5,
                    _ => 9,
                };
                list.conv_norm(conv(3, 16, 3, 1), "conv1", "bn1", None, true);
                list.stages(16, &[(16, blocks, 1), (32, blocks, 2), (64, blocks, 2)]);
                64
            }
            BackboneKind::Resnet18 | BackboneKind::Resnet34 => {
                match stem {
                    Stem::Imagenet => {
                        list.conv_norm(conv(3, 64, 7, 2), "conv1", "bn1", None, true);
                        list.push(Op::MaxPool);
                    }
                    Stem::Cifar => list.conv_norm(conv(3, 64, 3, 1), "conv1", "bn1", None, true),
                }
                let blocks = if kind == BackboneKind::Resnet18 { [2, 2, 2, 2] } else { [3, 4, 6, 3] };
                list.stages(64, &[(64, blocks[0], 1), (128, blocks[1], 2), (256, blocks[2], 2), (512, blocks[3], 2)]);
                512
            }
        };
        let name = match kind {
            BackboneKind::Resnet18 | BackboneKind::Resnet34 => format!("{} ({} stem)", kind.name(), stem.name()),
            _ => kind.name().to_owned(),
        };
        Self::ending_in_average(name, 3, list, width)
    }

    /// A perceptron for rows of `inputs` numbers ([`crate::Images::of_rows`]): `Linear` without bias, batch norm and ReLU for
    /// each width of `hidden`, and once more for the features' D = `width`.
    ///
    /// A row is an image of one pixel, a linear layer a 1 x 1 convolution of it: `layer1.conv.weight` has the shape
    /// `[out, in, 1, 1]`, batch norms are `layer1.bn`.
    ///
    /// ```
    /// use relata_model::{Architecture, Backbone, Compute, Images, Mode, Network};
    ///
    /// let mut backbone = Network::new(Architecture::mlp(5, &[32], 16), 1, Compute::new(1)?);
    /// let rows = vec![0.5; 3 * 5];
    /// assert_eq!(backbone.forward(Images::of_rows(&rows, 5)?, Mode::Eval)?.len(), 3 * 16);
    /// # Ok::<(), relata_model::Error>(())
    /// ```
    #[must_use]
    pub fn mlp(inputs: usize, hidden: &[usize], width: usize) -> Self {
        let mut list = List::default();
        let mut last = inputs;
        for (index, &next) in hidden.iter().chain([&width]).enumerate() {
            let name = format!("layer{}", index + 1);
            list.conv_norm(conv(last, next, 1, 1), &format!("{name}.conv"), &format!("{name}.bn"), None, true);
            last = next;
        }
        let widths: Vec<String> = [&inputs].into_iter().chain(hidden).chain([&width]).map(ToString::to_string).collect();
        Self::ending_in_average(format!("mlp {}", widths.join("-")), inputs, list, width)
    }

    fn ending_in_average(name: String, channels: usize, mut list: List, width: usize) -> Self {
        list.push(Op::GlobalAverage);
        Self { name, channels, layers: list.layers, width, taps: Vec::new() }
    }

    /// `conv4`, `resnet18 (cifar stem)`, ...
    #[must_use]
    pub fn describe(&self) -> String {
        self.name.clone()
    }
}

fn conv(channels_in: usize, channels_out: usize, kernel: usize, stride: usize) -> ConvSpec {
    ConvSpec { channels_in, channels_out, kernel, stride, padding: kernel / 2 }
}

#[derive(Default)]
struct List {
    layers: Vec<Layer>,
}

impl List {
    fn last(&self) -> Node {
        self.layers.len()
    }

    fn push(&mut self, op: Op) {
        self.layers.push(Layer { input: self.last(), op });
    }

    fn conv_norm(&mut self, conv: ConvSpec, conv_name: &str, norm_name: &str, residual: Option<Node>, relu: bool) {
        let (conv_name, norm_name) = (conv_name.to_owned(), norm_name.to_owned());
        self.push(Op::ConvNorm { conv, conv_name, norm_name, residual, relu });
    }

    /// Stages of (channels, basic blocks, stride of the first block), under torchvision's names.
    fn stages(&mut self, mut channels_in: usize, stages: &[(usize, usize, usize)]) {
        for (stage, &(channels, blocks, first_stride)) in stages.iter().enumerate() {
            for block in 0..blocks {
                let stride = if block == 0 { first_stride } else { 1 };
                self.basic_block(&format!("layer{}.{block}", stage + 1), channels_in, channels, stride);
                channels_in = channels;
            }
        }
    }

    /// conv-BN-ReLU, conv-BN, plus the input (through a 1 x 1 convolution and BN where the shape changes), ReLU.
    fn basic_block(&mut self, name: &str, channels_in: usize, channels: usize, stride: usize) {
        let input = self.last();
        self.conv_norm(conv(channels_in, channels, 3, stride), &format!("{name}.conv1"), &format!("{name}.bn1"), None, true);
        let inner = self.last();
        let mut residual = input;
        if stride != 1 || channels_in != channels {
            let (conv_name, norm_name) = (format!("{name}.downsample.0"), format!("{name}.downsample.1"));
            let op =
                Op::ConvNorm { conv: conv(channels_in, channels, 1, stride), conv_name, norm_name, residual: None, relu: false };
            self.layers.push(Layer { input, op });
            residual = self.last();
        }
        let (conv_name, norm_name) = (format!("{name}.conv2"), format!("{name}.bn2"));
        let op =
            Op::ConvNorm { conv: conv(channels, channels, 3, 1), conv_name, norm_name, residual: Some(residual), relu: true };
        self.layers.push(Layer { input: inner, op });
    }
}
