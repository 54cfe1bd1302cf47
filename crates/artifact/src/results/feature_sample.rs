//! `probes/sample.safetensors`: features of a few of the scored images, kept so that a report can draw them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::checkpoint::{Array, ArrayData, damaged, f32_values, parse, save_arrays, u32_values};
use crate::{Error, Result};

const CLASS_NAMES_KEY: &str = "class_names";
const SPLIT_KEY: &str = "split";

/// Frozen features of some images with their labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureSample {
    /// `[n, D]`, row-major.
    pub features: Vec<f32>,
    /// D, the width of a row.
    pub dim: usize,
    /// `[n]`, the class of each row.
    pub labels: Vec<u32>,
    /// Names of the classes in label order; may be empty.
    pub class_names: Vec<String>,
    /// The split that the images are of, `test` or `validation`; empty where that was not kept.
    pub split: String,
}

impl FeatureSample {
    /// Writes `features [n, D]` (F32) and `labels [n]` (U32), atomically.
    ///
    /// # Errors
    /// [`Error::Tensor`] where `features` does not hold `labels.len() * dim` values, [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let rows = self.labels.len();
        let names = serde_json::to_string(&self.class_names).expect("a list of strings is valid JSON");
        let arrays = [
            Array { name: "features", shape: &[rows, self.dim], data: ArrayData::F32(&self.features) },
            Array { name: "labels", shape: &[rows], data: ArrayData::U32(&self.labels) },
        ];
        let mut metadata = BTreeMap::from([(CLASS_NAMES_KEY.to_owned(), names)]);
        if !self.split.is_empty() {
            metadata.insert(SPLIT_KEY.to_owned(), self.split.clone());
        }
        save_arrays(path, &arrays, &metadata)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a truncated file or one of another kind, [`Error::DType`], [`Error::Io`].
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let (file, metadata) = parse(path, &bytes)?;
        let tensor = |name: &str| file.tensor(name).map_err(|error| damaged(path, &error.to_string()));
        let (features, labels) = (tensor("features")?, tensor("labels")?);
        let (&[rows, dim], &[label_rows]) = (features.shape(), labels.shape()) else {
            return Err(damaged(path, "expected features [n, D] and labels [n]"));
        };
        if rows != label_rows {
            return Err(damaged(path, &format!("{rows} rows of features, {label_rows} labels")));
        }
        let class_names = match metadata.get(CLASS_NAMES_KEY) {
            Some(names) => serde_json::from_str(names).map_err(Error::json(path))?,
            None => Vec::new(),
        };
        Ok(Self {
            features: f32_values(path, "features", features.dtype(), features.data())?,
            dim,
            labels: u32_values(path, "labels", labels.dtype(), labels.data())?,
            class_names,
            split: metadata.get(SPLIT_KEY).cloned().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_then_read_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.safetensors");
        let sample = FeatureSample {
            features: vec![0.5, -1.0, 2.0, 3.0, 4.0, 5.0],
            dim: 2,
            labels: vec![1, u32::MAX, 0],
            class_names: vec!["ring".into(), "star \"five\"".into()],
            split: "validation".into(),
        };
        for sample in [sample.clone(), FeatureSample { split: String::new(), ..sample }] {
            sample.save(&path).unwrap();
            assert_eq!(FeatureSample::load(&path).unwrap(), sample);
        }
    }

    #[test]
    fn a_row_too_few_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.safetensors");
        let sample = FeatureSample { features: vec![0.0; 5], dim: 2, labels: vec![0; 3], ..FeatureSample::default() };
        assert!(matches!(sample.save(&path), Err(Error::Tensor { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn a_checkpoint_is_no_sample() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.safetensors");
        crate::Checkpoint::default().save(&path).unwrap();
        assert!(matches!(FeatureSample::load(&path), Err(Error::Damaged { .. })));
    }
}
