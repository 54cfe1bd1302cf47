use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use zip::ZipArchive;

use super::check::check;
use super::description::Archive;
use super::folder::{is_there, put_in_place, remove_leftovers};
use super::progress::{Progress, Work};
use crate::{Error, Result};

/// What an archive may at most unpack to. The published ones stay far below: STL-10 is 3 GB, tiny-ImageNet 120,000 files, and
/// none of them shrank to half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Bytes of all files together. Default 32 GiB.
    pub bytes: u64,
    /// Files and folders. Default 2 million.
    pub entries: u64,
    /// Bytes unpacked for each byte packed, counted from 16 MiB on. Default 100.
    pub ratio: u64,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: 32 << 30, entries: 2_000_000, ratio: 100 }
    }
}

/// Below this size a ratio says nothing: an empty image of a few MB packs a thousandfold.
const RATIO_FROM_BYTES: u64 = 16 << 20;
const CHUNK_BYTES: usize = 256 * 1024;

/// Checks `root/<archive.file>` against its MD5, unpacks its folder to `root/<archive.folder>` and returns that path.
///
/// The folder appears whole or not at all: files are written into a temporary folder of `root`, which is flushed to the disk
/// and renamed. An archive is unpacked once where several processes try; the others wait. A folder that is there already is
/// left as it is. Entries that would lie outside (absolute paths, `..`), links, devices and names that come twice are refused.
///
/// # Errors
/// [`Error::Missing`], [`Error::Checksum`], [`Error::BadArchive`], [`Error::UnsafeEntry`], [`Error::ArchiveTooLarge`],
/// [`Error::Io`] or [`Error::Write`]; nothing that was written is left.
pub fn unpack(archive: &Archive, root: &Path, limits: &UnpackLimits, progress: &dyn Fn(Progress)) -> Result<PathBuf> {
    let (path, target) = (root.join(archive.file), root.join(archive.folder));
    let mut file = File::open(&path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Error::Missing { path: path.clone(), hint: "expected the publisher's archive".to_owned() },
        _ => Error::Io { path: path.clone(), source },
    })?;
    // Held until the file is closed. Not every file system can lock; then two processes may do the same work twice.
    let alone = file.lock().is_ok();
    if is_there(&target) {
        return Ok(target);
    }
    let prefix = format!(".unpacking-{}-", archive.folder);
    if alone {
        remove_leftovers(root, &prefix)?;
    }
    if let Some(expected) = archive.checksum() {
        check(&mut file, &path, &expected, progress)?;
    }
    let write_error = |source| Error::Write { path: root.to_owned(), source };
    let temporary = tempfile::Builder::new().prefix(&prefix).tempdir_in(root).map_err(write_error)?;
    let of_bytes = file.metadata().map_err(|source| Error::Io { path: path.clone(), source })?.len();
    let mut unpacking = Unpacking {
        archive: &path,
        offered: archive.url.is_some(),
        folder: archive.folder,
        into: temporary.path(),
        limits,
        packed_bytes: of_bytes,
        bytes: 0,
        entries: 0,
    };
    let at = |done_bytes| progress(Progress { work: Work::Unpack, done_bytes, of_bytes });
    if Path::new(archive.file).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) {
        // The lock stays with the file that is open here.
        let again = file.try_clone().map_err(|source| Error::Io { path: path.clone(), source })?;
        unpacking.zip(again, &at)?;
    } else {
        unpacking.tar_gz(&mut file, &at)?;
    }
    let unpacked = temporary.path().join(archive.folder);
    if !unpacked.is_dir() {
        return Err(unpacking.bad(format!("it holds no folder {}", archive.folder)));
    }
    put_in_place(&unpacked, &target, root)?;
    at(of_bytes);
    Ok(target)
}

struct Unpacking<'a> {
    archive: &'a Path,
    offered: bool,
    /// The only folder of the archive that is wanted.
    folder: &'a str,
    into: &'a Path,
    limits: &'a UnpackLimits,
    packed_bytes: u64,
    bytes: u64,
    entries: u64,
}

