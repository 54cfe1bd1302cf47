//! Vision backbones and the relation head: one list of layers, a fused and a candle executor, weight files.

mod aggregation;
mod architecture;
mod backbone;
mod candle_net;
mod config;
mod error;
mod head;
mod network;
mod parameters;
mod weights;

pub use aggregation::Aggregation;
pub use architecture::{Architecture, BackboneKind, Layer, Node, Op, Stem};
pub use backbone::{Backbone, Images, Mode};
pub use candle_net::{
    CandleNetwork, RelationStatistics, RelationTensors, bce_with_logits, focal_with_logits, relation_logits,
    relation_logits_with_statistics, seam,
};
pub use config::{Executor, ModelConfig};
pub use error::{Error, Result};
pub use head::{RelationHead, RelationHeadConfig};
pub use network::{Compute, Network};
pub use parameters::{NormBuffers, ParameterKind, ParameterSpec, Parameters, TorchTensor};
pub use relata_ops::PairLoss;
pub use weights::{BackboneInfo, WeightFile, safetensors_bytes, write_safetensors};
