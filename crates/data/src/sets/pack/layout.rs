//! The bytes of a pack, read. Whatever they are, they give an error at worst.

use sha2::{Digest, Sha256};

use crate::Split;

pub(super) const MAGIC: &[u8; 8] = b"RELATAPK";
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: usize = 64;
/// An image's entry in the directory.
pub(super) const IMAGE_BYTES: usize = 32;
/// An image's entry in a split.
pub(super) const ENTRY_BYTES: usize = 8;
/// The label of an image that has none.
pub(super) const NO_LABEL: u32 = u32::MAX;

/// What a pack begins with.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) directory_at: u64,
    pub(super) directory_bytes: u64,
    pub(super) directory_sha256: [u8; 32],
}

impl Header {
    pub(super) fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.directory_at.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.directory_bytes.to_le_bytes());
        bytes[32..].copy_from_slice(&self.directory_sha256);
        let checksum = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The header of a file that is all there.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut cursor = Cursor { bytes, at: 0 };
        if cursor.take(8)? != MAGIC {
            return Err("it does not begin as one".to_owned());
        }
        let version = cursor.u32()?;
        if version != VERSION {
            return Err(format!("it is of version {version}, and this program reads version {VERSION}"));
        }
        let checksum = cursor.u32()?;
        let fields = Cursor { bytes, at: cursor.at }.take(HEADER_BYTES - cursor.at)?;
        if crc32fast::hash(fields) != checksum {
            return Err("its header does not match its checksum".to_owned());
        }
        let (directory_at, directory_bytes) = (cursor.u64()?, cursor.u64()?);
        let directory_sha256 = cursor.array()?;
        let expected = directory_at.checked_add(directory_bytes).ok_or("its header says what cannot be")?;
        if bytes.len() as u64 != expected {
            return Err(format!("it has {} bytes instead of {expected}", bytes.len()));
        }
        Ok(Self { directory_at, directory_bytes, directory_sha256 })
    }
}

/// Where the directory's parts lie in the file.
#[derive(Debug)]
pub(super) struct Directory {
    images_at: usize,
    images: usize,
    names_at: usize,
    names_bytes: usize,
    /// Where the pixels of all images end.
    pixels_end: usize,
}

/// One image's entry.
pub(super) struct PackedImage<'a> {
    pub(super) name: &'a str,
    pub(super) width_px: u32,
    pub(super) height_px: u32,
    pub(super) crc32: u32,
    pub(super) rgb: &'a [u8],
}

/// One split.
#[derive(Debug)]
pub(super) struct SplitTable {
    pub(super) fingerprint: String,
    pub(super) class_names: Vec<String>,
    pub(super) len: usize,
    entries_at: usize,
}

impl Directory {
    /// The directory, checked from end to end, and the splits in the order of [`Split::ALL`].
    pub(super) fn read(bytes: &[u8], header: &Header) -> Result<(Self, Vec<Option<SplitTable>>), String> {
        let pixels_end = size(header.directory_at)?;
        let mut cursor = Cursor { bytes, at: pixels_end };
        let whole = Cursor { ..cursor }.take(size(header.directory_bytes)?)?;
        if Sha256::digest(whole)[..] != header.directory_sha256 {
            return Err("its directory does not match its checksum".to_owned());
        }
        let images = size(cursor.u64()?)?;
        let images_at = cursor.at;
        cursor.take(images.checked_mul(IMAGE_BYTES).ok_or("it names too many images")?)?;
        let names_bytes = size(cursor.u64()?)?;
        let names_at = cursor.at;
        cursor.take(names_bytes)?;
        let directory = Self { images_at, images, names_at, names_bytes, pixels_end };
        if let Some(number) = (0..images).find(|&number| directory.image(bytes, number).is_none()) {
            return Err(format!("the entry of image {number} leads out of it"));
        }
        let mut splits = Vec::new();
        for split in Split::ALL {
            let there = cursor.take(1)? == [1];
            splits.push(if there { Some(SplitTable::read(&mut cursor, images, split)?) } else { None });
        }
        Ok((directory, splits))
    }

    /// Image `number`; `None` where there is none, or its entry leads elsewhere.
    pub(super) fn image<'a>(&self, bytes: &'a [u8], number: usize) -> Option<PackedImage<'a>> {
        if number >= self.images {
            return None;
        }
        let mut entry = Cursor { bytes, at: self.images_at + number * IMAGE_BYTES };
        let (at, name_at) = (size(entry.u64().ok()?).ok()?, size(entry.u64().ok()?).ok()?);
        let [width_px, height_px, crc32, name_bytes] =
            [entry.u32().ok()?, entry.u32().ok()?, entry.u32().ok()?, entry.u32().ok()?];
        let length = (width_px as usize).checked_mul(height_px as usize)?.checked_mul(3).filter(|&length| length > 0)?;
        let rgb = bytes.get(HEADER_BYTES..self.pixels_end)?.get(at.checked_sub(HEADER_BYTES)?..)?.get(..length)?;
        let names = bytes.get(self.names_at..)?.get(..self.names_bytes)?;
        let name = std::str::from_utf8(names.get(name_at..)?.get(..name_bytes as usize)?).ok()?;
        Some(PackedImage { name, width_px, height_px, crc32, rgb })
    }
}

impl SplitTable {
    fn read(cursor: &mut Cursor<'_>, images: usize, split: Split) -> Result<Self, String> {
        let fingerprint = cursor.text()?;
        let classes = cursor.u32()?;
        let class_names = (0..classes).map(|_| cursor.text()).collect::<Result<Vec<_>, _>>()?;
        let len = size(cursor.u64()?)?;
        let entries_at = cursor.at;
        cursor.take(len.checked_mul(ENTRY_BYTES).ok_or("a split has too many images")?)?;
        let table = Self { fingerprint, class_names, len, entries_at };
        for index in 0..len {
            let (number, label) = table.entry(cursor.bytes, index).ok_or("a split leads out of it")?;
            if number >= images || label.is_some_and(|label| label >= table.class_names.len()) {
                return Err(format!("image {index} of its {split} split names an image or a class that it does not have"));
            }
        }
        Ok(table)
    }

    /// The number of image `index` among all images, and its label.
    pub(super) fn entry(&self, bytes: &[u8], index: usize) -> Option<(usize, Option<usize>)> {
        if index >= self.len {
            return None;
        }
        let mut entry = Cursor { bytes, at: self.entries_at + index * ENTRY_BYTES };
        let (number, label) = (entry.u32().ok()?, entry.u32().ok()?);
        Some((number as usize, (label != NO_LABEL).then_some(label as usize)))
    }
}

fn size(number: u64) -> Result<usize, String> {
    usize::try_from(number).map_err(|_| format!("{number} bytes are more than this machine can address"))
}

#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..length)).ok_or("its directory is cut short")?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| "its directory is cut short".to_owned())
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.u32()? as usize;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| "a name in it is not UTF-8".to_owned())
    }
}
