//! Lists the image files below a folder.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::{DirEntry, WalkDir};

use crate::{Error, Result};

/// Endings of the files that count as images, in lower case.
pub(crate) const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// An image file below the data set's folder. Its path from there is UTF-8, as [`list`] checks: labels and identities are made of
/// it, and a path that is not UTF-8 has no unique spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFile {
    /// Its path from the data set's folder.
    pub(crate) relative: PathBuf,
    pub(crate) size_bytes: u64,
}

impl ImageFile {
    /// The relative path as every operating system would spell it here.
    pub(super) fn relative_with_slashes(&self) -> String {
        let parts: Vec<_> = self.relative.iter().map(OsStr::to_string_lossy).collect();
        parts.join("/")
    }
}

/// What lies below a folder, at any depth.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FolderListing {
    /// The images.
    pub(super) files: Vec<ImageFile>,
    /// The folders, each with the time it last changed.
    pub(super) folders: Vec<(PathBuf, SystemTime)>,
}

impl FolderListing {
    pub(super) fn push(&mut self, relative: PathBuf, size_bytes: u64) {
        self.files.push(ImageFile { relative, size_bytes });
    }
}

/// Images between two reports of their number: a fast disk lists as many in some milliseconds.
const REPORT_EVERY: usize = 1000;

/// Lists the folder `name` of `root`: the images of a folder right behind it, before those of its sub-folders. A link that leads
/// nowhere and has an image's name is listed: reading it will fail, or be skipped. Other such links are left out. `listed_so_far` is called at every
/// [`REPORT_EVERY`]th image.
///
/// On one thread: with 100,000 files in the system's memory, several were no faster.
pub(super) fn list(root: &Path, name: &str, listed_so_far: &dyn Fn(usize)) -> Result<FolderListing> {
    let folder = root.join(name);
    let mut listed = FolderListing::default();
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
            if listed.files.len().is_multiple_of(REPORT_EVERY) {
                listed_so_far(listed.files.len());
            }
        }
    }
    Ok(listed)
}

pub(super) fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

pub(super) fn hidden(entry: &DirEntry) -> bool {
    starts_with_dot(entry.file_name())
}

pub(super) fn starts_with_dot(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Where a walk stopped at a link that leads nowhere: its path if it is to be listed as an image, which cannot be read. `None` for
/// any other error, `Some(None)` for such a link of no interest.
#[expect(clippy::option_option, reason = "no such link, one to leave out, one to list")]
pub(super) fn dangling(error: &walkdir::Error) -> Option<Option<PathBuf>> {
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
