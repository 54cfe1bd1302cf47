use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::Mmap;

use crate::{Error, Result};

/// Bytes from which on a file is large: what was read of it is given back to the system now and then.
const LARGE: usize = 256 << 20;
/// Bytes read of a large file from one giving back to the next. The system maps a few times as much around them.
const READ: usize = 16 << 20;

/// A whole file mapped into memory, read only. However much of a large one is read, little of it counts as the program's memory, as
/// long as readers report what they [`have read`](MappedFile::have_read).
#[derive(Debug)]
pub(crate) struct MappedFile {
    map: Mmap,
    read: AtomicUsize,
}

/// Maps a file. It must not be empty on systems that cannot map nothing; check first.
///
/// This is the only module of the crate with `unsafe`.
pub(crate) fn map(path: &Path) -> Result<MappedFile> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    // SAFETY: the map is read only. Its bytes are only ever read as `u8`, for which every bit pattern is valid. What remains is that
    // nobody may cut the file short while it is mapped; data sets are written once and read afterwards, and the README asks users
    // to replace them rather than to edit them in place.
    let map = unsafe { Mmap::map(&file) }.map_err(io)?;
    Ok(MappedFile { map, read: AtomicUsize::new(0) })
}

impl MappedFile {
    /// Counts `bytes` that were read. They need not have been let go of: what is given back is read from the file again.
    pub(crate) fn have_read(&self, bytes: usize) {
        if self.map.len() < LARGE {
            return;
        }
        let before = self.read.fetch_add(bytes, Ordering::Relaxed);
        if before / READ != before.wrapping_add(bytes) / READ {
            self.give_back();
        }
    }

    /// Takes the pages out of this process. They stay in the system's cache of files, as long as it has room.
    #[cfg(unix)]
    fn give_back(&self) {
        // A system that does not listen keeps more in memory, and nothing else is lost.
        // SAFETY: of a read-only map of a file, the system fetches a page again when it is next read, with the same bytes.
        _ = unsafe { self.map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }

    #[cfg(not(unix))]
    fn give_back(&self) {}
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
