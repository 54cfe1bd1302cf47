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
//! | to | use |
//! |---|---|
//! | open a data set by name | [`DataConfig`], [`open`]; with its progress, [`open_watched`]; with images held out, [`open_with_validation`] |
//! | see which there are, and what is on disk | [`catalogue`], [`presence`] |
//! | open one directly | [`Shapes`], [`Cifar10`], [`Cifar100`], [`Stl10`], [`Tiny`], [`Slim`], [`Folder`], [`Pack`] |
//! | get it | [`unpack_if_needed`]; `fetch` (feature `fetch`), `fetch_from_hub` (feature `hub`); into one file, [`pack()`] |
//! | take a part of it | [`Subset`] |
//! | look into it | [`verify`], [`channel_statistics`], [`contact_sheet`], [`images_per_second`] |
//! | bring your own | implement [`Dataset`]; to give it a name here, one file and one line in `src/sets` |

mod dataset;
mod image;

mod inspect;
mod select;
mod sets;

mod archive;
mod hub;

mod config;
mod open;
mod presence;

mod digest;
mod error;
mod mmap;
mod sync;

pub use archive::{Archive, Checksum, Progress, Work};
#[cfg(feature = "fetch")]
pub use archive::{FetchOptions, fetch};
#[cfg(feature = "archives")]
pub use archive::{UnpackLimits, unpack};
pub use config::{DataConfig, OnBadImage};
pub use dataset::Dataset;
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "hub")]
pub use hub::{HubOptions, fetch_from_hub};
pub use hub::{HubSource, HubSplit, RowProblem};
pub use image::Image;
pub use inspect::{
    Broken, ChannelStatistics, ContactSheet, ContactSheetOptions, VerifyReport, channel_statistics, contact_sheet,
    images_per_second, verify,
};
pub use open::{
    Opening, TrainingImages, Watch, open, open_watched, open_with_validation, open_with_validation_watched, unpack_if_needed,
};
pub use presence::{Presence, presence};
pub use select::{Split, Subset, UnknownSplit, stratified_share};
pub use sets::{
    Cifar10, Cifar100, Cifar100Labels, DatasetEntry, Difficulty, Folder, FolderOptions, JPEG_DECODER, Location, OwnSetting,
    OwnSettings, Pack, PackSummary, SettingKind, SettingValue, Shapes, ShapesOptions, Slim, Statistics, Stl10, Tiny, catalogue,
    entry, own_settings, pack,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
