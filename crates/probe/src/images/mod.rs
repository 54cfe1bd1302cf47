//! From images to features, and the protocols that train the backbone. Needs the feature `images`.

mod extract;
mod options;
mod training;

pub use extract::{embed, embed_two_views, extract};
pub use options::ExtractOptions;
pub use training::{EpochDone, LabelledImages, StateFile, TrainingObserver, TrainingStart, train_and_score};
