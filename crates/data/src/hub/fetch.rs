use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::records::write_split;
use super::repository::{HubOptions, Repository};
use super::source::HubSource;
use crate::archive::{is_there_whole, put_in_place, remove_leftovers};
use crate::{Archive, Error, Progress, Result, Work};

/// Below the data root: what came from the hub, as its own tools lay it out.
const CACHE: &str = "hub";

/// Gets the data set from the hub and writes it to `root/<archive.folder>` as its publisher lays it out; returns the folder.
///
/// `archive` is the same data set as its publisher packs it. What is there already is not done again: neither the folder, nor
/// files of the hub below `root/hub`, nor the beginning of one. Every file is checked against the hub's SHA-256; where a mirror sends
/// none, a warning through `tracing` says so, and only the rows are checked. Every row must be a record: a wrong number of rows, an image that cannot be decoded or has another size, and a label that no class has
/// are errors with file and row. The folder appears whole or not at all.
///
/// The hub need not keep the publisher's order. A file of records is recognised by its MD5 wherever it lies among the rows, and
/// gets its name; then the folder holds the publisher's very bytes. Records that are not recognised keep the hub's order, and a
/// warning through `tracing` says so.
///
/// The hub's token is not used, and the home folder not looked at.
///
/// # Errors
/// [`Error::Incomplete`] where the folder is there and lacks something; [`Error::Hub`], with what to do without it;
/// [`Error::Download`]; [`Error::Checksum`] for a file that lay there; [`Error::HubRows`], [`Error::HubRow`]; [`Error::Io`] or [`Error::Write`].
pub fn fetch_from_hub(
    source: &HubSource,
    archive: &Archive,
    root: &Path,
    options: &HubOptions,
    progress: &dyn Fn(Progress),
) -> Result<PathBuf> {
    let target = root.join(archive.folder);
    if is_there_whole(archive, root)? {
        return Ok(target);
    }
    let cache = root.join(CACHE);
    fs::create_dir_all(&cache).map_err(|source| Error::Write { path: cache.clone(), source })?;
    // Held to the end: of several processes one does the work, and the others find it done.
    let lock_path = cache.join(format!("{}.lock", archive.folder));
    let lock = File::create(&lock_path).map_err(|source| Error::Write { path: lock_path, source })?;
    let alone = lock.lock().is_ok();
    if is_there_whole(archive, root)? {
        return Ok(target);
    }
    let prefix = format!(".writing-{}-", archive.folder);
    if alone {
        remove_leftovers(root, &prefix)?;
    }

    let tables = Repository { source, archive, root, cache: &cache, options, progress }.tables()?;

    let write_error = |source| Error::Write { path: root.to_owned(), source };
    let temporary = tempfile::Builder::new().prefix(&prefix).tempdir_in(root).map_err(write_error)?;
    let folder = temporary.path().join(archive.folder);
    fs::create_dir(&folder).map_err(write_error)?;
    let record_bytes = (source.labels.len() + 3 * source.side_px * source.side_px) as u64;
    let of_bytes = record_bytes * source.splits.iter().map(|split| split.images() as u64).sum::<u64>();
    let mut written = 0;
    for split in source.splits {
        let tables: Vec<_> = tables.iter().filter(|table| table.split == split.name).collect();
        write_split(source, split, &tables, &folder, &mut |bytes| {
            written += bytes as u64;
            progress(Progress { work: Work::Unpack, done_bytes: written, of_bytes });
        })?;
    }
    for (name, names) in source.class_names {
        let path = folder.join(name);
        let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
        fs::write(&path, lines).map_err(|source| Error::Write { path, source })?;
    }
    put_in_place(&folder, &target, root)?;
    Ok(target)
}
