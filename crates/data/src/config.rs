use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Difficulty, ShapesOptions, Split, catalogue};

/// Which data set, as a configuration file's `[data]` says it. [`open`](crate::open) makes a data set of it.
///
/// ```toml
/// dataset = "cifar10"
/// root = "datasets"
/// limit = 5000
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// A name out of [`catalogue`](crate::catalogue). Default `shapes`: it needs no download.
    pub dataset: String,
    /// The folder that holds the publishers' folders, such as `cifar-10-batches-bin`. Default `datasets`.
    pub root: PathBuf,
    /// The folder of images, for `dataset = "folder"`; the file, for `dataset = "pack"`.
    pub path: PathBuf,
    /// The part to train on. Default `train`.
    pub split: Split,
    /// Takes only the first `limit` images of that split, not of the others: scores still come from the whole test split.
    /// Default 0: all.
    pub limit: usize,
    /// Takes that many images out of the training split, each class its share, to choose settings by: training goes without
    /// them, and scores come from them in the place of the test split, which stays unseen. Default 0: none.
    pub validation: usize,
    /// Which images those are. Default 1. Not the run's seed, so that runs of several seeds are scored on the same ones.
    pub validation_seed: u64,
    /// For `dataset = "shapes"`: `plain` (the default) or `hard`.
    pub difficulty: Difficulty,
    /// For `dataset = "shapes"`: another seed, other images. Default 1.
    pub shapes_seed: u64,
    /// For `dataset = "stl10"`: trains on one of the publisher's ten folds of 1,000 images, 1 to 10. Default 0: all 5,000.
    pub stl10_fold: usize,
    /// For images in files: keeps the list of them for the next opening, as
    /// [`FolderOptions::index`](crate::FolderOptions::index) says. Default false.
    pub index: bool,
    /// For `dataset = "folder"`: decodes JPEGs at a half, a quarter or an eighth of their size, as long as both sides keep that
    /// many pixels, as [`FolderOptions::jpeg_side_px`](crate::FolderOptions::jpeg_side_px) says. Default 0: whole, since small
    /// crops live on detail; needs the feature `jpeg-turbo`.
    pub jpeg_side_px: u32,
    /// What to do with image files that cannot be read. Default `error`.
    pub on_bad_image: OnBadImage,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            dataset: "shapes".to_owned(),
            root: PathBuf::from("datasets"),
            path: PathBuf::new(),
            split: Split::Train,
            limit: 0,
            validation: 0,
            validation_seed: 1,
            difficulty: Difficulty::default(),
            shapes_seed: ShapesOptions::default().seed,
            stl10_fold: 0,
            index: false,
            jpeg_side_px: 0,
            on_bad_image: OnBadImage::default(),
        }
    }
}

impl DataConfig {
    /// The settings that are not at their defaults although this data set does not read them: most likely meant for another.
    #[must_use]
    pub fn unread(&self) -> Vec<&'static str> {
        let default = Self::default();
        let read_by = |names: &[&str]| names.contains(&self.dataset.as_str());
        let in_files = catalogue().iter().any(|entry| entry.name == self.dataset && entry.files);
        let set_and_unread = [
            ("path", self.path != default.path && !read_by(&["folder", "pack"])),
            ("difficulty", self.difficulty != default.difficulty && !read_by(&["shapes"])),
            ("shapes_seed", self.shapes_seed != default.shapes_seed && !read_by(&["shapes"])),
            ("stl10_fold", self.stl10_fold != default.stl10_fold && !read_by(&["stl10"])),
            ("index", self.index && !in_files),
            ("jpeg_side_px", self.jpeg_side_px != default.jpeg_side_px && !read_by(&["folder"])),
        ];
        set_and_unread.into_iter().filter(|(_, unread)| *unread).map(|(name, _)| name).collect()
    }
}

/// What to do with image files that cannot be read, at the opening of a data set. What a loader does with an image that turns out
/// broken later is another matter: `relata_augment::OnBadImage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadImage {
    /// Stop with an error when the image is asked for.
    #[default]
    Error,
    /// Read every file once when the data set is opened, and leave out, with a warning each, those that cannot be read.
    Skip,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_another_data_set_are_named() {
        let of = |dataset: &str| DataConfig {
            dataset: dataset.to_owned(),
            path: "photos".into(),
            difficulty: Difficulty::Hard,
            shapes_seed: 7,
            stl10_fold: 3,
            index: true,
            jpeg_side_px: 96,
            ..DataConfig::default()
        };
        assert_eq!(of("cifar10").unread(), ["path", "difficulty", "shapes_seed", "stl10_fold", "index", "jpeg_side_px"]);
        assert_eq!(of("shapes").unread(), ["path", "stl10_fold", "index", "jpeg_side_px"]);
        assert_eq!(of("stl10").unread(), ["path", "difficulty", "shapes_seed", "index", "jpeg_side_px"]);
        assert_eq!(of("folder").unread(), ["difficulty", "shapes_seed", "stl10_fold"]);
        assert_eq!(of("tiny").unread(), ["path", "difficulty", "shapes_seed", "stl10_fold", "jpeg_side_px"]);
        assert!(DataConfig::default().unread().is_empty());
    }
}
