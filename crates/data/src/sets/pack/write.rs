//! Packing.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Error as IoError, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::layout::{HEADER_BYTES, Header, NO_LABEL};
use crate::sync::sync_folder;
use crate::{Dataset, Error, Image, Result, Split};

/// What [`pack`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackSummary {
    /// Number of images; one that several splits hold is written, and counted, once.
    pub images: usize,
    /// Size of the file.
    pub bytes: u64,
}

/// Writes the images of `splits`, decoded, into one file that [`Pack`](super::Pack) reads.
///
/// Images are decoded on all of rayon's threads and written in order, so that the file's bytes do not depend on the threads. They are
/// written beside `path` and renamed when all of them are on disk: the file is the old one or the whole new one. What a process has left
/// that was killed on the way, the next that packs to `path` removes. Images that have the same [`source`](Dataset::source) are taken to be
/// the same.
///
/// `progress` is called with the number of images written and of all.
///
/// # Errors
/// Those of [`Dataset::image`], [`Error::Setting`] for a split that is given twice or more images or names than the format counts,
/// or [`Error::Write`].
pub fn pack(splits: &[(Split, Arc<dyn Dataset>)], path: &Path, progress: impl Fn(usize, usize)) -> Result<PackSummary> {
    let write_error = |source| Error::Write { path: path.to_owned(), source };
    let contents = Contents::of(splits)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = temporary_in(folder, path).map_err(write_error)?;
    let mut file = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
    file.write_all(&[0; HEADER_BYTES]).map_err(write_error)?;
    let written = write_images(&contents, &mut file, path, progress)?;
    let end = written.end;
    let directory = directory(&contents, written);
    let directory_sha256 = Sha256::digest(&directory).into();
    let header = Header { directory_at: end, directory_bytes: directory.len() as u64, directory_sha256 };
    let finish = |mut file: BufWriter<&mut File>| -> Result<(), IoError> {
        file.write_all(&directory)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header.bytes())?;
        file.flush()?;
        file.get_ref().sync_all()
    };
    finish(file).map_err(write_error)?;
    temporary.persist(path).map_err(|error| write_error(error.error))?;
    sync_folder(folder).map_err(write_error)?;
    Ok(PackSummary { images: contents.images.len(), bytes: end + directory.len() as u64 })
}

/// What goes into a pack.
struct Contents<'a> {
    /// Each image once: its data set, and its index there.
    images: Vec<(&'a dyn Dataset, usize)>,
    /// Bytes at the beginning of every source that name the folder they share.
    shared: usize,
    /// For each split of [`Split::ALL`], its part of the directory; nothing where it is left out.
    tables: [Vec<u8>; Split::ALL.len()],
}

impl<'a> Contents<'a> {
    fn of(splits: &'a [(Split, Arc<dyn Dataset>)]) -> Result<Self> {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut images: Vec<(&dyn Dataset, usize)> = Vec::new();
        let mut tables = [const { Vec::new() }; Split::ALL.len()];
        for (split, dataset) in splits {
            let table = &mut tables[match split {
                Split::Train => 0,
                Split::Test => 1,
                Split::Unlabelled => 2,
            }];
            if !table.is_empty() {
                return Err(Error::Setting { key: "splits", value: split.to_string(), allowed: "each split once" });
            }
            *table = vec![1];
            text(table, dataset.fingerprint())?;
            table.extend(count(dataset.class_names().len())?);
            dataset.class_names().iter().try_for_each(|name| text(table, name))?;
            table.extend((dataset.len() as u64).to_le_bytes());
            for index in 0..dataset.len() {
                let next = u32_from(images.len())?;
                let number = *numbers.entry(dataset.source(index)).or_insert(next);
                if number == next {
                    images.push((&**dataset, index));
                }
                table.extend(number.to_le_bytes());
                let label = dataset.label(index).map_or(Ok(NO_LABEL), u32_from)?;
                table.extend(label.to_le_bytes());
            }
        }
        Ok(Self { images, shared: shared_folder(numbers.keys()), tables })
    }
}

/// Where the images were written to.
struct WrittenImages {
    /// The directory's entries of the images.
    entries: Vec<u8>,
    /// Their names, one after the other.
    names: Vec<u8>,
    /// Where the last one ends in the file.
    end: u64,
}

