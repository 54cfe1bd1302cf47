//! Features in `.safetensors` from other tools.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_fuzz::write;
use relata_probe::{FeatureFile, labelled_pair};

fuzz_target!(|bytes: &[u8]| {
    let path = write("x.safetensors", bytes);
    if let Ok(file) = FeatureFile::read(&path, None)
        && let Ok((train, test)) = labelled_pair(file.clone(), file)
    {
        assert_eq!(train.values().len(), train.rows() * train.width());
        assert_eq!(train, test);
    }
});