impl Unpacking<'_> {
    fn bad(&self, reason: impl ToString) -> Error {
        Error::BadArchive { path: self.archive.to_owned(), reason: reason.to_string(), offered: self.offered }
    }

    fn tar_gz(&mut self, file: &mut File, progress: &dyn Fn(u64)) -> Result<()> {
        let (path, offered) = (self.archive, self.offered);
        let bad = |source: io::Error| Error::BadArchive { path: path.to_owned(), reason: source.to_string(), offered };
        let mut tar = tar::Archive::new(GzDecoder::new(Counted { reader: BufReader::new(file), bytes: 0, progress }));
        for entry in tar.entries().map_err(bad)? {
            let mut entry = entry.map_err(bad)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() {
                continue;
            }
            let Some(path) = self.destination(&name)? else {
                // It is unpacked too, if only to get past it. A few bytes of it can promise any size.
                self.bytes = self.bytes.saturating_add(entry.size());
                self.check_bytes()?;
                continue;
            };
            if kind.is_dir() {
                self.make_folder(&path)?;
            } else if kind.is_file() {
                self.write_file(&path, &name, &mut entry)?;
            } else {
                return Err(self.refused(&name, "is neither a file nor a folder"));
            }
        }
        // The tar ends before the checksum of what it was packed into.
        let mut rest = tar.into_inner();
        let left = io::copy(&mut (&mut rest).take(RATIO_FROM_BYTES), &mut io::sink()).map_err(bad)?;
        if left == RATIO_FROM_BYTES { Err(self.bad("data follow the end of the archive")) } else { Ok(()) }
    }

    fn zip(&mut self, file: File, progress: &dyn Fn(u64)) -> Result<()> {
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| self.bad(error))?;
        // It keeps the last of them.
        if zip.has_duplicate_names() {
            return Err(self.bad("a name comes twice in it"));
        }
        if zip.len() as u64 > self.limits.entries {
            return Err(self.too_large(format!("{} entries", self.limits.entries)));
        }
        let mut packed_bytes = 0;
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).map_err(|error| self.bad(error))?;
            let name = entry.name().map_err(|error| self.bad(error))?.into_owned();
            packed_bytes = u64::saturating_add(packed_bytes, entry.compressed_size());
            if let Some(path) = self.destination(&name)? {
                if entry.is_symlink() {
                    return Err(self.refused(&name, "is a link"));
                } else if entry.is_dir() {
                    self.make_folder(&path)?;
                } else {
                    self.write_file(&path, &name, &mut entry)?;
                }
            }
            progress(packed_bytes);
        }
        Ok(())
    }

    /// Where an entry is written; `None` where it is not part of the folder that is wanted.
    fn destination(&mut self, name: &str) -> Result<Option<PathBuf>> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(self.too_large(format!("{} entries", self.limits.entries)));
        }
        // What is a name on one system is a path on another.
        if name.contains(['\\', '\0']) {
            return Err(self.refused(name, "has a backslash or a zero in its name"));
        }
        let mut relative = PathBuf::new();
        for part in Path::new(name).components() {
            match part {
                Component::Normal(part) => relative.push(part),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(self.refused(name, "leads out of the folder it is unpacked to"));
                }
            }
        }
        Ok(relative.starts_with(self.folder).then(|| self.into.join(relative)))
    }

    fn make_folder(&self, path: &Path) -> Result<()> {
        fs::create_dir_all(path).map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    fn write_file(&mut self, path: &Path, name: &str, from: &mut dyn Read) -> Result<()> {
        if let Some(folder) = path.parent() {
            self.make_folder(folder)?;
        }
        let write_error = |source| Error::Write { path: path.to_owned(), source };
        let mut file = match File::create_new(path) {
            Err(source) if source.kind() == ErrorKind::AlreadyExists => return Err(self.refused(name, "comes twice")),
            created => created.map_err(write_error)?,
        };
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = match from.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.bad(format!("{name}: {error}"))),
            };
            self.bytes += read as u64;
            self.check_bytes()?;
            file.write_all(&chunk[..read]).map_err(write_error)?;
        }
    }

    fn check_bytes(&self) -> Result<()> {
        if self.bytes > self.limits.bytes {
            return Err(self.too_large(format!("{} bytes", self.limits.bytes)));
        }
        if self.bytes > RATIO_FROM_BYTES && self.bytes / self.limits.ratio.max(1) > self.packed_bytes {
            return Err(self.too_large(format!("{} times its own size", self.limits.ratio)));
        }
        Ok(())
    }

    fn too_large(&self, limit: String) -> Error {
        Error::ArchiveTooLarge { path: self.archive.to_owned(), limit }
    }

    fn refused(&self, entry: &str, reason: &'static str) -> Error {
        Error::UnsafeEntry { path: self.archive.to_owned(), entry: entry.to_owned(), reason }
    }
}

/// Says how many bytes went through.
struct Counted<'a, R> {
    reader: R,
    bytes: u64,
    progress: &'a dyn Fn(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes += read as u64;
        (self.progress)(self.bytes);
        Ok(read)
    }
}
