//! Checkpoints: named `f32` tensors and a string map in one safetensors file.
//!
//! Tensors are grouped by prefix (`backbone.`, `relation.`, `optimizer.`); the trainer's own state travels in the
//! metadata. The header is written here rather than by the safetensors crate for two reasons: the tensors keep the
//! caller's order, and the same values give the same bytes (that crate writes the metadata in hash order).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::Serialize;

use crate::{AtomicFile, Error, Result};

const METADATA_KEY: &str = "__metadata__";
/// The longest header that the safetensors crate accepts.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// A tensor to be saved, borrowed: nothing is copied on the way to the disk but one small buffer.
#[derive(Debug, Clone, Copy)]
pub struct TensorRef<'a> {
    /// Unique name, prefix first: `backbone.layer1.conv.weight`.
    pub name: &'a str,
    /// Shape, outermost axis first; empty for a scalar.
    pub shape: &'a [usize],
    /// Row-major values, as many as the shape holds.
    pub data: &'a [f32],
}

/// A tensor that was loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Its name in the file.
    pub name: String,
    /// Shape, outermost axis first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub data: Vec<f32>,
}

/// All of a checkpoint file: tensors in the order they were saved in, and the metadata.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checkpoint {
    /// Tensors in file order.
    pub tensors: Vec<NamedTensor>,
    /// Trainer state and settings, as text.
    pub metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Loads a file written here or by any other safetensors writer, as long as all tensors are `f32`.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a truncated or foreign file, [`Error::DType`], [`Error::Io`].
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let (file, metadata) = parse(path, &bytes)?;
        let mut views = file.tensors();
        views.sort_by_key(|(name, view)| (view.data().as_ptr(), view.data().len(), name.clone()));
        let tensors = views
            .into_iter()
            .map(|(name, view)| {
                let data = f32_values(path, &name, view.dtype(), view.data())?;
                Ok(NamedTensor { shape: view.shape().to_vec(), name, data })
            })
            .collect::<Result<_>>()?;
        Ok(Self { tensors, metadata })
    }

    /// Saves owned tensors; [`save_checkpoint`] does the same with borrowed ones.
    ///
    /// # Errors
    /// As [`save_checkpoint`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let tensors: Vec<_> = self.tensors.iter().map(NamedTensor::as_ref).collect();
        save_checkpoint(path, &tensors, &self.metadata)
    }

    /// The tensor of that name.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&NamedTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// Tensors of one group with the prefix cut off: `with_prefix("backbone.")`.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a NamedTensor)> {
        self.tensors.iter().filter_map(move |tensor| Some((tensor.name.strip_prefix(prefix)?, tensor)))
    }
}

impl NamedTensor {
    /// The same tensor, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> TensorRef<'_> {
        TensorRef { name: &self.name, shape: &self.shape, data: &self.data }
    }
}

/// Saves tensors and metadata atomically as a safetensors file, streaming from the caller's memory.
///
/// # Errors
/// [`Error::Tensor`] where data do not fill a shape or a name is used twice, [`Error::Io`].
pub fn save_checkpoint(path: &Path, tensors: &[TensorRef<'_>], metadata: &BTreeMap<String, String>) -> Result<()> {
    let arrays: Vec<_> = tensors
        .iter()
        .map(|tensor| Array { name: tensor.name, shape: tensor.shape, data: ArrayData::F32(tensor.data) })
        .collect();
    save_arrays(path, &arrays, metadata)
}

/// Reads a checkpoint's metadata without its tensors.
///
/// # Errors
/// [`Error::Damaged`], [`Error::Io`].
pub fn read_checkpoint_metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => damaged(path, "shorter than its first field"),
        _ => Error::io("read", path)(error),
    })?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(damaged(path, "header too long"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(Error::io("read", path))?;
    metadata_of(path, &header)
}

/// A tensor of either element type that this crate stores.
pub(crate) struct Array<'a> {
    pub(crate) name: &'a str,
    pub(crate) shape: &'a [usize],
    pub(crate) data: ArrayData<'a>,
}

