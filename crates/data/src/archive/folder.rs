//! The folder of a data set: whether it is there, and how it appears whole or not at all.

#[cfg(feature = "archives")]
use std::fs::{self, File};
use std::path::Path;

#[cfg(feature = "archives")]
use rayon::prelude::*;
#[cfg(feature = "archives")]
use walkdir::WalkDir;

#[cfg(feature = "fetch")]
use super::description::Archive;
#[cfg(feature = "archives")]
use crate::sync::sync_folder;
#[cfg(feature = "archives")]
use crate::{Error, Result};

/// Whether something has this name, a dangling link included.
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether the data set's folder is there, with all that belongs into it as far as names tell.
///
/// # Errors
/// [`Error::Incomplete`] where it is there and something of it is not.
#[cfg(feature = "fetch")]
pub(crate) fn is_there_whole(archive: &Archive, root: &Path) -> Result<bool> {
    let folder = root.join(archive.folder);
    if !is_there(&folder) {
        return Ok(false);
    }
    let missing = if folder.is_dir() { (archive.missing)(&folder) } else { Vec::new() };
    if folder.is_dir() && missing.is_empty() { Ok(true) } else { Err(Error::Incomplete { folder, missing }) }
}

/// Gives a folder that was written elsewhere below `root` its name there, once all of it is on the disk.
#[cfg(feature = "archives")]
pub(crate) fn put_in_place(written: &Path, target: &Path, root: &Path) -> Result<()> {
    flush(written)?;
    match fs::rename(written, target) {
        // Where files cannot be locked, another process may have been faster.
        Err(_) if target.is_dir() => {}
        renamed => renamed.map_err(|source| Error::Write { path: target.to_owned(), source })?,
    }
    sync_folder(root).map_err(|source| Error::Write { path: root.to_owned(), source })
}

/// Removes what a process that was killed on the way to [`put_in_place`] has left.
#[cfg(feature = "archives")]
pub(crate) fn remove_leftovers(root: &Path, prefix: &str) -> Result<()> {
    let io = |source| Error::Io { path: root.to_owned(), source };
    for entry in fs::read_dir(root).map_err(io)? {
        let entry = entry.map_err(io)?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
            fs::remove_dir_all(entry.path()).map_err(|source| Error::Write { path: entry.path(), source })?;
        }
    }
    Ok(())
}

/// Every file and folder below, onto the disk. In parallel, since a file system joins flushes that come together.
#[cfg(feature = "archives")]
fn flush(folder: &Path) -> Result<()> {
    let entries: Vec<_> = WalkDir::new(folder).into_iter().collect::<Result<_, _>>().map_err(|error| {
        let path = error.path().unwrap_or(folder).to_owned();
        Error::Io { path, source: error.into() }
    })?;
    entries.par_iter().try_for_each(|entry| {
        let synced = if entry.file_type().is_dir() {
            sync_folder(entry.path())
        } else {
            File::options().write(true).open(entry.path()).and_then(|file| file.sync_all())
        };
        synced.map_err(|source| Error::Write { path: entry.path().to_owned(), source })
    })
}
