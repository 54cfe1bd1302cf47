//! A folder in memory to put the bytes of a trial into: the parsers take paths.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use relata_data::{Archive, UnpackLimits, unpack};

/// The same for all trials of a process; on a file system in memory where there is one.
pub fn place() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let above = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        tempfile::Builder::new().prefix("relata-fuzz-").tempdir_in(above).expect("a folder can be made").keep()
    })
}

/// Writes `bytes` to `name` below [`place`].
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = place().join(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("a folder can be made");
    }
    fs::write(&path, bytes).expect("a file can be written");
    path
}

/// The pieces of `bytes` between zero bytes, `N` of them, the last with all the rest: several files of one trial.
pub fn files<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    let mut pieces = bytes.splitn(N, |&byte| byte == 0);
    std::array::from_fn(|_| pieces.next().unwrap_or_default())
}

/// Unpacks `bytes` as the archive `file`: into its folder and nowhere else, or with an error that leaves nothing.
pub fn unpack_or_leave_nothing(file: &'static str, bytes: &[u8]) {
    write(&format!("root/{file}"), bytes);
    let (root, archive) = (place().join("root"), Archive { file, folder: "set", url: None, md5: None, bytes: None, missing: |_| Vec::new() });
    let limits = UnpackLimits { bytes: 1 << 20, entries: 20, ratio: 100 };
    let unpacked = unpack(&archive, &root, &limits, &|_| ());
    let left: Vec<_> = fs::read_dir(&root).expect("is there").map(|entry| entry.expect("is there").path()).collect();
    assert_eq!(left.len(), 1 + usize::from(unpacked.is_ok()), "{left:?}");
    assert_eq!(fs::read_dir(place()).expect("is there").count(), 1, "nothing beside the root");
    if let Ok(folder) = unpacked {
        fs::remove_dir_all(folder).expect("can be removed");
    }
}
