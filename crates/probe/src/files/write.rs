//! Features as files for other tools. Every file is the old one or the new one, never half of each.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use relata_artifact::AtomicFile;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

use crate::{Error, Features, Result};

const ENDINGS: &str = ".safetensors, .npy or .csv";

/// Writes features in the format that the file's name ends in. Gives the files written.
///
/// - `.safetensors`: `features [n, D]` F32 and, where there are labels, `labels [n]` I64 as PyTorch's losses take them. The metadata's one
///   entry, `relata`, is a JSON object: `class_names` and, where they were kept, `sources`, lists of strings.
/// - `.npy`: one array, `[n, D]` float32 in C order, format version 1.0. Labels go to `<name>.labels.npy` beside it, and what each row
///   is, where that is known, to `<name>.images.csv` under the header `label,class,source`. Such files of features that lay there before
///   are removed.
/// - `.csv`: one line an image under the header `label,class,source,f0,f1,...`; `label` and `class` only where there are labels,
///   `source` only where sources were kept. Numbers in the fewest digits that read back as the same f32.
///
/// # Errors
/// [`Error::UnknownFormat`]; [`Error::Artifact`], [`Error::Safetensors`], [`Error::Io`] where the file cannot be written.
pub fn write_features(path: &Path, features: &Features) -> Result<Vec<PathBuf>> {
    match Format::of(path)? {
        Format::Safetensors => write_safetensors(path, features)?,
        Format::Csv => write_csv(path, features)?,
        Format::Npy => return write_arrays(path, features),
    }
    Ok(vec![path.to_owned()])
}

/// `.npy` with what lies beside it. All is written before any old file goes: a full disk leaves those that were there.
fn write_arrays(path: &Path, features: &Features) -> Result<Vec<PathBuf>> {
    let (labels_path, images_path) = (path.with_extension("labels.npy"), path.with_extension("images.csv"));
    let mut files = vec![filled(path, |file| npy(file, features))?];
    if let Some(labels) = features.labels() {
        files.push(filled(&labels_path, |file| npy_labels(file, labels))?);
    }
    if features.labels().is_some() || features.sources().is_some() {
        files.push(filled(&images_path, |file| csv(file, features, 0))?);
    }
    for beside in [&labels_path, &images_path] {
        // Those of the features before would pass for these ones'.
        if beside.is_file() {
            std::fs::remove_file(beside).map_err(|source| Error::Io { path: beside.clone(), source })?;
        }
    }
    let written = files.iter().map(|file| file.destination().to_owned()).collect();
    files.into_iter().try_for_each(AtomicFile::commit)?;
    Ok(written)
}

/// Refuses a file name that [`write_features`] would refuse: for a check before the features are computed.
///
/// # Errors
/// [`Error::UnknownFormat`].
pub fn check_export_path(path: &Path) -> Result<()> {
    Format::of(path).map(drop)
}

fn write_safetensors(path: &Path, features: &Features) -> Result<()> {
    let failed = |source| Error::Safetensors { path: path.to_owned(), source };
    let values = le_bytes(features.values());
    let shape = vec![features.rows(), features.width()];
    let mut tensors = vec![("features", TensorView::new(Dtype::F32, shape, &values).map_err(failed)?)];
    let labels = features.labels().map(label_bytes);
    if let Some(labels) = &labels {
        tensors.push(("labels", TensorView::new(Dtype::I64, vec![features.rows()], labels).map_err(failed)?));
    }
    // One entry, since several would be written in an order of the map's own, another in each run.
    let names = json!({ "class_names": features.class_names(), "sources": features.sources() });
    let metadata = HashMap::from([("relata".to_owned(), names.to_string())]);
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(failed)?;
    Ok(relata_artifact::write_atomic(path, &bytes)?)
}

