//! The list of a folder's images that is kept on disk. Where its digest is wrong, the folder opens with the images that are there; where
//! it is right, whatever else it holds, with images below the folder, or not at all.
#![no_main]

use std::fs::File;
use std::path::{Component, Path};
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use relata_data::{Dataset, Folder, FolderOptions, Result, Split};
use relata_fuzz::{place, write};
use sha2::{Digest, Sha256};

/// The index's first line.
const FORM: &[u8] = b"relata-index 1";
/// When all folders changed last, so that a trial can name the time: `d`, 1000000000, the folder.
const CHANGED: Duration = Duration::from_secs(1);

fn open(index: &[u8]) -> Result<Folder> {
    write("indexed/.relata-index/all", index);
    let root = place().join("indexed");
    for folder in ["", "a", "b"] {
        let folder = File::open(root.join(folder)).expect("is there");
        folder.set_modified(SystemTime::UNIX_EPOCH + CHANGED).expect("on a file system with times");
    }
    Folder::open(&root, FolderOptions { split: Split::Unlabelled, index: true, ..FolderOptions::default() })
}

fn digest(lines: &[u8]) -> String {
    let mut sha = Sha256::new();
    for part in [FORM, lines] {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    sha.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fuzz_target!(|bytes: &[u8]| {
    write("indexed/a/1.png", b"");
    write("indexed/b/2.png", b"");
    assert_eq!(open(bytes).expect("the images are there").len(), 2);

    let Ok(folder) = open(&[FORM, b"\n", digest(bytes).as_bytes(), b"\n", bytes].concat()) else { return };
    for index in 0..folder.len() {
        let source = folder.source(index);
        let relative = Path::new(&source).strip_prefix(place().join("indexed")).expect("below the folder");
        assert!(relative.components().all(|part| matches!(part, Component::Normal(_))), "{source}");
    }
    assert!(folder.image(0).is_err(), "the files are empty");
});
