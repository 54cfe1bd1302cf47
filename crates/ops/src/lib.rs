//! Training kernels on plain `f32` buffers: what a small convolutional network needs to be trained fast on a CPU.

mod adam;
mod batch_norm;
mod chunks;
mod conv;
mod error;
mod layout;
mod linear;
mod loss;
mod pairs;
mod pool;
mod simd;
#[cfg(test)]
mod test_support;

pub use adam::{AdamStep, SgdStep, adam_step, sgd_step};
pub use batch_norm::{BackwardShape, BatchNormParams, Epilogue, GradientSource, Normalisation, Pool, RunningStats};
pub use chunks::{chunk_count, chunk_images};
pub use conv::{Conv2d, ConvSpec};
pub use error::{Error, Result};
pub use layout::Layout;
pub use linear::{matmul, matmul_of_transposed, matmul_transposed};
pub use loss::PairLoss;
pub use pairs::{MaxPairHead, PairHead, PairHeadGrads, PairHeadParams, PairOutcome, RelationPair, RelationPairs};
pub use pool::{MaxPool, global_average, global_average_gradient};
pub use simd::Isa;
