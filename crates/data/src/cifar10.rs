use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::OnceLock;

use crate::digest::Fingerprint;
use crate::records::{RecordFile, RecordLayout};
use crate::{Dataset, Error, Image, Result, Split};

const SIDE_PX: usize = 32;
const CLASSES: usize = 10;
const LAYOUT: RecordLayout = RecordLayout { label_bytes: 1, plane_px: SIDE_PX * SIDE_PX };
const TRAIN_FILES: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
const TEST_FILES: [&str; 1] = ["test_batch.bin"];
const NAMES_FILE: &str = "batches.meta.txt";
const HINT: &str = "CIFAR-10 is read from the folder cifar-10-batches-bin of the publisher's binary version; \
     download https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz and unpack it into the data root";

/// CIFAR-10 in its publisher's binary version: 60,000 photographs of 32 x 32 px in ten classes.
///
/// The folder `cifar-10-batches-bin` holds `data_batch_1.bin` to `data_batch_5.bin` (train), `test_batch.bin` and
/// `batches.meta.txt` (the class names). The files are memory-mapped; index order is the publisher's. Files with fewer or
/// more than the usual 10,000 records are taken as they are, so that a cut-down copy works.
#[derive(Debug)]
pub struct Cifar10 {
    files: Vec<RecordFile>,
    /// The index of each file's first image, and at the end the number of all images.
    starts: Vec<usize>,
    split: Split,
    class_names: Vec<String>,
    fingerprint: OnceLock<String>,
}

impl Cifar10 {
    /// The folder's name, as the publisher's archive has it.
    pub const FOLDER: &str = "cifar-10-batches-bin";

    /// Opens the folder `cifar-10-batches-bin` and checks the size of every file and the range of every label.
    ///
    /// [`Split::Unlabelled`] is the training images without their labels.
    ///
    /// # Errors
    /// [`Error::Missing`] where the folder or one of the split's files is not there, [`Error::CutShort`],
    /// [`Error::LabelOutOfRange`], [`Error::ClassNames`], or [`Error::Io`].
    pub fn open(folder: &Path, split: Split) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::Missing { path: folder.to_owned(), hint: HINT.to_owned() });
        }
        let names: &[&str] = if split == Split::Test { &TEST_FILES } else { &TRAIN_FILES };
        let mut files = Vec::with_capacity(names.len());
        let mut starts = vec![0];
        for name in names {
            let file = RecordFile::open(&folder.join(name), LAYOUT, HINT)?;
            file.check_labels(0, CLASSES)?;
            starts.push(starts[starts.len() - 1] + file.len());
            files.push(file);
        }
        let class_names = if split == Split::Unlabelled { Vec::new() } else { class_names(folder)? };
        Ok(Self { files, starts, split, class_names, fingerprint: OnceLock::new() })
    }

    /// The file that holds image `index`, and the image's record in it.
    fn locate(&self, index: usize) -> Option<(&RecordFile, usize)> {
        let file = self.starts.partition_point(|&start| start <= index) - 1;
        Some((self.files.get(file)?, index - self.starts[file]))
    }
}

impl Dataset for Cifar10 {
    fn len(&self) -> usize {
        self.starts[self.files.len()]
    }

    fn image(&self, index: usize) -> Result<Image> {
        let (file, record) = self.locate(index).ok_or_else(|| Error::IndexOutOfRange { index, len: self.len() })?;
        let rgb = file.interleaved_rgb(record);
        Ok(Image::new(SIDE_PX, SIDE_PX, rgb).expect("a record holds 32 x 32 pixels"))
    }

    fn label(&self, index: usize) -> Option<usize> {
        if self.split == Split::Unlabelled {
            return None;
        }
        let (file, record) = self.locate(index)?;
        Some(file.label(record, 0))
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn source(&self, index: usize) -> String {
        match self.locate(index) {
            Some((file, record)) => format!("{}, record {record}", file.path().display()),
            None => format!("CIFAR-10, image {index} of {}", self.len()),
        }
    }

    /// Over every byte of the split's files; computed when first asked for (0.3 s for the whole training set).
    fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let labels = if self.split == Split::Unlabelled { "without labels" } else { "with labels" };
            let start = Fingerprint::new("cifar10").part(labels.as_bytes());
            self.files.iter().fold(start, |digest, file| digest.part(file.bytes())).finish()
        })
    }
}

/// The ten names of `batches.meta.txt`; the publisher's own where the file is not there, as in copies without it.
fn class_names(folder: &Path) -> Result<Vec<String>> {
    let path = folder.join(NAMES_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) if source.kind() == ErrorKind::NotFound => PUBLISHED_NAMES.join("\n"),
        Err(source) => return Err(Error::Io { path, source }),
    };
    let names: Vec<String> = text.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.len() != CLASSES {
        return Err(Error::ClassNames { path, expected: CLASSES, got: names.len() });
    }
    Ok(names)
}

const PUBLISHED_NAMES: [&str; CLASSES] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
