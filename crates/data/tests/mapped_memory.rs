//! A large memory-mapped file does not come to count as the program's memory, however much of it is read. Alone in its file: the
//! figure is the whole process's.
#![cfg(target_os = "linux")]

use std::fs::{self, File};

use relata_data::{Dataset, Split, Stl10};
use relata_testkit::datasets::write_stl10;

/// KiB of mapped files in this process's memory.
fn resident_files() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn reading_all_of_a_large_file_leaves_little_of_it_in_memory() {
    const IMAGES: u64 = 15_000;
    let root = tempfile::tempdir().unwrap();
    let folder = write_stl10(root.path(), 4);
    let unlabelled = File::options().write(true).open(folder.join("unlabeled_X.bin")).unwrap();
    unlabelled.set_len(IMAGES * 3 * 96 * 96).unwrap();
    let dataset = Stl10::open(&folder, Split::Unlabelled).unwrap();
    assert_eq!(dataset.len(), IMAGES as usize);
    let before = resident_files();
    let first = dataset.image(0).unwrap();
    let mut most = 0;
    for index in 1..dataset.len() {
        dataset.image(index).unwrap();
        if index % 500 == 0 {
            most = most.max(resident_files());
        }
    }
    let grown = most.saturating_sub(before);
    assert!(grown < 64 << 10, "{} MiB of {}", grown >> 10, (IMAGES * 3 * 96 * 96) >> 20);
    assert_eq!(dataset.image(0).unwrap(), first);
}
