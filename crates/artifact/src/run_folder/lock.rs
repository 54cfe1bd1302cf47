use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::{Error, Result};

/// Keeps other processes from training in a run's folder; let go when it is dropped or the process ends, however it ends.
///
/// It lies on the folder itself, so that nothing is left behind. Where a folder cannot be locked (outside Unix, on some network file
/// systems) it keeps nobody out.
#[derive(Debug)]
#[must_use]
pub struct RunLock {
    _folder: Option<File>,
}

impl RunLock {
    /// Takes the folder, which is made where it is missing.
    ///
    /// # Errors
    /// [`Error::InUse`] where another process has it, [`Error::Io`].
    pub fn acquire(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let Ok(folder) = File::open(path) else { return Ok(Self { _folder: None }) };
        match folder.try_lock() {
            Ok(()) => Ok(Self { _folder: Some(folder) }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(_)) => Ok(Self { _folder: None }),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::RunFolder;

    #[test]
    fn a_folder_has_one_owner_at_a_time_and_none_is_left() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("runs/a");
        let lock = RunLock::acquire(&path).unwrap();
        assert!(matches!(RunLock::acquire(&path), Err(Error::InUse { path: named }) if named == path));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "it is no part of the run");
        let other = RunLock::acquire(&parent.path().join("runs/b")).unwrap();
        drop(lock);
        drop(RunLock::acquire(&path).unwrap());
        drop(other);
    }

    #[test]
    fn a_run_that_another_process_trains_in_is_not_overwritten() {
        let parent = tempfile::tempdir().unwrap();
        let (run, lock) = RunFolder::create_locked(parent.path().join("a"), false).unwrap();
        run.write_config("seed = 1\n").unwrap();
        run.write_provenance(&crate::Provenance::default()).unwrap();
        for overwrite in [false, true] {
            assert!(matches!(RunFolder::create(run.path(), overwrite), Err(Error::InUse { .. })));
        }
        assert_eq!(run.config().unwrap(), "seed = 1\n");
        drop(lock);
        RunFolder::create(run.path(), true).unwrap();
        assert!(!run.config_path().exists());
    }

    #[test]
    fn a_run_that_is_overwritten_stays_locked() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunFolder::create(parent.path().join("a"), false).unwrap();
        run.write_config("seed = 1\n").unwrap();
        let (_, _lock) = RunFolder::create_locked(run.path(), true).unwrap();
        assert!(!run.config_path().exists());
        assert!(matches!(RunLock::acquire(run.path()), Err(Error::InUse { .. })));
    }
}
