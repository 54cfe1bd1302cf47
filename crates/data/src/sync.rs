use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

/// The names in a folder, onto the disk; only Unix can open a folder for that.
///
/// Some network and overlay file systems cannot do it, and say so: that is no error, since what was renamed has its name.
/// `atomic.rs` of relata-artifact has the same function, for neither crate depends on the other.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|opened| opened.sync_all()) {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(File::open(folder).unwrap().sync_all().unwrap_err().kind(), ErrorKind::InvalidInput);
        sync_folder(folder).unwrap();
    }
}
