//! Features of images, and what can be said of them without a protocol.

mod array;
pub(crate) mod cosine_rank;
mod health;
mod label_share;
mod nearest;
mod sample;

pub use array::Features;
#[cfg(feature = "images")]
pub(crate) use array::{first_not_finite, same_classes};
pub(crate) use array::{labels_to_fit, labels_to_score};
pub use health::{alignment, dead_dimensions, effective_rank, effective_rank_bytes, health, uniformity};
pub use nearest::{Neighbour, nearest};
pub use sample::feature_sample;
