use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::mmap::map;
use crate::{Error, Result};

/// A memory-mapped file of equal records: `label_bytes`, then three planes of `plane_px` bytes, red, green, blue.
#[derive(Debug)]
pub(crate) struct RecordFile {
    path: PathBuf,
    bytes: Mmap,
    layout: RecordLayout,
}

/// What a record consists of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordLayout {
    pub(crate) label_bytes: usize,
    pub(crate) plane_px: usize,
}

impl RecordLayout {
    fn bytes(self) -> usize {
        self.label_bytes + 3 * self.plane_px
    }
}

impl RecordFile {
    /// Maps the file after checking that it holds a whole number of records, and at least one.
    pub(crate) fn open(path: &Path, layout: RecordLayout, hint: &str) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => Error::Missing { path: path.to_owned(), hint: hint.to_owned() },
            _ => Error::Io { path: path.to_owned(), source },
        })?;
        let record_bytes = layout.bytes();
        let cut_short = |got_bytes| Error::CutShort { path: path.to_owned(), record_bytes, got_bytes };
        let whole = |bytes: usize| bytes > 0 && bytes.is_multiple_of(record_bytes);
        let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        if !whole(size) {
            return Err(cut_short(size));
        }
        let bytes = map(path)?;
        // The map is what is read from here on, whatever happened since the first look.
        if !whole(bytes.len()) {
            return Err(cut_short(bytes.len()));
        }
        Ok(Self { path: path.to_owned(), bytes, layout })
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.layout.bytes()
    }

    /// Where the file lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Byte `which` of the labels of record `record`.
    pub(crate) fn label(&self, record: usize, which: usize) -> usize {
        debug_assert!(which < self.layout.label_bytes);
        usize::from(self.bytes[record * self.layout.bytes() + which])
    }

    /// The pixels of record `record`, row by row, red, green and blue side by side.
    pub(crate) fn interleaved_rgb(&self, record: usize) -> Vec<u8> {
        let RecordLayout { label_bytes, plane_px } = self.layout;
        let start = record * self.layout.bytes() + label_bytes;
        let planes = &self.bytes[start..start + 3 * plane_px];
        let (red, rest) = planes.split_at(plane_px);
        let (green, blue) = rest.split_at(plane_px);
        let mut rgb = vec![0; 3 * plane_px];
        for (pixel, ((&r, &g), &b)) in rgb.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue)) {
            pixel.copy_from_slice(&[r, g, b]);
        }
        rgb
    }

    /// Checks byte `which` of every record's labels against the number of classes.
    pub(crate) fn check_labels(&self, which: usize, classes: usize) -> Result<()> {
        match (0..self.len()).find(|&record| self.label(record, which) >= classes) {
            None => Ok(()),
            Some(record) => {
                Err(Error::LabelOutOfRange { path: self.path.clone(), record, got: self.label(record, which), classes })
            }
        }
    }
}
