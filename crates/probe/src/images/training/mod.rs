//! Training of the whole net with labels: fine-tuning from trained weights, and the supervised bound from random ones.

mod observer;
mod train_and_score;
mod training_loop;
mod unfinished;

#[cfg(test)]
mod tests;

pub use observer::{EpochDone, TrainingObserver, TrainingStart};
pub use train_and_score::{LabelledImages, train_and_score};
pub use unfinished::StateFile;
