//! The layers that backbones are lists of. A kind of layer is one file here, and one variant of [`Op`].

mod average_pool;
mod conv_norm;
mod global_average;
mod kind;
mod max_pool;

pub use conv_norm::ConvNorm;
pub use kind::Node;
pub(crate) use kind::{BackwardPass, CandleLayer, CandlePass, ForwardPass, FusedLayer, LayerKind, Site};

/// One entry of a backbone's list.
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
    /// `relu(batch_norm(conv(input)) + residual)`, where sum and ReLU are optional.
    ConvNorm(ConvNorm),
    /// `AvgPool2d(2)`.
    AveragePool2,
    /// `MaxPool2d(3, 2, 1)`.
    MaxPool,
    /// `AdaptiveAvgPool2d(1)` and flatten: the last layer of every backbone, gives the features `[N, D]`.
    GlobalAverage,
}

impl Op {
    /// What the executors have to know of it.
    pub(crate) fn kind(&self) -> &dyn LayerKind {
        match self {
            Self::ConvNorm(conv_norm) => conv_norm,
            Self::AveragePool2 => &average_pool::AveragePool2,
            Self::MaxPool => &max_pool::MaxPool3x3,
            Self::GlobalAverage => &global_average::GlobalAverage,
        }
    }
}

impl Layer {
    /// Whether the layer reads value `node`.
    pub(crate) fn reads(&self, node: Node) -> bool {
        self.input == node || self.op.kind().residual() == Some(node)
    }
}
