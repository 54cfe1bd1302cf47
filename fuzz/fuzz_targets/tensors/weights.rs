//! Weight files: the bytes as they are; and a pickle with a storage, in both of PyTorch's formats with all else right.
#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use relata_fuzz::write;
use relata_model::WeightFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The older format up to the object: magic number, version 1001, the writer's sizes.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";
/// Behind the object: its storages' keys, `["0"]`.
const KEYS: &[u8] = b"\x80\x02]X\x01\x00\x00\x000a.";

fn read(name: &str, bytes: &[u8]) {
    let Ok(file) = WeightFile::read(write(name, bytes)) else { return };
    let mut values = 0;
    for tensor in &file.tensors {
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.data.len());
        values += tensor.data.len();
    }
    assert!(values <= 4 * bytes.len() + (1 << 20), "{values} numbers of {} bytes", bytes.len());
}

fuzz_target!(|bytes: &[u8]| {
    read("raw", bytes);
    let Some((&length, rest)) = bytes.split_first_chunk() else { return };
    let (object, storage) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes(length))));
    // A storage of f32, as far as the count goes.
    let count = (storage.len() as u64 / 4).to_le_bytes();
    read("legacy.pth", &[LEGACY, object, KEYS, &count, storage].concat());

    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("x/data.pkl", object), ("x/data/0", storage), ("x/data/1", storage)] {
        zip.start_file(name, stored).expect("in memory");
        zip.write_all(bytes).expect("in memory");
    }
    read("zip.pth", zip.finish().expect("in memory").get_ref());
});
