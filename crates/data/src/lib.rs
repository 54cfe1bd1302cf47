//! Image data sets for self-supervised learning: bytes on disk to indexed, verified RGB8 samples.
//!
//! What goes in: a folder as its publisher lays it out, or nothing at all for the embedded [`Shapes`]. What comes out: a
//! [`Dataset`], that is a length, images by index, labels where there are any, and a fingerprint. No tensors, no
//! augmentation; the same index always gives the same image.
//!
//! ```
//! use relata_data::{DataConfig, Split, open, verify};
//!
//! let dataset = open(&DataConfig { limit: 50, ..DataConfig::default() }, Split::Train)?;
//! let image = dataset.image(7)?;
//! assert_eq!((image.width_px(), image.height_px()), (32, 32));
//! assert_eq!(dataset.label(7), Some(7));
//! assert_eq!(dataset.class_names()[7], "burst");
//!
//! let report = verify(&*dataset, |_read, _of| ());
//! assert!(report.is_whole());
//! # Ok::<(), relata_data::Error>(())
//! ```
//!
//! A data set by its name and settings: [`open`], [`DataConfig`], [`catalogue`]; what of it is there: [`presence`]; how far the opening
//! of a large folder is: [`open_watched`]. One of them directly: [`Shapes::new`],
//! [`Cifar10::open`], [`Cifar100::open`], [`Stl10::open`], [`Tiny::open`], [`Slim::open`], [`Folder::open`], [`Pack::open`], which reads what [`pack`] has written.
//! Packed as its publisher offers it: [`unpack_if_needed`], and `fetch` with the feature of that name. From the Hugging Face
//! hub: `fetch_from_hub` with the feature `hub`. A part of one:
//! [`Subset`]. What it holds: [`verify`], [`channel_statistics`], [`contact_sheet`]. Your own: implement [`Dataset`].

mod dataset;
mod image;
mod split;

mod cifar10;
mod cifar100;
mod folder;
mod pack;
mod shapes;
mod stl10;
mod strata;
mod subset;

mod archive;
mod catalogue;
mod channels;
mod config;
mod hub;
mod open;
mod presence;
mod sheet;
mod verify;

mod class_names;
mod digest;
mod error;
mod mmap;
mod pace;
mod records;
mod sync;

pub use archive::{Archive, Checksum, Progress, Work, unpack_if_needed};
#[cfg(feature = "fetch")]
pub use archive::{FetchOptions, fetch};
#[cfg(feature = "archives")]
pub use archive::{UnpackLimits, unpack};
pub use catalogue::{Entry, Statistics, catalogue, entry, statistics};
pub use channels::{ChannelStatistics, channel_statistics};
pub use cifar10::Cifar10;
pub use cifar100::{Cifar100, Cifar100Labels};
pub use config::{DataConfig, OnBadImage};
pub use dataset::Dataset;
pub use error::{Error, Result};
pub use folder::{Folder, FolderOptions, JPEG_DECODER, Slim, Tiny};
#[cfg(feature = "hub")]
pub use hub::{HubOptions, fetch_from_hub};
pub use hub::{HubSource, HubSplit, RowProblem};
pub use image::Image;
pub use open::{Opening, TrainingImages, Watch, open, open_watched, open_with_validation, open_with_validation_watched};
pub use pace::images_per_second;
pub use pack::{Pack, Packed, pack};
pub use presence::{Presence, presence};
pub use shapes::{Difficulty, Shapes, ShapesOptions};
pub use sheet::{Sheet, SheetOptions, contact_sheet};
pub use split::Split;
pub use stl10::Stl10;
pub use strata::stratified_share;
pub use subset::Subset;
pub use verify::{Broken, Report, verify};