pub(crate) enum ArrayData<'a> {
    F32(&'a [f32]),
    U32(&'a [u32]),
}

#[derive(Serialize)]
#[serde(untagged)]
enum HeaderEntry<'a> {
    Metadata(&'a BTreeMap<String, String>),
    Tensor { dtype: &'static str, shape: &'a [usize], data_offsets: [usize; 2] },
}

pub(crate) fn save_arrays(path: &Path, arrays: &[Array<'_>], metadata: &BTreeMap<String, String>) -> Result<()> {
    let header = header_of(arrays, metadata)?;
    let mut file = AtomicFile::create(path)?;
    let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(Error::io("write", path));
    write(&(header.len() as u64).to_le_bytes())?;
    write(&header)?;
    let mut buffer = Vec::new();
    for array in arrays {
        match array.data {
            ArrayData::F32(values) => write_values(values, |v| v.to_le_bytes(), &mut buffer, &mut write)?,
            ArrayData::U32(values) => write_values(values, |v| v.to_le_bytes(), &mut buffer, &mut write)?,
        }
    }
    file.commit()
}

fn header_of(arrays: &[Array<'_>], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let refuse = |array: &Array<'_>, reason: String| {
        Err(Error::Tensor { tensor: array.name.to_owned(), shape: array.shape.to_vec(), reason })
    };
    let mut entries = BTreeMap::from([(METADATA_KEY, HeaderEntry::Metadata(metadata))]);
    let mut names = BTreeSet::from([METADATA_KEY]);
    let mut offset = 0;
    for array in arrays {
        let (dtype, elements) = match array.data {
            ArrayData::F32(values) => ("F32", values.len()),
            ArrayData::U32(values) => ("U32", values.len()),
        };
        let expected = array.shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis));
        if expected != Some(elements) {
            return refuse(array, format!("given {elements} values"));
        }
        if !names.insert(array.name) {
            return refuse(array, "its name is already taken".to_owned());
        }
        let end = offset + 4 * elements; // both element types have four bytes
        entries.insert(array.name, HeaderEntry::Tensor { dtype, shape: array.shape, data_offsets: [offset, end] });
        offset = end;
    }
    let mut header = serde_json::to_vec(&entries).expect("maps of strings and numbers are valid JSON");
    header.resize(header.len().next_multiple_of(8), b' '); // tensors start aligned, as the format asks
    Ok(header)
}

fn write_values<T: Copy>(
    values: &[T],
    bytes_of: impl Fn(T) -> [u8; 4],
    buffer: &mut Vec<u8>,
    write: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    const CHUNK: usize = 1 << 14;
    for chunk in values.chunks(CHUNK) {
        buffer.clear();
        buffer.extend(chunk.iter().flat_map(|&value| bytes_of(value)));
        write(buffer)?;
    }
    Ok(())
}

pub(crate) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<(SafeTensors<'a>, BTreeMap<String, String>)> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(path, &error.to_string()))?;
    let (header_bytes, _) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(path, &error.to_string()))?;
    let metadata = metadata_of(path, &bytes[8..8 + header_bytes])?;
    Ok((file, metadata))
}

pub(crate) fn f32_values(path: &Path, name: &str, dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>> {
    expect_dtype(path, name, Dtype::F32, "F32", dtype)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect())
}

pub(crate) fn u32_values(path: &Path, name: &str, dtype: Dtype, bytes: &[u8]) -> Result<Vec<u32>> {
    expect_dtype(path, name, Dtype::U32, "U32", dtype)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|&four| u32::from_le_bytes(four)).collect())
}

pub(crate) fn damaged(path: &Path, reason: &str) -> Error {
    Error::Damaged { path: path.to_owned(), reason: reason.to_owned() }
}

fn expect_dtype(path: &Path, name: &str, want: Dtype, expected: &'static str, got: Dtype) -> Result<()> {
    if got == want {
        return Ok(());
    }
    Err(Error::DType { path: path.to_owned(), tensor: name.to_owned(), expected, got: format!("{got:?}") })
}

fn metadata_of(path: &Path, header: &[u8]) -> Result<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__", default)]
        metadata: BTreeMap<String, String>,
    }
    let header: Header = serde_json::from_slice(header).map_err(|error| damaged(path, &error.to_string()))?;
    Ok(header.metadata)
}

#[cfg(test)]
mod tests;
