//! Packs: images behind a directory whose checksums are right, whatever it says; and the bytes as they are.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use relata_data::{Dataset, Pack, Split};
use relata_fuzz::write;
use sha2::{Digest, Sha256};

/// Bytes in front of the images.
const HEADER: usize = 64;

fn read(path: &Path) {
    for split in Split::ALL {
        let Ok(pack) = Pack::open(path, split) else { continue };
        for index in [0, 1, pack.len() / 2, pack.len().saturating_sub(1), pack.len()] {
            if let Ok(image) = pack.image(index) {
                assert!(index < pack.len());
                assert_eq!(image.rgb().len(), image.width_px() * image.height_px() * 3);
            }
            assert!(pack.label(index).is_none_or(|label| label < pack.class_names().len()));
            let _ = pack.source(index);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(&write("raw.pack", bytes));
    let Some((&images, rest)) = bytes.split_first() else { return };
    let (images, directory) = rest.split_at(rest.len().min(usize::from(images)));
    let mut place = Vec::new();
    place.extend(((HEADER + images.len()) as u64).to_le_bytes());
    place.extend((directory.len() as u64).to_le_bytes());
    place.extend(Sha256::digest(directory));
    let mut pack = b"RELATAPK".to_vec();
    pack.extend(1u32.to_le_bytes());
    pack.extend(crc32fast::hash(&place).to_le_bytes());
    pack.extend(place);
    assert_eq!(pack.len(), HEADER);
    pack.extend(images);
    pack.extend(directory);
    read(&write("made.pack", &pack));
});
