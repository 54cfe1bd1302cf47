//! Tells a run folder from other folders, before anything is opened, created in its place or removed.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::layout::{CHECKPOINTS, CONFIG, ENTRIES, METRICS, PROVENANCE, SUBFOLDERS};
use crate::atomic::{TEMP_PREFIX, TEMP_SUFFIX};
use crate::{Error, Result};

pub(super) fn is_run(path: &Path) -> bool {
    path.join(CONFIG).is_file()
}

pub(super) fn is_leftover(name: &str) -> bool {
    name.starts_with(TEMP_PREFIX) && name.ends_with(TEMP_SUFFIX)
}

/// Whether no process writes the file any more: they hold a lock. Where files cannot be locked, none is taken for one that is written.
pub(super) fn is_abandoned(path: &Path) -> bool {
    let opened = File::options().write(true).open(path);
    !opened.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Missing, empty, or left by a process that died before it wrote a configuration.
pub(super) fn is_unused(path: &Path) -> Result<bool> {
    for (name, entry) in entries(path)? {
        let ours = SUBFOLDERS.contains(&name.as_str()) && entry.is_dir() && entries(&entry)?.is_empty();
        if !ours && !is_leftover(&name) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What keeps a folder from being recognised as a run; `None` for a run.
pub(super) fn why_no_run(path: &Path) -> Result<Option<String>> {
    let entries = entries(path)?;
    let stranger = entries.iter().find(|(name, _)| !ENTRIES.contains(&name.as_str()) && !is_leftover(name));
    if let Some((name, _)) = stranger {
        return Ok(Some(format!("it holds {name}")));
    }
    if !is_run(path) {
        return Ok(Some(format!("it has no {CONFIG}")));
    }
    // A config.toml beside a folder of figures could be anybody's; these names could not.
    let telling = [PROVENANCE, METRICS, CHECKPOINTS];
    let found = entries.iter().any(|(name, _)| telling.contains(&name.as_str()) || is_leftover(name));
    Ok((!found).then(|| format!("it has none of {}", telling.join(", "))))
}

/// Removes what a run holds, but not the folder itself, which may be a mount point or a link. Wherever the removal is cut short,
/// what it leaves is recognised.
pub(super) fn empty(path: &Path) -> Result<()> {
    for entry in in_order_of_removal(path)? {
        let is_folder = fs::symlink_metadata(&entry).map_err(Error::io("read", &entry))?.is_dir();
        let removed = if is_folder { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) };
        removed.map_err(Error::io("remove", &entry))?;
    }
    Ok(())
}

/// What a run holds, `config.toml` second to last: without it there is no run. Last comes a file that is made here, and by whose
/// name the rest is known where all other telling ones are gone; alone it counts as nothing.
pub(super) fn in_order_of_removal(path: &Path) -> Result<Vec<PathBuf>> {
    let mark = format!("{TEMP_PREFIX}emptied{TEMP_SUFFIX}");
    let marked = path.join(&mark);
    fs::write(&marked, b"").map_err(Error::io("write", &marked))?;
    let mut entries = entries(path)?;
    entries.sort_by_key(|(name, _)| (*name == mark, name == CONFIG));
    Ok(entries.into_iter().map(|(_, path)| path).collect())
}

/// Names and paths of a folder's entries, sorted; none for a folder that is missing.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::io("list", folder))?,
    };
    let mut entries = Vec::new();
    for entry in listing {
        let entry = entry.map_err(Error::io("list", folder))?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    entries.sort();
    Ok(entries)
}

/// The runs beside `path` and in a `runs` folder beside it.
pub(super) fn runs_nearby(path: &Path) -> Vec<PathBuf> {
    let parent = path.parent().unwrap_or(Path::new(""));
    let here = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let beside = entries(here).unwrap_or_default().into_iter().map(|(name, _)| parent.join(name));
    let in_runs = entries(&here.join("runs")).unwrap_or_default().into_iter();
    let in_runs = in_runs.map(|(name, _)| parent.join("runs").join(name));
    beside.chain(in_runs).filter(|candidate| is_run(candidate)).collect()
}

/// Names of the files with that extension, without it, sorted; leftovers are none.
pub(super) fn names_with_extension(folder: &Path, extension: &str) -> Result<Vec<String>> {
    let files = entries(folder)?.into_iter().filter(|(name, path)| !is_leftover(name) && path.is_file());
    let names = files.filter_map(|(name, _)| Some(name.strip_suffix(extension)?.strip_suffix('.')?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    Ok(names)
}
