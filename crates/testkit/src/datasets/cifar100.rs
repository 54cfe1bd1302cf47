use std::fs;
use std::path::{Path, PathBuf};

use super::cifar10_sample;

/// The name of the folder that the publisher's archive unpacks to.
pub const CIFAR100_FOLDER: &str = "cifar-100-binary";

/// The coarse and the fine label of record `record` of file `file` (0: `train`, 1: `test`).
#[must_use]
pub fn cifar100_labels(file: usize, record: usize) -> [u8; 2] {
    [((record * 3 + file) % 20) as u8, ((record * 7 + file * 50) % 100) as u8]
}

/// Writes `cifar-100-binary` below `root`, with `train` and `test` images and the names `coarse 0` to `coarse 19` and `fine 0`
/// to `fine 99`, and returns its path. The pixels are those of [`cifar10_sample`].
///
/// # Panics
/// Where a file cannot be written.
pub fn write_cifar100(root: &Path, train: usize, test: usize) -> PathBuf {
    let folder = root.join(CIFAR100_FOLDER);
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (file, (name, records)) in [("train.bin", train), ("test.bin", test)].into_iter().enumerate() {
        let mut bytes = Vec::with_capacity(records * 3074);
        for record in 0..records {
            bytes.extend(cifar100_labels(file, record));
            for (channel, y) in (0..3).flat_map(|channel| (0..32).map(move |y| (channel, y))) {
                bytes.extend((0..32).map(|x| cifar10_sample(file, record, channel, y, x)));
            }
        }
        fs::write(folder.join(name), bytes).expect("the file can be written");
    }
    for (kind, classes) in [("coarse", 20), ("fine", 100)] {
        let names: String = (0..classes).map(|class| format!("{kind} {class}\n")).collect();
        fs::write(folder.join(format!("{kind}_label_names.txt")), names).expect("the file can be written");
    }
    folder
}
