use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::is_there;
use crate::{DataConfig, Result, entry};

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
    let Some(archive) = entry.archive else {
        let path = config.path.clone();
        return Ok(match entry.name {
            // Whatever has neither an archive nor files is drawn.
            _ if !entry.files => Presence::Embedded,
            _ if path.as_os_str().is_empty() => Presence::Unnamed,
            "pack" if !path.is_file() => Presence::Absent { path, archive: None },
            "folder" if !path.is_dir() => Presence::Absent { path, archive: None },
            _ => Presence::Whole { path },
        });
    };
    let (folder, file) = (config.root.join(archive.folder), config.root.join(archive.file));
    let part = config.root.join(format!("{}.part", archive.file));
    if is_there(&folder) {
        let missing = (entry.missing)(&folder);
        return Ok(if missing.is_empty() { Presence::Whole { path: folder } } else { Presence::Incomplete { folder, missing } });
    }
    Ok(match (size(&file), size(&part)) {
        (Some(bytes), _) => Presence::Packed { archive: file, bytes, of_bytes: archive.bytes },
        (None, Some(bytes)) => Presence::Begun { part, bytes, of_bytes: archive.bytes },
        (None, None) => Presence::Absent { path: folder, archive: Some(file) },
    })
}

/// Those of `names` that are not in `folder`.
pub(crate) fn not_there(folder: &Path, names: impl IntoIterator<Item = impl AsRef<Path>>) -> Vec<PathBuf> {
    names.into_iter().map(|name| folder.join(name)).filter(|path| !path.exists()).collect()
}
