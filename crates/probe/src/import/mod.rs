//! Features from files that other tools wrote, or `relata embed`.

mod csv;
mod npy;
mod safetensors;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Features, Result};

const ENDINGS: &str = ".npy, .safetensors or .csv";

/// Features as a file holds them: rows, and labels that are still the file's own numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureFile {
    path: PathBuf,
    values: Vec<f32>,
    width: usize,
    labels: Option<Vec<u64>>,
    /// Names of labels, where the file gives any.
    names: BTreeMap<u64, String>,
}

impl FeatureFile {
    /// Reads a file by the ending of its name. `labels` is a second file, `.npy`, whose labels take the place of any in the first;
    /// without it, `.npy` features take those of `<name>.labels.npy` beside them, where `relata embed` puts them.
    ///
    /// - `.npy`, versions 1 to 3, C order: features `[n, D]` `<f4` or `<f8`, labels `[n]` `<i8`, `<i4` or `|u1`.
    /// - `.safetensors` and `.csv` as [`crate::write_safetensors`] and [`crate::write_csv`] write them.
    ///
    /// # Errors
    /// Each with the file: [`Error::UnknownFormat`], [`Error::Read`]; [`Error::NotNpy`], [`Error::NpyVersion`],
    /// [`Error::NpyHeader`], [`Error::FortranOrder`], [`Error::Dtype`], [`Error::Shape`], [`Error::FileLength`];
    /// [`Error::NotSafetensors`], [`Error::MissingTensor`]; [`Error::CsvHeader`], [`Error::CsvTwice`], [`Error::CsvFields`],
    /// [`Error::CsvValue`], [`Error::CsvClass`]; [`Error::ValueNotFinite`], [`Error::NegativeLabel`], [`Error::LabelCount`],
    /// [`Error::EmptyFile`].
    pub fn read(path: &Path, labels: Option<&Path>) -> Result<Self> {
        let mut file = match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => npy::features(path, &read(path)?)?,
            Some("safetensors") => safetensors::features(path, &read(path)?)?,
            Some("csv") => csv::features(path, &read(path)?)?,
            _ => return Err(Error::UnknownFormat { path: path.to_owned(), expected: ENDINGS }),
        };
        let beside = path.with_extension("labels.npy");
        let is_npy = path.extension().is_some_and(|ending| ending == "npy");
        let labels = labels.or_else(|| (is_npy && beside.is_file()).then_some(beside.as_path()));
        if let Some(path) = labels {
            file.labels = Some(npy::labels(path, &read(path)?)?);
            file.names.clear();
            file.same_count(path)?;
        }
        Ok(file)
    }

    fn new(path: &Path, values: Vec<f32>, width: usize) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::EmptyFile { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), values, width, labels: None, names: BTreeMap::new() })
    }

    fn same_count(&self, labels: &Path) -> Result<()> {
        let (expected, got) = (self.values.len() / self.width, self.labels.as_ref().map_or(0, Vec::len));
        if expected == got { Ok(()) } else { Err(Error::LabelCount { path: labels.to_owned(), expected, got }) }
    }

    fn labelled(&self) -> Result<&[u64]> {
        self.labels.as_deref().ok_or_else(|| Error::Unlabelled { what: self.path.display().to_string() })
    }
}

/// Training and test features with one numbering of the classes: those that a file names or that have training rows, in the order
/// of the files' own labels. A class without a name is called by its number.
///
/// # Errors
/// [`Error::Unlabelled`]; [`Error::WidthDiffers`]; [`Error::ClassNameDiffers`] where the files name a label differently;
/// [`Error::NotInTraining`] for a test row of a class that no training row has.
pub fn labelled_pair(train: FeatureFile, test: FeatureFile) -> Result<(Features, Features)> {
    let (train_labels, test_labels) = (train.labelled()?, test.labelled()?);
    if train.width != test.width {
        return Err(Error::WidthDiffers { train: train.width, test: test.width });
    }
    let trained: BTreeSet<u64> = train_labels.iter().copied().collect();
    if let Some(row) = test_labels.iter().position(|label| !trained.contains(label)) {
        return Err(Error::NotInTraining { path: test.path.clone(), row, label: test_labels[row] });
    }
    let mut names = train.names.clone();
    for (&label, name) in &test.names {
        let known = names.entry(label).or_insert_with(|| name.clone());
        if known != name {
            let label = usize::try_from(label).unwrap_or(usize::MAX);
            return Err(Error::ClassNameDiffers { label, train: known.clone(), test: name.clone() });
        }
    }
    for label in trained {
        names.entry(label).or_insert_with(|| label.to_string());
    }
    let places: BTreeMap<u64, usize> = names.keys().enumerate().map(|(place, &label)| (label, place)).collect();
    let class_names: Vec<String> = names.into_values().collect();
    let placed = |labels: &[u64]| labels.iter().map(|label| places[label]).collect();
    let (train_labels, test_labels) = (placed(train_labels), placed(test_labels));
    let train = Features::new(train.values, train.width, train_labels, class_names.clone())?;
    Ok((train, Features::new(test.values, test.width, test_labels, class_names)?))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// A number that the file holds, as f32 where it can be one.
fn finite(path: &Path, width: usize, at: usize, value: f64) -> Result<f32> {
    let narrow = value as f32;
    if narrow.is_finite() {
        return Ok(narrow);
    }
    Err(Error::ValueNotFinite { path: path.to_owned(), row: at / width, column: at % width, value })
}

fn label(path: &Path, row: usize, label: i64) -> Result<u64> {
    u64::try_from(label).map_err(|_| Error::NegativeLabel { path: path.to_owned(), row, label })
}
