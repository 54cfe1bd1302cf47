//! A data set in one file: decoded images, ready to be read.

mod layout;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use self::layout::{Directory, HEADER_BYTES, Header, SplitTable};
pub use self::write::{PackSummary, pack};
use super::entry::{DatasetEntry, Location, OpenRequest, Statistics};
use crate::digest::Fingerprint;
use crate::mmap::MappedFile;
use crate::{Dataset, Error, Image, Result, Split};

/// Any data set, packed.
pub(super) const ENTRY: DatasetEntry = DatasetEntry {
    name: "pack",
    about: "any of these in one file of decoded images, as data pack writes it",
    note: "",
    side_px: 64,
    statistics: Statistics::CENTRED,
    location: Location::FileAtPath,
    hub: None,
    settings: &[],
    may_have_broken_images: true,
    open,
};

fn open(request: &OpenRequest<'_>) -> Result<Arc<dyn Dataset>> {
    if request.path.as_os_str().is_empty() {
        let allowed = "the path of a file that data pack has written, as dataset is \"pack\"";
        return Err(Error::Setting { key: "path", value: "\"\"".to_owned(), allowed });
    }
    Ok(Arc::new(Pack::open(request.path, request.split)?))
}

/// One split of a data set that [`pack`] has written: images are bytes of a memory-mapped file, so that reading one is copying it.
///
/// Opening reads the directory and checks it against its SHA-256; each image is checked against its CRC-32 whenever it is read. It
/// keeps a few hundred bytes in memory, whatever the number of images: all else stays in the file. An image's name is where it came
/// from, without the folder that all of them lay in.
///
/// | bytes | content (little-endian) |
/// |---|---|
/// | 8 | `RELATAPK` |
/// | 4, 4 | version, 1; CRC-32 of the rest of the header |
/// | 8, 8, 32 | where the directory begins; its length, with which the file ends; its SHA-256 |
/// | | the images' bytes, `[height, width, 3]` each, one after the other |
/// | 8 | the directory: number of images, |
/// | 32 each | where it begins, where its name begins among the names (8, 8); width, height, CRC-32, length of its name (4 each) |
/// | 8, | length of the names; the names |
/// | 1 a split | train, test, unlabelled: 1 where it is there, and then |
/// | | its fingerprint; number of classes (4), their names; number of its images (8), image (4) and label (4; all ones: none) each |
///
/// Texts are their length (4) and their UTF-8.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    bytes: MappedFile,
    directory: Directory,
    which: Split,
    split: SplitTable,
    fingerprint: OnceLock<String>,
}

impl Pack {
    /// Opens one split.
    ///
    /// # Errors
    /// [`Error::NoSuchPath`], [`Error::BadPack`] for a file that is not a pack, is cut short, damaged or of another version,
    /// [`Error::NoSuchSplit`], or [`Error::Io`].
    pub fn open(path: &Path, split: Split) -> Result<Self> {
        let bad = |reason: String| Error::BadPack { path: path.to_owned(), reason };
        if !path.is_file() {
            return Err(Error::NoSuchPath { path: path.to_owned(), expected: "a file that `data pack` has written" });
        }
        let length = path.metadata().map_err(|source| Error::Io { path: path.to_owned(), source })?.len();
        if length < HEADER_BYTES as u64 {
            return Err(bad(format!("it has {length} bytes, less than a header")));
        }
        let bytes = crate::mmap::map(path)?;
        let header = Header::read(&bytes).map_err(bad)?;
        let (directory, splits) = Directory::read(&bytes, &header).map_err(bad)?;
        let Some(table) = Split::ALL.into_iter().zip(splits).find_map(|(which, table)| table.filter(|_| which == split)) else {
            let reason = "it was packed without one".to_owned();
            return Err(Error::NoSuchSplit { path: path.to_owned(), split, reason });
        };
        Ok(Self { path: path.to_owned(), bytes, directory, which: split, split: table, fingerprint: OnceLock::new() })
    }

    /// The fingerprint of the data set that was packed.
    #[must_use]
    pub fn packed_from(&self) -> &str {
        &self.split.fingerprint
    }
}

impl Dataset for Pack {
    fn len(&self) -> usize {
        self.split.len
    }

    fn image(&self, index: usize) -> Result<Image> {
        let (number, _) = self.split.entry(&self.bytes, index).ok_or(Error::IndexOutOfRange { index, len: self.len() })?;
        let broken = |reason: String| Error::BrokenImage { path: self.path.clone(), reason };
        let image = self.directory.image(&self.bytes, number).ok_or_else(|| broken(format!("it has no image {number}")))?;
        if crc32fast::hash(image.rgb) != image.crc32 {
            return Err(broken(format!("the bytes of {} do not match their checksum: pack the images again", image.name)));
        }
        let (width, height) = (image.width_px as usize, image.height_px as usize);
        let rgb = image.rgb.to_vec();
        self.bytes.have_read(rgb.len());
        Image::new(width, height, rgb).ok_or_else(|| broken(format!("{} has no pixels", image.name)))
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.split.entry(&self.bytes, index)?.1
    }

    fn class_names(&self) -> &[String] {
        &self.split.class_names
    }

    fn source(&self, index: usize) -> String {
        let entry = self.split.entry(&self.bytes, index).and_then(|(number, _)| self.directory.image(&self.bytes, number));
        match entry {
            Some(image) => format!("{}, {}", self.path.display(), image.name),
            None => format!("{}, image {index} of {}", self.path.display(), self.len()),
        }
    }

    /// Over the class names, and each image's size, CRC-32 and label: what the split holds, wherever it was packed from, and whatever
    /// splits lie beside it. Computed at the first call.
    fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let names = &self.split.class_names;
            let start = Fingerprint::new("pack content").part(self.which.name().as_bytes()).number(names.len() as u64);
            let named = names.iter().fold(start, |digest, name| digest.part(name.as_bytes()));
            let images = (0..self.len()).filter_map(|index| {
                let (number, label) = self.split.entry(&self.bytes, index)?;
                Some((self.directory.image(&self.bytes, number)?, label))
            });
            let all = images.fold(named.number(self.len() as u64), |digest, (image, label)| {
                let size = u64::from(image.width_px) << 32 | u64::from(image.height_px);
                digest.number(size).number(image.crc32.into()).number(label.map_or(u64::MAX, |label| label as u64))
            });
            all.finish()
        })
    }
}
