//! Image data sets for self-supervised learning: bytes on disk to indexed, verified RGB8 samples.
//!
//! What goes in: a folder as its publisher lays it out. What comes out: a [`Dataset`], that is a length,
//! images by index, labels where there are any, and a fingerprint. No tensors, no augmentation.

mod dataset;
mod error;
mod image;

pub use dataset::Dataset;
pub use error::{Error, Result};
pub use image::Image;
