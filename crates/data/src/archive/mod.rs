//! Data sets straight from their publishers' archives.

mod checksum;
#[cfg(feature = "fetch")]
mod fetch;
#[cfg(feature = "archives")]
mod unpack;

use std::path::Path;

pub use self::checksum::Checksum;
#[cfg(feature = "hub")]
pub(crate) use self::checksum::{check, hexadecimal};
#[cfg(feature = "hub")]
pub(crate) use self::fetch::{Download, agent_builder, answered_with, header, is_final};
#[cfg(feature = "fetch")]
pub use self::fetch::{FetchOptions, fetch};
#[cfg(feature = "archives")]
pub use self::unpack::{UnpackLimits, unpack};
#[cfg(feature = "hub")]
pub(crate) use self::unpack::{put_in_place, remove_leftovers};
use crate::{DataConfig, Result, entry};

/// A data set as its publisher packs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archive {
    /// The file's name; its ending, `.tar.gz`, `.tgz` or `.zip`, says what it is.
    pub file: &'static str,
    /// The folder inside that the data set is read from. Whatever else the archive holds is left packed.
    pub folder: &'static str,
    /// Where the publisher offers it; `None` where there is nothing that could be read as it is.
    pub url: Option<&'static str>,
    /// Its MD5 in hexadecimal digits, where the publisher gives one.
    pub md5: Option<&'static str>,
    /// Its size, where it is known.
    pub bytes: Option<u64>,
}

impl Archive {
    /// What the archive's bytes must come to, where that is known.
    #[must_use]
    pub fn checksum(&self) -> Option<Checksum> {
        self.md5.map(|digits| Checksum::Md5(digits.to_owned()))
    }
}

/// How far the work on an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is done.
    pub work: Work,
    /// Bytes so far, of the archive.
    pub done_bytes: u64,
    /// Bytes of the whole archive; 0 where the server does not say.
    pub of_bytes: u64,
}

/// What is done with an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// It is downloaded.
    Download,
    /// Its checksum is computed.
    Verify,
    /// It is unpacked.
    Unpack,
}

/// Unpacks the data set's archive if that lies in the root and the folder does not; says whether it did.
///
/// [`open`](crate::open) does the same without a word on its progress. Without the feature `archives` this does nothing, and
/// the data set will say that its folder is missing.
///
/// # Errors
/// As [`entry`] and `unpack`.
pub fn unpack_if_needed(config: &DataConfig, progress: &dyn Fn(Progress)) -> Result<bool> {
    let Some(archive) = entry(&config.dataset)?.archive else { return Ok(false) };
    if is_there(&config.root.join(archive.folder)) || !config.root.join(archive.file).is_file() {
        return Ok(false);
    }
    #[cfg(feature = "archives")]
    {
        unpack(&archive, &config.root, &UnpackLimits::default(), progress)?;
        Ok(true)
    }
    #[cfg(not(feature = "archives"))]
    {
        let _ = progress;
        Ok(false)
    }
}

/// Whether the data set's folder is there, with all that belongs into it as far as names tell.
///
/// # Errors
/// [`Error::Incomplete`](crate::Error::Incomplete) where it is there and something of it is not.
#[cfg(feature = "fetch")]
pub(crate) fn is_there_whole(archive: &Archive, root: &Path) -> Result<bool> {
    let folder = root.join(archive.folder);
    if !is_there(&folder) {
        return Ok(false);
    }
    let is_known = |entry: &&crate::Entry| entry.archive.is_some_and(|known| known.folder == archive.folder);
    let known = crate::catalogue().iter().find(is_known).filter(|_| folder.is_dir());
    let missing = known.map_or_else(Vec::new, |entry| (entry.missing)(&folder));
    if folder.is_dir() && missing.is_empty() { Ok(true) } else { Err(crate::Error::Incomplete { folder, missing }) }
}

/// Whether something has this name, a dangling link included.
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
