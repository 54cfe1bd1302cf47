//! Data sets from the Hugging Face hub's parquet files, written out as their publisher lays them out.

#[cfg(feature = "hub")]
mod fetch;
#[cfg(feature = "hub")]
mod records;
#[cfg(feature = "hub")]
mod repository;

#[cfg(feature = "hub")]
pub use self::fetch::{HubOptions, fetch_from_hub};
use crate::Split;

/// Where the hub has a data set whose publisher offers files of fixed-size records, and how the one becomes the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubSource {
    /// The repository, `owner/name`.
    pub repository: &'static str,
    /// The folder of its parquet branch that holds a folder for each split: the hub calls it configuration or subset.
    pub subset: &'static str,
    /// The column of images, groups of which `bytes` is an image file.
    pub image_column: &'static str,
    /// Width and height of every image.
    pub side_px: usize,
    /// The columns of labels and their numbers of classes, at most 256, in the order of a record's label bytes.
    pub labels: &'static [(&'static str, usize)],
    /// The splits.
    pub splits: &'static [HubSplit],
    /// Files of class names and what they hold, a line each.
    pub class_names: &'static [(&'static str, &'static [&'static str])],
}

impl HubSource {
    /// The hub's own address.
    pub const ENDPOINT: &str = "https://huggingface.co";

    /// The publisher's files that `split` is read from; all but the test images are to learn from.
    pub(crate) fn published(&self, split: Split) -> &'static HubSplit {
        let (first, rest) = self.splits.split_first().expect("a source has splits");
        rest.iter().find(|other| split == Split::Test && other.name == split.name()).unwrap_or(first)
    }
}

/// A split of a [`HubSource`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubSplit {
    /// Its name on the hub.
    pub name: &'static str,
    /// The publisher's files, in order, each with its MD5 where that is known.
    pub files: &'static [(&'static str, Option<&'static str>)],
    /// Records in each of them.
    pub records: usize,
}

impl HubSplit {
    /// Number of images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.files.len() * self.records
    }
}

/// Why a row of one of the hub's files is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowProblem {
    /// The file's format is broken here.
    #[error("{reason}")]
    Unreadable {
        /// The reader's words.
        reason: String,
    },
    /// The column of images is not there, or holds something else.
    #[error("column {column} holds {got}: expected a group with the bytes of an image file")]
    NoImage {
        /// The column.
        column: &'static str,
        /// What it holds, in words.
        got: Box<str>,
    },
    /// A column of labels is not there, or holds something else.
    #[error("column {column} holds {got}: expected a whole number")]
    NoLabel {
        /// The column.
        column: &'static str,
        /// What it holds, in words.
        got: Box<str>,
    },
    /// Bytes that no decoder understands, or that are cut short.
    #[error("the image cannot be decoded: {reason}")]
    BrokenImage {
        /// The decoder's words.
        reason: String,
    },
    /// An image of another size than all of the data set have.
    #[error("the image has {width_px} x {height_px} px: expected {side_px} x {side_px}")]
    ImageSize {
        /// Its width.
        width_px: u32,
        /// Its height.
        height_px: u32,
        /// The side that it should have.
        side_px: usize,
    },
    /// A label that no class has.
    #[error("{column} is {got}: expected 0 to {}", classes - 1)]
    Label {
        /// The column.
        column: &'static str,
        /// The label found.
        got: i64,
        /// Number of classes.
        classes: usize,
    },
}
