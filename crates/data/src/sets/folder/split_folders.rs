//! Which sub-folders of a folder are splits.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use super::listing::{dangling, hidden, is_image, starts_with_dot};
use crate::{Error, Result};

/// What the folder of test images may be called. Of several, the first in this list is read.
pub(super) const TEST_FOLDERS: [&str; 4] = ["test", "val", "valid", "validation"];

/// What folders of splits are called, here or elsewhere, in lower case.
const SPLIT_NAMES: [&str; 10] =
    ["train", "training", "test", "testing", "val", "valid", "validation", "eval", "unlabelled", "unlabeled"];

pub(super) fn names_a_split(folder: &str) -> bool {
    SPLIT_NAMES.contains(&folder.to_lowercase().as_str())
}

/// Whether the folder holds splits: `train/` beside one of [`TEST_FOLDERS`], or `train/` as its only folder with images.
pub(super) fn holds_splits(root: &Path) -> Result<bool> {
    let has_train = has_folder(root, "train");
    if has_train && TEST_FOLDERS.iter().any(|name| has_folder(root, name)) {
        return Ok(true);
    }
    let folders = folders_of(root)?;
    if !has_train {
        refuse_splits_by_other_names(root, &folders)?;
        return Ok(false);
    }
    let may_be_class = |folder: &&String| !["train", "unlabelled", "unlabeled"].contains(&folder.as_str());
    Ok(!folders.iter().filter(may_be_class).any(|folder| holds_image(&root.join(folder))))
}

/// `Training/` beside `Testing/` would be two classes, and a probe would learn to separate them.
fn refuse_splits_by_other_names(root: &Path, folders: &[String]) -> Result<()> {
    let (splits, others): (Vec<_>, Vec<_>) = folders.iter().partition(|folder| names_a_split(folder));
    if splits.len() < 2 {
        return Ok(());
    }
    let with_images = |folders: Vec<&String>| -> Vec<String> {
        folders.into_iter().filter(|folder| holds_image(&root.join(folder))).cloned().collect()
    };
    let splits = with_images(splits);
    if splits.len() > 1 && with_images(others).is_empty() {
        return Err(Error::SplitNames { path: root.to_owned(), folders: splits.join(", ") });
    }
    Ok(())
}

/// The folders in a folder, by name, without the hidden ones.
fn folders_of(root: &Path) -> Result<Vec<String>> {
    let io = |source| Error::Io { path: root.to_owned(), source };
    let mut folders = Vec::new();
    for entry in fs::read_dir(root).map_err(io)? {
        let entry = entry.map_err(io)?;
        let kind = entry.file_type().map_err(io)?;
        let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        if is_folder && !starts_with_dot(&entry.file_name()) {
            folders.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    folders.sort();
    Ok(folders)
}

/// Whether an image lies anywhere below, up to the first one. What cannot be looked at is for the listing to say.
fn holds_image(folder: &Path) -> bool {
    let entries = WalkDir::new(folder).follow_links(true).into_iter();
    entries.filter_entry(|entry| entry.depth() == 0 || !hidden(entry)).any(|entry| match entry {
        Ok(entry) => entry.file_type().is_file() && is_image(entry.path()),
        Err(error) => matches!(dangling(&error), Some(Some(_))),
    })
}

/// Whether there is a folder of that name.
pub(super) fn has_folder(root: &Path, name: &str) -> bool {
    root.join(name).is_dir()
}
