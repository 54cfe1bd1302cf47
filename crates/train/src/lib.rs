//! Self-supervised training: batches of views and a backbone in, a run folder out.
//!
//! A [`Trainer`] takes a backbone, a source of views and a [`MethodConfig`]; [`Trainer::run`] trains, writes metrics and
//! checkpoints into a [`relata_artifact::RunFolder`], and tells an [`Observer`] what happens. It never prints.
//!
//! Views come from a [`relata_augment::ViewLoader`] of images, from [`RowViews`] of rows of numbers, or from any [`ViewSource`]. What is
//! done with their features is one of the methods of the table [`METHODS`], a [`CandleMethod`], or any [`Method`].
//!
//! A run is repeatable to the bit: at any number of threads, and however often it was stopped and resumed with the settings that it was
//! trained by. More epochs are allowed where nothing was planned for their number; any other change is refused.

mod trainer;

mod method;
mod methods;

mod heads;

mod views;

mod batch;
mod config;
mod error;

pub use batch::{BatchShape, HeadShape, ViewBatch};
pub use config::TrainConfig;
pub use error::{Error, ErrorKind, Result};
pub use method::{IntoMethod, Method, MethodEntry, MethodSettings, MethodSpec, MethodStep, Needs};
pub use methods::*;
pub use relata_optim::{OptimizerConfig, Schedule};
pub use trainer::{EpochReport, Event, Flow, Observer, ObserverError, Outcome, Setup, StepReport, Trainer};
pub use views::{IntoViewSource, LeftOut, RowViews, RowViewsConfig, SourceShape, ViewBuffer, ViewSource};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
