use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::is_there;
use crate::{DataConfig, Location, Result, entry};

/// What of a data set is on disk: see [`presence`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It needs no files.
    Embedded,
    /// The setting that would say where it is, `path`, is empty.
    Unnamed,
    /// All that must be there is there.
    Whole {
        /// Its folder, or its file.
        path: PathBuf,
    },
    /// Its folder is there, but not all that belongs into it. Splits that need nothing of what is missing can be opened.
    Incomplete {
        /// The folder.
        folder: PathBuf,
        /// The files and folders that are not in it.
        missing: Vec<PathBuf>,
    },
    /// The publisher's archive is there, which is unpacked when the data set is opened.
    Packed {
        /// The archive.
        archive: PathBuf,
        /// Its size.
        bytes: u64,
        /// The size of the published one, where that is known.
        of_bytes: Option<u64>,
    },
    /// The beginning of the archive is there, from a download that goes on from it.
    Begun {
        /// The beginning.
        part: PathBuf,
        /// Its size.
        bytes: u64,
        /// The size of all of it, where that is known.
        of_bytes: Option<u64>,
    },
    /// Nothing of it is there.
    Absent {
        /// The folder, or the file, that was looked for.
        path: PathBuf,
        /// The archive that would have done.
        archive: Option<PathBuf>,
    },
}

/// Looks whether the data set that `config` names is on disk, by names and sizes alone: no image is read, and no folder listed.
///
/// That something is there says nothing of its content; [`verify`](crate::verify) reads it.
///
/// # Errors
/// As [`entry`].
pub fn presence(config: &DataConfig) -> Result<Presence> {
    let entry = entry(&config.dataset)?;
    let size = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len());
    let archive = match entry.location {
        Location::BelowRoot(archive) => archive,
        Location::Embedded => return Ok(Presence::Embedded),
        Location::FolderAtPath => return Ok(at_path(config, Path::is_dir)),
        Location::FileAtPath => return Ok(at_path(config, Path::is_file)),
    };
    let (folder, file) = (config.root.join(archive.folder), config.root.join(archive.file));
    let part = config.root.join(format!("{}.part", archive.file));
    if is_there(&folder) {
        let missing = (archive.missing)(&folder);
        return Ok(if missing.is_empty() { Presence::Whole { path: folder } } else { Presence::Incomplete { folder, missing } });
    }
    Ok(match (size(&file), size(&part)) {
        (Some(bytes), _) => Presence::Packed { archive: file, bytes, of_bytes: archive.bytes },
        (None, Some(bytes)) => Presence::Begun { part, bytes, of_bytes: archive.bytes },
        (None, None) => Presence::Absent { path: folder, archive: Some(file) },
    })
}

/// Of a data set that the setting `path` names.
fn at_path(config: &DataConfig, is_there: fn(&Path) -> bool) -> Presence {
    let path = config.path.clone();
    if path.as_os_str().is_empty() {
        Presence::Unnamed
    } else if is_there(&path) {
        Presence::Whole { path }
    } else {
        Presence::Absent { path, archive: None }
    }
}
