use crate::Split;

/// Where the hub has a data set whose publisher offers files of fixed-size records, and how the hub's rows become those records.
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
