use std::fs;
use std::path::{Path, PathBuf};

use super::cifar10_sample;

/// The name of the folder that the publisher's archive unpacks to.
pub const STL10_FOLDER: &str = "stl10_binary";

const NAMES: &str = "airplane\nbird\ncar\ncat\ndeer\ndog\nhorse\nmonkey\nship\ntruck\n";

/// The label, from 1 to 10, of record `record` of file `file` (0: `train`, 1: `test`).
#[must_use]
pub fn stl10_label(file: usize, record: usize) -> u8 {
    ((record * 3 + file) % 10) as u8 + 1
}

/// Writes `stl10_binary` below `root`, with `records` images in each of its three files (0: `train`, 1: `test`, 2: `unlabeled`),
/// and returns its path. The pixels are those of [`cifar10_sample`], in planes that lie column by column.
///
/// # Panics
/// Where a file cannot be written.
pub fn write_stl10(root: &Path, records: usize) -> PathBuf {
    let folder = root.join(STL10_FOLDER);
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (file, name) in ["train", "test", "unlabeled"].into_iter().enumerate() {
        let mut bytes = Vec::with_capacity(records * 27_648);
        for record in 0..records {
            for (channel, x) in (0..3).flat_map(|channel| (0..96).map(move |x| (channel, x))) {
                bytes.extend((0..96).map(|y| cifar10_sample(file, record, channel, y, x)));
            }
        }
        fs::write(folder.join(format!("{name}_X.bin")), bytes).expect("the file can be written");
        if name != "unlabeled" {
            let labels: Vec<u8> = (0..records).map(|record| stl10_label(file, record)).collect();
            fs::write(folder.join(format!("{name}_y.bin")), labels).expect("the file can be written");
        }
    }
    fs::write(folder.join("class_names.txt"), NAMES).expect("the file can be written");
    folder
}
