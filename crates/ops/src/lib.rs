//! Training kernels on plain `f32` buffers: what a small convolutional network needs to be trained fast on a CPU.
//!
//! What goes in and comes out are slices that the caller owns. Images are NHWC, each in a halo of zero pixels ([`Layout`]).
//! Operators that cost time have AVX-512, AVX2, NEON and portable forms, chosen at run time ([`Isa`]). Tests hold each to its definition
//! in f64, and gradients to the slopes of that definition.
//!
//! Work is cut by its size alone ([`chunk_images`]), so results are the same bits at any number of threads. [`Compute`] is a pool of
//! threads to call operators in; any rayon pool will do.
//!
//! Sizes that do not fit together, at construction or in a batch, give [`Error::Shape`]. A slice that is too short for what was built is a
//! bug of the program, and panics.
//!
//! ```
//! use relata_ops::{Conv2d, ConvSpec, Isa, Layout};
//!
//! let spec = ConvSpec { channels_in: 3, channels_out: 8, kernel: 3, stride: 1, padding: 1 };
//! let layer = Conv2d::new(Isa::best(), spec, Layout { height: 5, width: 7, channels: 3, halo: 1 }, 1)?;
//! let weights = vec![0.1; spec.weight_len()];
//! let mut packed = vec![0.0; layer.forward_packed_len()];
//! layer.pack_forward(&weights, &mut packed);
//! let images = vec![1.0; 2 * layer.input().image_len()];
//! let mut output = vec![0.0; 2 * layer.output().image_len()];
//! layer.forward(2, &images, &packed, &mut output, None);
//! assert!((output[layer.output().offset(2, 3)] - 2.7).abs() < 1e-6);
//! # Ok::<(), relata_ops::Error>(())
//! ```

mod adam;
mod batch_norm;
mod batch_norm_1d;
mod buffer;
mod buffers;
mod chunks;
mod compute;
mod conv;
mod cross_entropy;
mod eigen;
mod error;
mod image_size;
mod l2_normalise;
mod layout;
mod linear;
mod local_head;
mod loss;
mod pairs;
mod peak;
mod pool;
mod scratch;
mod sgd;
mod simd;
#[cfg(test)]
mod test_support;

pub use adam::{AdamStep, adam_step};
pub use batch_norm::{BackwardShape, BatchNormParams, Epilogue, GradientSource, Normalisation, Pool, RunningStats};
pub use batch_norm_1d::BatchNorm1d;
pub use buffer::Buffer;
pub use buffers::Buffers;
pub use chunks::{chunk_count, chunk_count_at_most, chunk_images};
pub use compute::Compute;
pub use conv::{Algorithm, Conv2d, ConvSpec};
pub use cross_entropy::{CrossEntropy, CrossEntropyOutcome, Reduction, cross_entropy_f32};
pub use eigen::{symmetric_eigenvalues, symmetric_eigenvectors};
pub use error::{Error, ErrorKind, Result};
pub use image_size::ImageSize;
pub use l2_normalise::L2Normalise;
pub use layout::Layout;
pub use linear::{MatRef, linear_scratch_len, matmul, matmul_of_transposed, matmul_transposed};
pub use local_head::{LocalBatch, LocalHead, LocalHeadGrads, LocalHeadParams, LocalHeadShape, LocalOutcome};
pub use loss::PairLoss;
pub use pairs::{
    DeepPairHead, DeepPairHeadShape, MaxPairHead, PairAggregation, PairHead, PairHeadGrads, PairHeadParams, PairOutcome,
    RelationPair, RelationPairs,
};
pub use peak::multiply_add_at_peak;
pub use pool::{AveragePool, MaxPool, global_average, global_average_gradient};
pub use scratch::reserve_scratch;
pub use sgd::{SgdStep, sgd_step};
pub use simd::Isa;

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
