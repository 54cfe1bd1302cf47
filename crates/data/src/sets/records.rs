use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::digest::{Fingerprint, damage};
use crate::mmap::{MappedFile, map};
use crate::{Error, HubSplit, Image, Result};

/// The files of one split, one after the other.
#[derive(Debug)]
pub(crate) struct RecordFiles {
    files: Vec<RecordFile>,
    /// The index of each file's first image, and at the end the number of all images.
    starts: Vec<usize>,
    published: &'static HubSplit,
}

impl RecordFiles {
    /// Opens each of the `published` files in `folder`; the labels of byte i of a record must be below `classes[i]`. Another number
    /// of records than the publisher's is warned of, and taken.
    pub(crate) fn open(
        folder: &Path,
        published: &'static HubSplit,
        layout: RecordLayout,
        classes: &[usize],
        hint: &str,
    ) -> Result<Self> {
        let names: Vec<&str> = published.files.iter().map(|(name, _)| *name).collect();
        let mut files = Vec::with_capacity(names.len());
        let mut starts = vec![0];
        for name in &names {
            let file = RecordFile::open(&folder.join(name), layout, hint)?;
            for (which, &classes) in classes.iter().enumerate() {
                file.check_labels(which, classes)?;
            }
            starts.push(starts[starts.len() - 1] + file.len());
            files.push(file);
        }
        let opened = Self { files, starts, published };
        warn_unless(&folder.join(names.join(", ")), opened.len(), published.images());
        Ok(opened)
    }

    /// Number of records in all files.
    pub(crate) fn len(&self) -> usize {
        self.starts[self.files.len()]
    }

    /// The file that holds image `index`, and the image's record in it.
    pub(crate) fn locate(&self, index: usize) -> Option<(&RecordFile, usize)> {
        let file = self.starts.partition_point(|&start| start <= index) - 1;
        Some((self.files.get(file)?, index - self.starts[file]))
    }

    /// Image `index`.
    pub(crate) fn image(&self, index: usize) -> Result<Image> {
        let (file, record) = self.locate(index).ok_or_else(|| Error::IndexOutOfRange { index, len: self.len() })?;
        Ok(file.image(record))
    }

    /// File and record of image `index`.
    pub(crate) fn source(&self, index: usize) -> String {
        match self.locate(index) {
            Some((file, record)) => format!("{}, record {record}", file.path().display()),
            None => format!("image {index} of {}", self.len()),
        }
    }

    /// An error for each file of the published length and other bytes.
    pub(crate) fn damaged(&self) -> Vec<Error> {
        let whole = self.files.par_iter().zip(self.published.files).filter(|(file, _)| file.len() == self.published.records);
        whole.filter_map(|(file, (_, md5))| damage(file.path(), file.bytes(), (*md5)?)).collect()
    }

    /// Every byte of every file.
    pub(crate) fn add_to(&self, fingerprint: Fingerprint) -> Fingerprint {
        self.files.iter().fold(fingerprint, |digest, file| digest.part(file.bytes()))
    }
}

/// A memory-mapped file of equal records: `label_bytes`, then three planes of `side_px` squared bytes, red, green, blue.
#[derive(Debug)]
pub(crate) struct RecordFile {
    path: PathBuf,
    bytes: MappedFile,
    layout: RecordLayout,
}

/// What a record consists of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordLayout {
    pub(crate) label_bytes: usize,
    pub(crate) side_px: usize,
    pub(crate) planes: PlaneOrder,
}

/// The order of a plane's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaneOrder {
    RowByRow,
    /// As MATLAB stores matrices.
    ColumnByColumn,
}

impl RecordLayout {
    /// Bytes of one record.
    pub(crate) fn bytes(self) -> usize {
        self.label_bytes + 3 * self.side_px * self.side_px
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

    /// The bytes of record `record`.
    pub(crate) fn record(&self, record: usize) -> &[u8] {
        let bytes = self.layout.bytes();
        &self.bytes[record * bytes..][..bytes]
    }

    /// The pixels of record `record`, upright.
    pub(crate) fn image(&self, record: usize) -> Image {
        let RecordLayout { label_bytes, side_px, planes } = self.layout;
        let (red, rest) = self.record(record)[label_bytes..].split_at(side_px * side_px);
        let (green, blue) = rest.split_at(side_px * side_px);
        let mut rgb = vec![0; 3 * side_px * side_px];
        match planes {
            PlaneOrder::RowByRow => {
                for (pixel, ((&r, &g), &b)) in rgb.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue)) {
                    pixel.copy_from_slice(&[r, g, b]);
                }
            }
            PlaneOrder::ColumnByColumn => {
                for (y, row) in rgb.chunks_exact_mut(3 * side_px).enumerate() {
                    for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
                        let at = x * side_px + y;
                        pixel.copy_from_slice(&[red[at], green[at], blue[at]]);
                    }
                }
            }
        }
        self.bytes.have_read(self.layout.bytes());
        Image::new(side_px, side_px, rgb).expect("a record holds as many pixels as its sides say")
    }

    /// Checks byte `which` of every record's labels against the number of classes.
    pub(crate) fn check_labels(&self, which: usize, classes: usize) -> Result<()> {
        match (0..self.len()).find(|&record| self.label(record, which) >= classes) {
            None => Ok(()),
            Some(record) => {
                let got = self.label(record, which);
                Err(Error::LabelOutOfRange { path: self.path.clone(), record, got, allowed: 0..=classes - 1 })
            }
        }
    }
}

/// A copy of another length than the publisher's is somebody's cut-down copy, or a damaged one; the user should know.
pub(crate) fn warn_unless(path: &Path, images: usize, published: usize) {
    if images != published {
        tracing::warn!("{}: {images} images, where {published} are published", path.display());
    }
}
