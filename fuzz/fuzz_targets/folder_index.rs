//! The list of a folder's images that is kept on disk: whatever it holds, the folder opens with the images that are there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_data::{Dataset, Folder, FolderOptions, Split};
use relata_fuzz::{place, write};

fuzz_target!(|bytes: &[u8]| {
    write("indexed/a/1.png", b"");
    write("indexed/b/2.png", b"");
    write("indexed/.relata-index/all", bytes);
    let options = FolderOptions { split: Split::Unlabelled, index: true, ..FolderOptions::default() };
    let folder = Folder::open(&place().join("indexed"), options).expect("the images are there");
    assert_eq!(folder.len(), 2);
});
