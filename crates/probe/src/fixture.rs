//! `fixtures/probe/*.safetensors`, for the tests of this crate.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;

use crate::Features;
use crate::test_clouds::names;

/// A fixture file: its arrays by name, and its metadata.
pub(crate) struct Fixture {
    bytes: Vec<u8>,
    metadata: HashMap<String, String>,
}

impl Fixture {
    pub(crate) fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/probe/{name}.safetensors"));
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap_or_default();
        Self { bytes, metadata }
    }

    /// A number of the metadata.
    pub(crate) fn number(&self, key: &str) -> f64 {
        self.metadata.get(key).unwrap_or_else(|| panic!("no {key}")).parse().unwrap()
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let bytes = tensors.tensor(name).unwrap().data();
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    pub(crate) fn wide(&self, name: &str) -> Vec<f64> {
        self.floats(name).into_iter().map(f64::from).collect()
    }

    pub(crate) fn labels(&self, name: &str) -> Vec<usize> {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let bytes = tensors.tensor(name).unwrap().data();
        bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as usize).collect()
    }

    /// `<split>.features` and `<split>.labels`.
    pub(crate) fn features(&self, split: &str) -> Features {
        let labels = self.labels(&format!("{split}.labels"));
        let values = self.floats(&format!("{split}.features"));
        let width = values.len() / labels.len();
        Features::new(values, width, labels, names(self.number("classes") as usize)).unwrap()
    }
}
