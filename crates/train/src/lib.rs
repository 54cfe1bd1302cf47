//! Self-supervised training: batches of views and a backbone in, a run folder out.
//!
//! A [`Trainer`] takes a backbone, a source of views and a [`MethodConfig`]; [`Trainer::run`] trains, writes metrics and
//! checkpoints into a [`relata_artifact::RunFolder`], and tells an [`Observer`] what happens. It never prints.
//!
//! Views come from a [`relata_augment::ViewLoader`] of images, from [`RowViews`] of rows of numbers, or from any [`ViewSource`]; what is
//! done with their features is a method of this crate, a [`CandleMethod`], or any [`Method`].
//!
//! A run is repeatable to the bit: at any number of threads, and however often it was stopped and resumed with the settings that it was
//! trained by; more epochs are allowed where nothing was planned for their number, anything else is refused. Each method
//! is one file behind the [`Method`] trait: `relational` is the paper's (arXiv 2006.05849), `simclr`, `barlow`, `byol`, `deepcluster`,
//! `deepinfomax`, `rotation`, `supervised` and `random` are what it is compared with.

mod config;
mod method;

mod barlow;
mod byol;
mod deepcluster;
mod deepinfomax;
mod random;
mod relational;
mod rotation;
mod simclr;
mod supervised;

mod candle_method;

mod classifier;
mod parts;
mod prior;
mod projection;
mod unit;

mod row_views;
mod views;

mod checkpoint;
mod event;
mod optimizer;
mod plan;
mod target;
mod totals;
mod trainer;

mod error;

pub use barlow::{Barlow, BarlowConfig};
pub use byol::{Byol, ByolConfig};
pub use candle_method::CandleMethod;
pub use config::{LossKind, MethodConfig, MethodKind, TrainConfig};
pub use deepcluster::{DeepCluster, DeepClusterConfig};
pub use deepinfomax::{DeepInfoMax, DeepInfoMaxConfig};
pub use error::{Error, Result};
pub use event::{EpochReport, Event, Flow, Observer, ObserverError, StepReport};
pub use method::{BatchShape, HeadShape, IntoMethod, Method, MethodStep, ViewBatch};
pub use random::Random;
pub use relata_optim::{OptimizerConfig, Schedule};
pub use relational::Relational;
pub use rotation::Rotation;
pub use row_views::{RowViews, RowViewsConfig};
pub use simclr::{ContrastiveLoss, Simclr, SimclrConfig};
pub use supervised::{Supervised, SupervisedConfig};
pub use trainer::{Outcome, Setup, Trainer};
pub use views::{IntoViewSource, LeftOut, SourceShape, ViewBuffer, ViewSource};
