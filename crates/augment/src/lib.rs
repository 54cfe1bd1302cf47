#![doc = include_str!("../README.md")]

// How one view is made: settings, a key, and the way through the steps.
mod config;
mod key;
mod parameters;
mod pipeline;
mod view_format;

// The steps, a file each: `steps/mod.rs` has their table and says how one is added.
mod step;
mod steps;

// What steps work on: boxes, pixels picked from an image, planes of values.
mod canvas;
mod crop_box;
mod resize;

// Batches of views from worker threads.
mod loader;

mod check;
mod error;

pub use check::MAX_SIDE_PX;
pub use config::PipelineConfig;
pub use crop_box::CropBox;
pub use error::{Error, ErrorKind, Result};
pub use key::{ViewKey, epoch_order};
pub use loader::{Batch, DroppedBatch, Epoch, LoaderConfig, OnReadError, SkippedImage, ViewLoader};
pub use parameters::ViewParameters;
pub use pipeline::{Pipeline, Scratch};
pub use steps::*;
pub use view_format::ViewFormat;
