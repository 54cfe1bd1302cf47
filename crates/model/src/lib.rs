//! Vision backbones and the relation head: one list of layers, a fused and a candle executor, weight files.
//!
//! An [`Architecture`] describes a net once. [`Network`] runs it with fused kernels and an explicit backward pass over buffers
//! that are laid out once; [`CandleNetwork`] runs the same list with candle's operators under its autograd, on any device.
//! Both are a [`Backbone`]: images in, features `[N, D]` out, and the gradient of the features back in.
//!
//! What stands above the features is the caller's. [`RelationHead`] is the paper's, fused; [`seam`] lets any candle expression be the
//! loss. A method that needs inner activations gets them as *taps* ([`Activation`]).
//!
//! Where to read: [`backbones`] holds the nets by name, `layers` one file for each kind of layer, `network` the plan that the fused
//! executor runs, `candle_net` the candle executor, `parameters` the numbers that both share, `weights` the files.
//!
//! ```
//! use relata_model::{Backbone, Buffers, Compute, Images, Mode, ModelConfig, RelationHead, RelationHeadConfig};
//!
//! let compute = Compute::new(1)?;
//! let mut backbone = ModelConfig::default().build(1, compute.clone())?;               // conv4, D = 64
//! let (config, mut buffers) = (RelationHeadConfig::default(), Buffers::allocated());
//! let mut head = RelationHead::new(config, 64, 2, 3, 1, compute, &mut buffers)?;      // 2 views of up to 3 images
//! let batch = vec![0.5; 6 * 16 * 16 * 3];                                             // view-major, NHWC
//! let features = backbone.forward(Images::new(&batch, 6, 16, 16)?, Mode::Train)?;
//! let outcome = head.step(3, features)?;
//! backbone.backward(head.d_features())?;
//! assert_eq!((outcome.rows, backbone.parameters().gradients().len()), (6, 24_648));
//! # Ok::<(), relata_model::Error>(())
//! ```

mod aggregation;
mod architecture;
mod backbone;
pub mod backbones;
mod candle_net;
mod check;
mod config;
mod error;
mod head;
mod images;
mod layers;
mod network;
mod parameters;
mod tap;
mod weights;

pub use aggregation::Aggregation;
pub use architecture::Architecture;
pub use backbone::Backbone;
pub use backbones::{BACKBONES, BackboneKind, Stem};
pub use candle_net::{
    CandleNetwork, RelationStatistics, bce_with_logits, focal_with_logits, relation_logits, relation_logits_with_statistics, seam,
};
pub use config::{Executor, ModelConfig};
pub use error::{Error, ErrorKind, Result};
pub use head::{RelationHead, RelationHeadConfig};
pub use images::{Images, Mode};
pub use layers::{ConvNorm, Layer, Node, Op};
pub use network::Network;
pub use parameters::{NormBuffers, ParameterKind, ParameterSpec, Parameters, ParametersMut, TorchTensor};
pub use relata_ops::{Buffers, Compute, ImageSize, Layout, PairLoss};
pub use tap::{Activation, Activations};
pub use weights::{BackboneInfo, WeightFile, safetensors_bytes, write_safetensors};

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