/// Decodes the images and writes them behind the header.
fn write_images(
    contents: &Contents<'_>,
    file: &mut impl Write,
    path: &Path,
    progress: impl Fn(usize, usize),
) -> Result<WrittenImages> {
    let Contents { images, shared, .. } = contents;
    let mut written = WrittenImages { entries: Vec::new(), names: Vec::new(), end: HEADER_BYTES as u64 };
    // A few images a thread in memory at once: one may be large.
    for (done, some) in images.chunks(4 * rayon::current_num_threads()).enumerate() {
        let read: Vec<Result<(Image, u32)>> = some
            .par_iter()
            .map(|(dataset, index)| {
                let image = dataset.image(*index)?;
                let crc32 = crc32fast::hash(image.rgb());
                Ok((image, crc32))
            })
            .collect();
        for ((dataset, index), image) in some.iter().zip(read) {
            let (image, crc32) = image?;
            file.write_all(image.rgb()).map_err(|source| Error::Write { path: path.to_owned(), source })?;
            let source = dataset.source(*index);
            let name = source.get(*shared..).unwrap_or(&source);
            written.entries.extend(written.end.to_le_bytes());
            written.entries.extend((written.names.len() as u64).to_le_bytes());
            for number in [u32_from(image.width_px())?, u32_from(image.height_px())?, crc32, u32_from(name.len())?] {
                written.entries.extend(number.to_le_bytes());
            }
            written.names.extend(name.as_bytes());
            written.end += image.rgb().len() as u64;
        }
        progress(done * 4 * rayon::current_num_threads() + some.len(), images.len());
    }
    Ok(written)
}

/// The bytes behind the images, as [`Pack`](super::Pack) describes them.
fn directory(contents: &Contents<'_>, mut written: WrittenImages) -> Vec<u8> {
    let mut directory = (contents.images.len() as u64).to_le_bytes().to_vec();
    directory.append(&mut written.entries);
    directory.extend((written.names.len() as u64).to_le_bytes());
    directory.append(&mut written.names);
    for table in &contents.tables {
        directory.extend(if table.is_empty() { &[0][..] } else { table });
    }
    directory
}

/// How many bytes of all `sources` name the folder that they lie in together: it is another on each machine, and says nothing of the
/// images, but perhaps whose they are.
fn shared_folder<'a>(mut sources: impl Iterator<Item = &'a String>) -> usize {
    let Some(first) = sources.next() else { return 0 };
    let shared = sources
        .fold(first.len(), |shared, source| first.bytes().zip(source.bytes()).take(shared).take_while(|(a, b)| a == b).count());
    // Up to an ASCII letter, and so between two letters of the text.
    first.as_bytes()[..shared].iter().rposition(|byte| [b'/', b'\\'].contains(byte)).map_or(0, |slash| slash + 1)
}

/// Of a pack's name in that of the file it is written to; each may take four of the 255 bytes that most systems allow.
const PREFIX_CHARS: usize = 50;

/// A file to write in, for its process alone: a lock on it tells it from one that a process has left that was stopped on the way,
/// which is removed here. It can be as large as the decoded images, and its name is hidden.
fn temporary_in(folder: &Path, path: &Path) -> Result<NamedTempFile, IoError> {
    // Of a long name the beginning: the temporary one must not be longer than names may be.
    let name: String = path.file_name().unwrap_or_default().to_string_lossy().chars().take(PREFIX_CHARS).collect();
    let prefix = format!(".pack-{name}-");
    // So that none is taken for a leftover between its making and its lock. Not every system can lock a folder.
    let folder_lock = File::open(folder);
    let alone = folder_lock.as_ref().is_ok_and(|folder| folder.lock().is_ok());
    if alone {
        remove_leftovers(folder, &prefix)?;
    }
    let mut builder = tempfile::Builder::new();
    // As any new file: temporary ones are otherwise for their owner alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.prefix(&prefix).tempfile_in(folder)?;
    // Where files cannot be locked, folders cannot either: then nobody removes anything.
    let _ = temporary.as_file().try_lock();
    Ok(temporary)
}

fn remove_leftovers(folder: &Path, prefix: &str) -> Result<(), IoError> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
            // Another user's can be neither opened nor removed, and is in nobody's way.
            let unlocked = File::options().write(true).open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            if unlocked {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    Ok(())
}

fn u32_from(number: usize) -> Result<u32> {
    let few = u32::try_from(number).ok().filter(|&number| number != NO_LABEL);
    few.ok_or_else(|| Error::Setting {
        key: "pack",
        value: number.to_string(),
        allowed: "fewer than 4,294,967,295 images and classes",
    })
}

fn count(number: usize) -> Result<[u8; 4]> {
    u32_from(number).map(u32::to_le_bytes)
}

fn text(into: &mut Vec<u8>, text: &str) -> Result<()> {
    into.extend(count(text.len())?);
    into.extend(text.as_bytes());
    Ok(())
}
