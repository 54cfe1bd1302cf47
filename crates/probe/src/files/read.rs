use std::fs;
use std::path::Path;

use super::feature_file::FeatureFile;
use super::{csv, npy, safetensors};
use crate::{Error, Result};

const ENDINGS: &str = ".npy, .safetensors or .csv";

impl FeatureFile {
    /// Reads a file by the ending of its name. `labels` is a second file, `.npy`, whose labels take the place of any in the first;
    /// without it, `.npy` features take those of `<name>.labels.npy` beside them, where `relata embed` puts them.
    ///
    /// - `.npy`, versions 1 to 3, C order: features `[n, D]` `<f4` or `<f8`, labels `[n]` `<i8`, `<i4` or `|u1`.
    /// - `.safetensors` and `.csv` as [`crate::write_features`] writes them.
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
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}
