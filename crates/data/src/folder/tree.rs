use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::{DirEntry, WalkDir};

use super::index::list_with_index;
use crate::{Error, Result};

/// Endings of the files that count as images, in lower case.
pub(super) const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// An image file below the data set's folder. Its path from there is UTF-8, as [`list`] checks: labels and identities are made of
/// it, and what is no text has no spelling of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageFile {
    /// Its path from the data set's folder.
    pub(super) relative: PathBuf,
    pub(super) size_bytes: u64,
}

impl ImageFile {
    /// The relative path as every operating system would spell it here.
    pub(super) fn relative_with_slashes(&self) -> String {
        let parts: Vec<_> = self.relative.iter().map(OsStr::to_string_lossy).collect();
        parts.join("/")
    }
}

/// The images of one folder.
pub(super) enum Tree {
    /// Loose images, by path.
    Flat(Vec<ImageFile>),
    /// The images of each class, classes by name, images by path.
    Classes(Vec<(String, Vec<ImageFile>)>),
}

impl Tree {
    /// Reads the folder `name` below `root` (`root` itself where it is empty).
    pub(super) fn read(root: &Path, name: &str, lister: Lister<'_>) -> Result<Self> {
        let files = all_images(root, name, lister)?;
        let depth = Path::new(name).components().count();
        // A loose image has nothing but its file name below the folder.
        let class = |file: &ImageFile| {
            let parts: Vec<_> = file.relative.iter().skip(depth).collect();
            (parts.len() > 1).then(|| parts[0].to_string_lossy().into_owned())
        };
        let loose = files.iter().find(|file| class(file).is_none());
        let classed = files.iter().find_map(class);
        match (loose, classed) {
            (_, None) => Ok(Self::Flat(files)),
            (Some(loose), Some(class)) => Err(Error::MixedFolder {
                path: root.join(name),
                loose: loose.relative.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                class,
            }),
            (None, Some(_)) => {
                let mut classes: Vec<(String, Vec<ImageFile>)> = Vec::new();
                for file in files {
                    let name = class(&file).unwrap_or_default();
                    match classes.last_mut() {
                        // The files come sorted, so a class's are together.
                        Some((last, files)) if *last == name => files.push(file),
                        _ => classes.push((name, vec![file])),
                    }
                }
                Ok(Self::Classes(classes))
            }
        }
    }
}

/// What lies below a folder, at any depth.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Listed {
    /// The images.
    pub(super) files: Vec<ImageFile>,
    /// The folders, each with the time it last changed.
    pub(super) folders: Vec<(PathBuf, SystemTime)>,
}

impl Listed {
    pub(super) fn push(&mut self, relative: PathBuf, size_bytes: u64) {
        self.files.push(ImageFile { relative, size_bytes });
    }
}

/// How folders are listed.
#[derive(Clone, Copy)]
pub(crate) struct Lister<'a> {
    /// Whether the list is taken from the index of an earlier call where no folder has changed.
    pub(crate) index: bool,
    /// Told the number of images so far, now and then and at the end.
    pub(crate) listed: &'a dyn Fn(usize),
}

/// Images between two words on how many there are: a fast disk lists as many in some milliseconds.
const TELL_EVERY: usize = 1000;

/// Every image below the folder `name` of `root`, at any depth, sorted by path; at least one.
pub(super) fn all_images(root: &Path, name: &str, lister: Lister<'_>) -> Result<Vec<ImageFile>> {
    let Lister { index, listed } = lister;
    let Listed { mut files, .. } = if index { list_with_index(root, name, listed)? } else { list(root, name, listed)? };
    listed(files.len());
    if files.is_empty() {
        let extensions = EXTENSIONS.map(|extension| format!(".{extension}")).join(", ");
        return Err(Error::EmptyFolder { path: root.join(name), extensions });
    }
    // By components, and so class by class: as strings, "a-b/1" would come between "a/1" and "a/2".
    files.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(files)
}

/// Lists the folder `name` of `root`: the images of a folder right behind it, before those of its sub-folders. A link that leads
/// nowhere and has an image's name is listed: reading it will fail, or be skipped. Other such links are left out. `tell` hears of every
/// [`TELL_EVERY`]th image.
///
/// On one thread: with 100,000 files in the system's memory, several were no faster.
pub(super) fn list(root: &Path, name: &str, tell: &dyn Fn(usize)) -> Result<Listed> {
    let folder = root.join(name);
    let mut listed = Listed::default();
    let from_root = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_owned();
    let relative = |path: &Path| {
        let relative = from_root(path);
        if relative.to_str().is_some() { Ok(relative) } else { Err(Error::NameNotText { path: path.to_owned() }) }
    };
    let entries = WalkDir::new(&folder)
        .follow_links(true)
        .sort_by_key(|entry| entry.file_type().is_dir())
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !hidden(entry));
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                if let Some(image) = dangling(&error).ok_or_else(|| io_error(&folder, error))? {
                    listed.push(relative(&image)?, 0);
                }
                continue;
            }
        };
        if entry.file_type().is_dir() {
            let metadata = entry.metadata().map_err(|source| io_error(&folder, source))?;
            // Not every system keeps the time: then the epoch, which an index never takes for fresh.
            listed.folders.push((from_root(entry.path()), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
        } else if entry.file_type().is_file() && is_image(entry.path()) {
            let size_bytes = entry.metadata().map_err(|source| io_error(&folder, source))?.len();
            listed.push(relative(entry.path())?, size_bytes);
            if listed.files.len().is_multiple_of(TELL_EVERY) {
                tell(listed.files.len());
            }
        }
    }
    Ok(listed)
}

/// What the folder of test images may be called, the likeliest to be held back for scores first.
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

/// `Training/` beside `Testing/` would be two classes, of which a probe then tells one from the other.
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

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

fn hidden(entry: &DirEntry) -> bool {
    starts_with_dot(entry.file_name())
}

fn starts_with_dot(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Where a walk stopped at a link that leads nowhere: its path if it is to be listed as an image, which cannot be read. `None` for
/// any other error, `Some(None)` for such a link of no interest.
#[expect(clippy::option_option, reason = "no such link, one to leave out, one to list")]
fn dangling(error: &walkdir::Error) -> Option<Option<PathBuf>> {
    let path = error.path()?;
    let not_found = error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound);
    let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    let image = || is_image(path) && !path.file_name().is_some_and(starts_with_dot);
    (not_found && is_link).then(|| image().then(|| path.to_owned()))
}

fn io_error(folder: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(folder).to_owned();
    Error::Io { path, source: error.into() }
}
