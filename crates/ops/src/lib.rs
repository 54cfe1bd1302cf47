//! Training kernels on plain `f32` buffers: what a small convolutional network needs to be trained fast on a CPU.

mod chunks;
mod conv;
mod error;
mod layout;
mod simd;
#[cfg(test)]
mod test_support;

pub use chunks::{chunk_count, chunk_images};
pub use conv::{Conv2d, ConvSpec};
pub use error::{Error, Result};
pub use layout::Layout;
pub use simd::Isa;
