//! Features in `.npy` from other tools.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_fuzz::write;
use relata_probe::{FeatureFile, labelled_pair};

fuzz_target!(|bytes: &[u8]| {
    let path = write("x.npy", bytes);
    if let Ok(file) = FeatureFile::read(&path, None)
        && let Ok((train, test)) = labelled_pair(file.clone(), file)
    {
        assert_eq!(train.values().len(), train.rows() * train.width());
        assert_eq!(train, test);
    }
    // The same bytes as labels of a good array.
    let good = b"\x93NUMPY\x01\x00\x37\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)}\x00\x00\x80\x3f";
    let _ = FeatureFile::read(&write("good.npy", good), Some(&path));
});