fn write_csv(path: &Path, features: &Features) -> Result<()> {
    Ok(filled(path, |file| csv(file, features, features.width()))?.commit()?)
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Safetensors,
    Npy,
    Csv,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("npy") => Ok(Self::Npy),
            Some("csv") => Ok(Self::Csv),
            _ => Err(Error::UnknownFormat { path: path.to_owned(), expected: ENDINGS }),
        }
    }
}

/// A file with all that goes into it, which waits to replace the one that is there.
fn filled(path: &Path, write: impl FnOnce(&mut AtomicFile) -> io::Result<()>) -> Result<AtomicFile> {
    let mut file = AtomicFile::create(path)?;
    write(&mut file).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    Ok(file)
}

fn npy(file: &mut AtomicFile, features: &Features) -> io::Result<()> {
    file.write_all(&npy_header("<f4", &format!("({}, {})", features.rows(), features.width())))?;
    features.values().iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))
}

fn npy_labels(file: &mut AtomicFile, labels: &[usize]) -> io::Result<()> {
    file.write_all(&npy_header("<i8", &format!("({},)", labels.len())))?;
    file.write_all(&label_bytes(labels))
}

/// What each row is, and the first `columns` of its features.
fn csv(file: &mut AtomicFile, features: &Features, columns: usize) -> io::Result<()> {
    let mut line = Vec::new();
    if features.labels().is_some() {
        line.extend(["label".to_owned(), "class".to_owned()]);
    }
    line.extend(features.sources().map(|_| "source".to_owned()));
    line.extend((0..columns).map(|column| format!("f{column}")));
    writeln!(file, "{}", line.join(","))?;
    for row in 0..features.rows() {
        line.clear();
        if let Some(labels) = features.labels() {
            line.extend([labels[row].to_string(), quoted(&features.class_names()[labels[row]])]);
        }
        line.extend(features.sources().map(|sources| quoted(&sources[row])));
        line.extend(features.row(row)[..columns].iter().map(f32::to_string));
        writeln!(file, "{}", line.join(","))?;
    }
    Ok(())
}

/// Magic, version 1.0, and a dictionary padded so that the array starts at a multiple of 64 bytes.
fn npy_header(dtype: &str, shape: &str) -> Vec<u8> {
    let dictionary = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    let len = (10 + dictionary.len() + 1).next_multiple_of(64) - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&(len as u16).to_le_bytes());
    header.extend_from_slice(format!("{dictionary:<0$}\n", len - 1).as_bytes());
    header
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn label_bytes(labels: &[usize]) -> Vec<u8> {
    labels.iter().flat_map(|&label| (label as i64).to_le_bytes()).collect()
}

