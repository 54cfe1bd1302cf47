//! The layouts that a folder of the user's own may have.

use std::path::Path;

use super::labelled_files::{LabelledFiles, labelled, list_labelled, list_unlabelled, unlabelled};
use super::options::FolderOptions;
use super::split_folders::{TEST_FOLDERS, has_folder, holds_splits, names_a_split};
use super::tree::{Lister, Tree};
use crate::{Error, Result, Split};

/// The images of the split that `options` name, in whichever layout the folder has.
pub(super) fn list_split(root: &Path, options: &FolderOptions, lister: Lister<'_>) -> Result<LabelledFiles> {
    if !holds_splits(root)? {
        return list_plain(root, options, lister);
    }
    match options.split {
        Split::Train => list_labelled(root, "train", None, lister),
        Split::Test => {
            let Some(test) = TEST_FOLDERS.into_iter().find(|name| has_folder(root, name)) else {
                let reason = format!("it holds train/, but none of {}/", TEST_FOLDERS.join("/, "));
                return Err(Error::NoSuchSplit { path: root.to_owned(), split: Split::Test, reason });
            };
            list_labelled(root, test, Some("train"), lister)
        }
        Split::Unlabelled => {
            let own = ["unlabelled", "unlabeled"].into_iter().find(|name| has_folder(root, name));
            list_unlabelled(root, own.unwrap_or("train"), lister)
        }
    }
}

/// A folder without split folders.
fn list_plain(root: &Path, options: &FolderOptions, lister: Lister<'_>) -> Result<LabelledFiles> {
    if options.split == Split::Unlabelled {
        return list_unlabelled(root, "", lister);
    }
    let no_test = |reason: String| Error::NoSuchSplit { path: root.to_owned(), split: Split::Test, reason };
    let every = options.test_every;
    match Tree::read(root, "", lister)? {
        Tree::Flat(_) if options.split == Split::Test => {
            Err(no_test("its images have no classes; put them into class folders, or into train/ and test/".to_owned()))
        }
        Tree::Flat(files) => Ok(unlabelled(files)),
        Tree::Classes(mut classes) => {
            // `Train/cat` and `Train/dog` with nothing beside them would be one class.
            if let [(only, files)] = &classes[..]
                && names_a_split(only)
                && files.iter().all(|file| file.relative.components().count() > 2)
            {
                return Err(Error::SplitNames { path: root.to_owned(), folders: only.clone() });
            }
            for (_, files) in &mut classes {
                let mut nth = 0;
                files.retain(|_| {
                    nth += 1;
                    (nth % every == 0) == (options.split == Split::Test)
                });
            }
            let listing = labelled(classes);
            if listing.files.is_empty() {
                return Err(no_test(format!(
                    "every {every}th image of a class is held out, but no class has that many; put them into train/ and test/"
                )));
            }
            Ok(listing)
        }
    }
}
