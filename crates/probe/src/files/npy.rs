//! NumPy's array format (numpy.lib.format), as much of it as features and labels need.

use std::path::Path;

use super::feature_file::{FeatureFile, finite, label};
use crate::{Error, Result};

/// An array's header, and its bytes.
struct Array<'a> {
    path: &'a Path,
    dtype: String,
    shape: Vec<usize>,
    data: &'a [u8],
}

pub(super) fn features(path: &Path, bytes: &[u8]) -> Result<FeatureFile> {
    let array = Array::parse(path, bytes)?;
    let &[_, width] = array.shape.as_slice() else { return Err(array.wrong_shape("[images, features]")) };
    let values: Vec<f64> = match array.dtype.as_str() {
        "<f4" => array.items(|b: [u8; 4]| f64::from(f32::from_le_bytes(b)))?,
        "<f8" => array.items(f64::from_le_bytes)?,
        _ => return Err(array.wrong_dtype("float32 or float64 in little-endian order (<f4, <f8)")),
    };
    let values = values.into_iter().enumerate().map(|(at, value)| finite(path, width, at, value));
    FeatureFile::new(path, values.collect::<Result<_>>()?, width)
}

pub(super) fn labels(path: &Path, bytes: &[u8]) -> Result<Vec<u64>> {
    let array = Array::parse(path, bytes)?;
    let &[_] = array.shape.as_slice() else { return Err(array.wrong_shape("[images]")) };
    let labels: Vec<i64> = match array.dtype.as_str() {
        "<i8" => array.items(i64::from_le_bytes)?,
        "<i4" => array.items(|b: [u8; 4]| i64::from(i32::from_le_bytes(b)))?,
        "|u1" => array.items(|b: [u8; 1]| i64::from(b[0]))?,
        _ => return Err(array.wrong_dtype("int64, int32 or uint8 in little-endian order (<i8, <i4, |u1)")),
    };
    labels.into_iter().enumerate().map(|(row, number)| label(path, row, number)).collect()
}

impl<'a> Array<'a> {
    fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let Some(rest) = bytes.strip_prefix(b"\x93NUMPY") else { return Err(Error::NotNpy { path: path.to_owned() }) };
        let cut_short = |expected| Error::FileLength { path: path.to_owned(), expected, got: bytes.len() };
        let &[major, minor, ..] = rest else { return Err(cut_short(8)) };
        let (len, start) = match (major, rest.get(2..4), rest.get(2..6)) {
            (1, Some(len), _) => (usize::from(u16::from_le_bytes([len[0], len[1]])), 10),
            (2 | 3, _, Some(len)) => (u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize, 12),
            (1..=3, ..) => return Err(cut_short(12)),
            _ => return Err(Error::NpyVersion { path: path.to_owned(), major, minor }),
        };
        let Some(header) = bytes.get(start..start + len) else { return Err(cut_short(start + len)) };
        let wrong = |what| Error::NpyHeader { path: path.to_owned(), what };
        let header = std::str::from_utf8(header).map_err(|_| wrong("text"))?;
        let dtype = value(header, "descr").and_then(string).ok_or_else(|| wrong("a plain dtype under 'descr'"))?;
        let order =
            value(header, "fortran_order").and_then(boolean).ok_or_else(|| wrong("True or False under 'fortran_order'"))?;
        let shape = value(header, "shape").and_then(tuple).ok_or_else(|| wrong("whole numbers under 'shape'"))?;
        // One dimension has one order only.
        if order && shape.len() > 1 {
            return Err(Error::FortranOrder { path: path.to_owned() });
        }
        Ok(Self { path, dtype: dtype.to_owned(), shape, data: &bytes[start + len..] })
    }

    /// Every item; the data must be exactly as long as the shape says.
    fn items<const N: usize, T>(&self, item: impl Fn([u8; N]) -> T) -> Result<Vec<T>> {
        let size = self.shape.iter().try_fold(N, |size, &side| size.checked_mul(side));
        if size != Some(self.data.len()) {
            let expected = size.unwrap_or(usize::MAX);
            return Err(Error::FileLength { path: self.path.to_owned(), expected, got: self.data.len() });
        }
        let (items, _) = self.data.as_chunks::<N>();
        Ok(items.iter().map(|&bytes| item(bytes)).collect())
    }

    fn wrong_shape(&self, expected: &'static str) -> Error {
        Error::Shape { path: self.path.to_owned(), expected, got: self.shape.clone() }
    }

    fn wrong_dtype(&self, expected: &'static str) -> Error {
        Error::Dtype { path: self.path.to_owned(), expected, got: self.dtype.clone() }
    }
}

/// What follows `'key':` in the header's dictionary.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let at = ['\'', '"'].iter().find_map(|quote| {
        let key = format!("{quote}{key}{quote}");
        header.find(&key).map(|at| at + key.len())
    })?;
    Some(header[at..].trim_start().strip_prefix(':')?.trim_start())
}

fn string(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|first| ['\'', '"'].contains(first))?;
    text[1..].split_once(quote).map(|(string, _)| string)
}

fn boolean(text: &str) -> Option<bool> {
    if text.starts_with("True") { Some(true) } else { text.starts_with("False").then_some(false) }
}

fn tuple(text: &str) -> Option<Vec<usize>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let items = inside.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| item.trim_end_matches('L').parse().ok()).collect()
}
