use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::setting::{OwnSetting, OwnSettings};
use crate::{Archive, Dataset, HubSource, Result, Split};

/// What is known about a data set before it is opened, and how to open it.
#[derive(Debug, Clone, Copy)]
pub struct DatasetEntry {
    /// The name in configuration files.
    pub name: &'static str,
    /// One line on what it is.
    pub about: &'static str,
    /// What it shows about training without labels, in whole sentences, for a run's report. May be empty.
    pub note: &'static str,
    /// Side in pixels of the views to train on: the images' own side, or a customary one where they differ.
    pub side_px: usize,
    /// What to normalise with.
    pub statistics: Statistics,
    /// Where its images come from.
    pub location: Location,
    /// Where the Hugging Face hub has the same.
    pub hub: Option<HubSource>,
    /// The settings that it reads and that not every data set reads.
    pub settings: &'static [OwnSetting],
    /// Whether images are decoded one by one, so that single ones may be broken.
    pub(crate) may_have_broken_images: bool,
    /// Opens a split.
    pub(crate) open: fn(&OpenRequest<'_>) -> Result<Arc<dyn Dataset>>,
}

impl DatasetEntry {
    /// What its publisher packs it into.
    #[must_use]
    pub fn archive(&self) -> Option<Archive> {
        match self.location {
            Location::BelowRoot(archive) => Some(archive),
            Location::Embedded | Location::FolderAtPath | Location::FileAtPath => None,
        }
    }

    /// Whether its images are what the setting `path` names.
    #[must_use]
    pub fn reads_path(&self) -> bool {
        matches!(self.location, Location::FolderAtPath | Location::FileAtPath)
    }
}

/// Where the images of a data set come from.
#[derive(Debug, Clone, Copy)]
pub enum Location {
    /// Nowhere: they are drawn on request.
    Embedded,
    /// The folder of this archive, below the data root.
    BelowRoot(Archive),
    /// The folder that the setting `path` names.
    FolderAtPath,
    /// The file that the setting `path` names.
    FileAtPath,
}

/// Mean and standard deviation of each channel, of values in [0, 1]: what images are normalised with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Of red, green and blue.
    pub mean: [f32; 3],
    /// Of red, green and blue.
    pub std: [f32; 3],
}

impl Statistics {
    /// For data without statistics of its own: values in [-2, 2].
    pub const CENTRED: Self = Self { mean: [0.5; 3], std: [0.25; 3] };
}

/// Which part of a data set to open, and from where.
pub(crate) struct OpenRequest<'a> {
    /// The folder that holds the publishers' folders.
    pub(crate) root: &'a Path,
    /// The setting `path`.
    pub(crate) path: &'a Path,
    pub(crate) split: Split,
    pub(crate) settings: &'a OwnSettings,
    /// Called with the number of images of a folder that are listed so far.
    pub(crate) listed: &'a dyn Fn(usize),
}

/// Those of `names` that are not in `folder`.
pub(crate) fn not_there(folder: &Path, names: impl IntoIterator<Item = impl AsRef<Path>>) -> Vec<PathBuf> {
    names.into_iter().map(|name| folder.join(name)).filter(|path| !path.exists()).collect()
}
