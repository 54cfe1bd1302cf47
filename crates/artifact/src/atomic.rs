//! Files that are either the old one or the new one, whatever happens in between.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::{Error, Result};

/// Temporary files start and end like this, so that leftovers of a killed process are not taken for the user's files.
pub(crate) const TEMP_PREFIX: &str = ".relata-";
pub(crate) const TEMP_SUFFIX: &str = ".tmp";

const BUFFER_BYTES: usize = 1 << 20;

/// A file being written beside its destination, which it replaces on [`commit`](Self::commit).
///
/// Until then the destination is untouched. Dropping it without a commit removes the temporary file; a killed process
/// leaves it behind under a name that [`RunFolder::remove_leftovers`](crate::RunFolder::remove_leftovers) knows.
#[derive(Debug)]
pub struct AtomicFile {
    destination: PathBuf,
    temp_path: TempPath,
    writer: BufWriter<File>,
}

impl AtomicFile {
    /// Starts a file that will replace `destination`. The folder must exist.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder is missing or cannot be written to.
    pub fn create(destination: &Path) -> Result<Self> {
        let folder = folder_of(destination);
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMP_PREFIX).suffix(TEMP_SUFFIX);
        // The default of a temporary file, 0600, would outlive the rename; let the umask decide instead.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temp = builder.tempfile_in(folder).map_err(Error::io("write", destination))?;
        let (file, temp_path) = temp.into_parts();
        // So that nobody takes it for a leftover while it is written. Not every file system can lock.
        let _ = file.try_lock();
        Ok(Self { destination: destination.to_owned(), temp_path, writer: BufWriter::with_capacity(BUFFER_BYTES, file) })
    }

    /// The file that [`commit`](Self::commit) replaces.
    #[must_use]
    pub fn destination(&self) -> &Path {
        &self.destination
    }

    /// Syncs what was written, renames it over the destination, and syncs the folder.
    ///
    /// # Errors
    /// [`Error::Io`], and then the destination is as it was and the temporary file is gone.
    pub fn commit(self) -> Result<()> {
        let Self { destination, temp_path, writer } = self;
        let file = writer.into_inner().map_err(|error| Error::io("write", &destination)(error.into_error()))?;
        file.sync_all().map_err(Error::io("write", &destination))?;
        // Its lock holds until it has its name; an open file cannot be renamed everywhere.
        let _open = cfg!(unix).then_some(file);
        temp_path.persist(&destination).map_err(|error| Error::io("replace", &destination)(error.error))?;
        let folder = folder_of(&destination);
        sync_folder(folder).map_err(Error::io("sync", folder))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Replaces `path` by `bytes`, or leaves it as it was.
///
/// # Errors
/// [`Error::Io`] with the path and the operating system's reason.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    file.commit()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The names in a folder, onto the disk; only Unix can open a folder for that.
///
/// Some network and overlay file systems cannot do it, and say so: that is no error, since what was renamed has its name.
/// `sync.rs` of relata-data has the same function, for neither crate depends on the other.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|opened| opened.sync_all()) {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_crash_before_the_rename_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        write_atomic(&path, b"old").unwrap();

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new, and then the power went").unwrap();
        file.flush().unwrap();
        std::mem::forget(file); // no drop runs in a killed process

        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()).len(), 2, "the leftover is still there to be cleaned up");
        write_atomic(&path, b"newer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
    }

    #[test]
    fn an_abandoned_file_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(&folder.path().join("report.html")).unwrap();
        file.write_all(b"half a page").unwrap();
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_refused_rename_removes_the_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("last.safetensors");
        fs::create_dir_all(taken.join("inside")).unwrap();
        let error = write_atomic(&taken, b"bytes").unwrap_err();
        assert!(matches!(&error, Error::Io { action: "replace", path, .. } if *path == taken), "{error:?}");
        assert_eq!(names(folder.path()), ["last.safetensors"]);
    }

    #[test]
    fn an_unwritable_place_is_named_with_the_reason_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a-file");
        fs::write(&file, b"").unwrap();
        for (path, kind) in [
            (file.join("config.toml"), io::ErrorKind::NotADirectory),
            (folder.path().join("missing").join("config.toml"), io::ErrorKind::NotFound),
        ] {
            let error = write_atomic(&path, b"x").unwrap_err();
            let Error::Io { action: "write", path: named, source } = &error else { panic!("{error:?}") };
            assert_eq!((named, source.kind()), (&path, kind));
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        sync_folder(folder.path()).unwrap();
        assert_eq!(sync_folder(&folder.path().join("nowhere")).is_err(), cfg!(unix));
    }

    /// `/proc` is such a file system on every machine.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_that_cannot_sync_folders_is_borne() {
        let folder = Path::new("/proc");
        assert_eq!(File::open(folder).unwrap().sync_all().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        sync_folder(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_committed_file_has_ordinary_rights() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, ordinary) = (folder.path().join("a"), folder.path().join("b"));
        write_atomic(&ours, b"x").unwrap();
        fs::write(&ordinary, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&ordinary));
    }
}
