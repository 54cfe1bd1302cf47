use std::fs;
use std::path::{Path, PathBuf};

/// The name of the folder that the publisher's archive unpacks to.
pub const CIFAR10_FOLDER: &str = "cifar-10-batches-bin";

const NAMES: &str = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

/// The label of record `record` of file `file` (0 to 4: `data_batch_1` to `5`; 5: `test_batch`).
#[must_use]
pub fn cifar10_label(file: usize, record: usize) -> u8 {
    ((record * 3 + file) % 10) as u8
}

/// The byte at (`channel`, `y`, `x`) of a record: no two channels, rows or columns of it agree, nor do neighbouring
/// records or files.
#[must_use]
pub fn cifar10_sample(file: usize, record: usize, channel: usize, y: usize, x: usize) -> u8 {
    ((file * 101 + record * 17 + channel * 83 + y * 7 + x * 5) % 256) as u8
}

/// Writes `cifar-10-batches-bin` below `root`, with `records` images in each of its six files, and returns its path.
///
/// # Panics
/// Where a file cannot be written.
pub fn write_cifar10(root: &Path, records: usize) -> PathBuf {
    let folder = root.join(CIFAR10_FOLDER);
    fs::create_dir_all(&folder).expect("the folder can be made");
    for file in 0..6 {
        let name = match file {
            5 => "test_batch.bin".to_owned(),
            _ => format!("data_batch_{}.bin", file + 1),
        };
        let mut bytes = Vec::with_capacity(records * 3073);
        for record in 0..records {
            bytes.push(cifar10_label(file, record));
            for channel in 0..3 {
                for y in 0..32 {
                    bytes.extend((0..32).map(|x| cifar10_sample(file, record, channel, y, x)));
                }
            }
        }
        fs::write(folder.join(name), bytes).expect("the file can be written");
    }
    fs::write(folder.join("batches.meta.txt"), NAMES).expect("the file can be written");
    folder
}
