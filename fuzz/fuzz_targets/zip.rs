//! Archives (`.zip`): unpacked below their place and nowhere else, or refused with nothing left.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use relata_data::{Archive, UnpackLimits, unpack};
use relata_fuzz::{place, write};

const ARCHIVE: Archive = Archive { file: "a.zip", folder: "set", url: None, md5: None, bytes: None };

fuzz_target!(|bytes: &[u8]| {
    write("root/a.zip", bytes);
    let limits = UnpackLimits { bytes: 1 << 20, entries: 20, ratio: 100 };
    let unpacked = unpack(&ARCHIVE, &place().join("root"), &limits, &|_| ());
    let left: Vec<_> =
        fs::read_dir(place().join("root")).expect("is there").map(|entry| entry.expect("is there").path()).collect();
    assert_eq!(left.len(), 1 + usize::from(unpacked.is_ok()), "{left:?}");
    assert_eq!(fs::read_dir(place()).expect("is there").count(), 1, "nothing beside the root");
    if let Ok(folder) = unpacked {
        fs::remove_dir_all(folder).expect("can be removed");
    }
});
