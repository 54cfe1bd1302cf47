//! Files of a run: checkpoints, feature samples, and their metadata.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_artifact::{Checkpoint, FeatureSample, read_checkpoint_metadata};
use relata_fuzz::write;

fuzz_target!(|bytes: &[u8]| {
    let path = write("x.safetensors", bytes);
    if let Ok(checkpoint) = Checkpoint::load(&path) {
        for tensor in &checkpoint.tensors {
            assert_eq!(tensor.shape.iter().product::<usize>(), tensor.data.len());
        }
        assert_eq!(read_checkpoint_metadata(&path).expect("as the whole"), checkpoint.metadata);
    }
    if let Ok(sample) = FeatureSample::load(&path) {
        assert_eq!(sample.features.len(), sample.labels.len() * sample.dim);
    }
});
