//! Fast, repeatable image augmentation: K random views an image, batched by a prefetching loader.
//!
//! What goes in: images ([`relata_data::Image`], or a [`relata_data::Dataset`] of them) and a key. What comes out: views,
//! `[side, side, 3]` f32, normalised; or whole batches of them, view-major, `[K · B, side, side, 3]`. No tensors, no training.
//!
//! - A view depends on its image, the settings and its [`ViewKey`] (seed, epoch, image, view), and on nothing else: it has the same
//!   bits on any thread, in any order, on any instruction set and after any resume.
//! - Each step has torchvision's meaning and agrees with it on float tensors to 1e-5.
//! - Every strength and probability is a field of [`PipelineConfig`]; the defaults are the paper's relational augmentation.
//! - Nothing is allocated per view: a thread brings its [`Scratch`], a loader recycles its batches.
//!
//! The modules in reading order: a pipeline goes over the table of steps (`steps`, a file each, where "Adding a step" stands too), and a
//! loader makes batches with it.
//!
//! ```
//! use relata_augment::{Pipeline, ViewKey};
//! use relata_data::Image;
//!
//! let image = Image::new(5, 7, (0..105).collect()).expect("5 x 7 pixels have 105 bytes");
//! let pipeline = Pipeline::relational(32)?;
//! let key = ViewKey { seed: 1, epoch: 0, image: 7, view: 3 };
//! let view = pipeline.view(&image, key);
//! assert_eq!(view.len(), 32 * 32 * 3);
//! assert_eq!(view, pipeline.view(&image, key));
//! # Ok::<(), relata_augment::Error>(())
//! ```
//!
//! Batches from worker threads, in bounded memory:
//!
//! ```
//! # fn run(dataset: std::sync::Arc<dyn relata_data::Dataset>) -> relata_augment::Result<()> {
//! use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
//!
//! let config = LoaderConfig { batch_size: 64, views: 4, workers: 2, ..LoaderConfig::default() };
//! let loader = ViewLoader::new(dataset, Pipeline::relational(32)?, config)?;
//! for batch in loader.epoch(0) {
//!     let batch = batch?;
//!     let (images, rows) = (batch.size(), &batch.rows); // [4 · images, 32, 32, 3]
//! #   let _ = (images, rows);
//! }
//! # Ok(()) }
//! ```

mod config;
mod key;
mod pipeline;

mod parameters;
mod step;
mod steps;

mod canvas;
mod crop_box;
mod resize;

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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
