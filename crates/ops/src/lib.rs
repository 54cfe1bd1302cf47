//! Training kernels on plain `f32` buffers: what a small convolutional network needs to be trained fast on a CPU.

mod chunks;
mod pool;
mod linear;
mod batch_norm;
mod conv;
mod error;
mod layout;
mod simd;
#[cfg(test)]
mod test_support;

pub use batch_norm::{BackwardShape, BatchNormParams, Epilogue, GradientSource, Normalisation, Pool, RunningStats};
pub use chunks::{chunk_count, chunk_images};
pub use conv::{Conv2d, ConvSpec};
pub use error::{Error, Result};
pub use layout::Layout;
pub use linear::{matmul, matmul_of_transposed, matmul_transposed};
pub use pool::{MaxPool, global_average, global_average_gradient};
pub use simd::Isa;