/// A field as RFC 4180 has it: in quotes where it holds a comma, a quote or the end of a line.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use safetensors::SafeTensors;

    use super::*;

    fn features() -> Features {
        let values = vec![0.1, -2.5, 1e-7, 3.0, 16_777_216.0, -0.0];
        let names = vec!["ring".to_owned(), "star, \"five\"".to_owned()];
        Features::new(values, 3, vec![1, 0], names).unwrap().with_sources(vec!["a.png".into(), "b,c.png".into()]).unwrap()
    }

    fn bits(bytes: &[u8]) -> Vec<u32> {
        bytes.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn expected_bits(features: &Features) -> Vec<u32> {
        features.values().iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn safetensors_hold_every_bit_and_the_labels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.safetensors");
        assert_eq!(write_features(&path, &features()).unwrap(), std::slice::from_ref(&path));
        let bytes = fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = file.tensor("features").unwrap();
        assert_eq!((tensor.shape(), tensor.dtype()), (&[2, 3][..], Dtype::F32));
        assert_eq!(bits(tensor.data()), expected_bits(&features()));
        let labels = file.tensor("labels").unwrap();
        assert_eq!((labels.shape(), labels.dtype()), (&[2][..], Dtype::I64));
        assert_eq!(labels.data(), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let names: serde_json::Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["relata"]).unwrap();
        assert_eq!(names, json!({ "class_names": ["ring", "star, \"five\""], "sources": ["a.png", "b,c.png"] }));
    }

    #[test]
    fn npy_is_what_numpy_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.npy");
        let written = write_features(&path, &features()).unwrap();
        assert_eq!(written, ["f.npy", "f.labels.npy", "f.images.csv"].map(|name| folder.path().join(name)));
        for (path, dictionary) in [
            (&written[0], "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"),
            (&written[1], "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"),
        ] {
            let bytes = fs::read(path).unwrap();
            assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
            let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
            let header = std::str::from_utf8(&bytes[10..end]).unwrap();
            assert_eq!((header.trim_end(), end % 64, header.ends_with('\n')), (dictionary, 0, true));
        }
        let bytes = fs::read(&written[0]).unwrap();
        assert_eq!(bits(&bytes[bytes.len() - 24..]), expected_bits(&features()));
    }

    #[test]
    fn rows_of_an_array_can_be_identified() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        write_features(&path("f.npy"), &features()).unwrap();
        let images = fs::read_to_string(path("f.images.csv")).unwrap();
        assert_eq!(images, "label,class,source\n1,\"star, \"\"five\"\"\",a.png\n0,ring,\"b,c.png\"\n");
        let photos = Features::unlabelled(vec![1.0, 2.0], 1).unwrap().with_sources(vec!["x.png".into(), "y.png".into()]).unwrap();
        assert_eq!(write_features(&path("p.npy"), &photos).unwrap(), [path("p.npy"), path("p.images.csv")]);
        assert_eq!(fs::read_to_string(path("p.images.csv")).unwrap(), "source\nx.png\ny.png\n");
    }

    #[test]
    fn labels_of_other_features_do_not_stay_beside_an_array() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.npy");
        write_features(&path, &features()).unwrap();
        // As many rows, so that nothing else would tell that the labels are not theirs.
        write_features(&path, &Features::unlabelled(vec![1.0, 2.0], 1).unwrap()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["f.npy"]);
        let read = crate::FeatureFile::read(&path, None).unwrap();
        assert!(matches!(crate::labelled_pair(read.clone(), read), Err(Error::Unlabelled { .. })));
    }

    #[test]
    fn csv_reads_back_to_the_same_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.csv");
        write_features(&path, &features()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "label,class,source,f0,f1,f2");
        let first = lines[1].strip_prefix("1,\"star, \"\"five\"\"\",a.png,").unwrap();
        let second = lines[2].strip_prefix("0,ring,\"b,c.png\",").unwrap();
        let numbers = first.split(',').chain(second.split(','));
        let read: Vec<u32> = numbers.map(|number| number.parse::<f32>().unwrap().to_bits()).collect();
        assert_eq!(read, expected_bits(&features()));
    }

    #[test]
    fn features_without_labels_have_no_label_columns() {
        let folder = tempfile::tempdir().unwrap();
        let bare = Features::unlabelled(vec![1.0, 2.0], 2).unwrap();
        let path = |name| folder.path().join(name);
        assert_eq!(write_features(&path("f.npy"), &bare).unwrap(), [path("f.npy")]);
        write_features(&path("f.csv"), &bare).unwrap();
        assert_eq!(fs::read_to_string(path("f.csv")).unwrap(), "f0,f1\n1,2\n");
        write_features(&path("f.safetensors"), &bare).unwrap();
        let bytes = fs::read(path("f.safetensors")).unwrap();
        assert_eq!(SafeTensors::deserialize(&bytes).unwrap().names(), ["features"]);
    }

    #[test]
    fn another_ending_is_refused_before_any_work() {
        for name in ["features.pt", "features", "features.CSV"] {
            assert!(matches!(check_export_path(Path::new(name)), Err(Error::UnknownFormat { .. })), "{name}");
        }
        assert!(check_export_path(Path::new("a.b/features.npy")).is_ok());
    }
}
