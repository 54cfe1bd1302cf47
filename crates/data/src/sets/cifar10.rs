use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::class_names::class_names;
use super::entry::{DatasetEntry, Location, OpenRequest, Statistics, not_there};
use super::records::{PlaneOrder, RecordFiles, RecordLayout};
use crate::digest::Fingerprint;
use crate::{Archive, Dataset, Error, HubSource, HubSplit, Image, Result, Split};

/// Statistics: the reference's (`datamanager.py` of mpatacchiola/self-supervised-relational-reasoning). MD5:
/// <https://www.cs.toronto.edu/~kriz/cifar.html>.
pub(super) const ENTRY: DatasetEntry = DatasetEntry {
    name: "cifar10",
    about: "photographs in 10 classes, 50,000 + 10,000 images, 32 px",
    note: "",
    side_px: 32,
    statistics: Statistics { mean: [0.491, 0.482, 0.447], std: [0.247, 0.243, 0.262] },
    location: Location::BelowRoot(Archive {
        file: "cifar-10-binary.tar.gz",
        folder: Cifar10::FOLDER,
        url: Some("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
        md5: Some("c32a1d4ab5d03f1284b67883e8d87530"),
        bytes: Some(170_052_171),
        missing: |folder| not_there(folder, TRAIN_FILES.iter().chain(&TEST_FILES)),
    }),
    hub: Some(HUB),
    settings: &[],
    may_have_broken_images: false,
    open,
};

fn open(request: &OpenRequest<'_>) -> Result<Arc<dyn Dataset>> {
    Ok(Arc::new(Cifar10::open(&request.root.join(Cifar10::FOLDER), request.split)?))
}

const CLASSES: usize = 10;
const LAYOUT: RecordLayout = RecordLayout { label_bytes: 1, side_px: 32, planes: PlaneOrder::RowByRow };
/// In each file.
const PUBLISHED_RECORDS: usize = 10_000;
const TRAIN_FILES: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
const TEST_FILES: [&str; 1] = ["test_batch.bin"];
const NAMES_FILE: &str = "batches.meta.txt";
const HINT: &str = "CIFAR-10 is read from the folder cifar-10-batches-bin of the publisher's binary version; \
     download https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz and put it into the data root, unpacked or as it is";

/// The same images on the Hugging Face hub. MD5s: of files whose SHA-1 are those that `gluon/data/vision/datasets.py` of
/// Apache MXNet gives for the publisher's.
const HUB: HubSource = HubSource {
    repository: "uoft-cs/cifar10",
    subset: "plain_text",
    image_column: "img",
    side_px: LAYOUT.side_px,
    labels: &[("label", CLASSES)],
    splits: &[
        HubSplit {
            name: "train",
            files: &[
                (TRAIN_FILES[0], Some("5dd7e06a14cb22eb9f671a540d1b7c25")),
                (TRAIN_FILES[1], Some("5ea93a67294ea407fff1d09f752e9692")),
                (TRAIN_FILES[2], Some("942cd6a4bcdd0dd3c604fbe906cb4421")),
                (TRAIN_FILES[3], Some("ae636b3ba5c66a11e91e8cb52e771fcb")),
                (TRAIN_FILES[4], Some("53f37980c15c3d472c316c40844f3f0d")),
            ],
            records: PUBLISHED_RECORDS,
        },
        HubSplit {
            name: "test",
            files: &[(TEST_FILES[0], Some("803d5f7f4d78ea53de84dbe85f74fb6d"))],
            records: PUBLISHED_RECORDS,
        },
    ],
    class_names: &[(NAMES_FILE, &PUBLISHED_NAMES)],
};

/// CIFAR-10 in its publisher's binary version: 60,000 photographs of 32 x 32 px in ten classes.
///
/// The folder `cifar-10-batches-bin` holds `data_batch_1.bin` to `data_batch_5.bin` (train), `test_batch.bin` and
/// `batches.meta.txt` (the class names). The files are memory-mapped; index order is the publisher's. Files with fewer or
/// more than the usual 10,000 records are taken as they are, with a warning, so that a cut-down copy works.
#[derive(Debug)]
pub struct Cifar10 {
    files: RecordFiles,
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
        let published = HUB.published(split);
        let files = RecordFiles::open(folder, published, LAYOUT, &[CLASSES], HINT)?;
        let class_names =
            if split == Split::Unlabelled { Vec::new() } else { class_names(&folder.join(NAMES_FILE), &PUBLISHED_NAMES)? };
        Ok(Self { files, split, class_names, fingerprint: OnceLock::new() })
    }
}

impl Dataset for Cifar10 {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        self.files.image(index)
    }

    fn label(&self, index: usize) -> Option<usize> {
        if self.split == Split::Unlabelled {
            return None;
        }
        let (file, record) = self.files.locate(index)?;
        Some(file.label(record, 0))
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn damaged_files(&self) -> Vec<Error> {
        self.files.damaged()
    }

    fn source(&self, index: usize) -> String {
        self.files.source(index)
    }

    /// Over every byte of the split's files; computed at the first call (0.3 s for the whole training set).
    fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let labels = if self.split == Split::Unlabelled { "without labels" } else { "with labels" };
            self.files.add_to(Fingerprint::new("cifar10").part(labels.as_bytes())).finish()
        })
    }
}

const PUBLISHED_NAMES: [&str; CLASSES] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
