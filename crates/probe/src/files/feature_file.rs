use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Features as a file holds them: rows, and labels that are still the file's own numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureFile {
    pub(super) path: PathBuf,
    pub(super) values: Vec<f32>,
    pub(super) width: usize,
    pub(super) labels: Option<Vec<u64>>,
    /// Names of labels, where the file gives any.
    pub(super) names: BTreeMap<u64, String>,
}

impl FeatureFile {
    pub(super) fn new(path: &Path, values: Vec<f32>, width: usize) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::EmptyFile { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), values, width, labels: None, names: BTreeMap::new() })
    }

    pub(super) fn same_count(&self, labels: &Path) -> Result<()> {
        let (expected, got) = (self.values.len() / self.width, self.labels.as_ref().map_or(0, Vec::len));
        if expected == got { Ok(()) } else { Err(Error::LabelCount { path: labels.to_owned(), expected, got }) }
    }

    pub(super) fn labelled(&self) -> Result<&[u64]> {
        self.labels.as_deref().ok_or_else(|| Error::Unlabelled { what: self.path.display().to_string() })
    }
}

/// A number that the file holds, as f32 where it can be one.
pub(super) fn finite(path: &Path, width: usize, at: usize, value: f64) -> Result<f32> {
    let narrow = value as f32;
    if narrow.is_finite() {
        return Ok(narrow);
    }
    Err(Error::ValueNotFinite { path: path.to_owned(), row: at / width, column: at % width, value })
}

pub(super) fn label(path: &Path, row: usize, label: i64) -> Result<u64> {
    u64::try_from(label).map_err(|_| Error::NegativeLabel { path: path.to_owned(), row, label })
}
