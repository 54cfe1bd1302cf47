use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::{Error, Result};

/// Maps a whole file into memory, read only. The file must not be empty on systems that cannot map nothing; check first.
///
/// This is the only place of the crate with `unsafe`.
pub(crate) fn map(path: &Path) -> Result<Mmap> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    // SAFETY: the map is read only and private to this process. Its bytes are only ever read as `u8`, for which every bit
    // pattern is valid. What remains is that nobody may cut the file short while it is mapped; data sets are written once
    // and read afterwards, and the README asks users to replace them rather than to edit them in place.
    unsafe { Mmap::map(&file) }.map_err(io)
}
