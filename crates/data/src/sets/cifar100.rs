use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::class_names::class_names;
use super::entry::{DatasetEntry, Location, OpenRequest, Statistics, not_there};
use super::records::{PlaneOrder, RecordFiles, RecordLayout};
use crate::digest::Fingerprint;
use crate::{Archive, Dataset, Error, HubSource, HubSplit, Image, Result, Split};

/// With its fine classes. Statistics and MD5: as for [`cifar10`](super::cifar10).
pub(super) const ENTRY: DatasetEntry = DatasetEntry {
    name: "cifar100",
    about: "photographs in 100 classes, 50,000 + 10,000 images, 32 px",
    note: "",
    side_px: 32,
    statistics: Statistics { mean: [0.507, 0.487, 0.441], std: [0.267, 0.256, 0.276] },
    location: Location::BelowRoot(Archive {
        file: "cifar-100-binary.tar.gz",
        folder: Cifar100::FOLDER,
        url: Some("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"),
        md5: Some("03b5dce01913d631647c71ecec9e9cb8"),
        bytes: Some(168_513_733),
        missing: |folder| not_there(folder, HUB.splits.iter().flat_map(|split| split.files).map(|(name, _)| *name)),
    }),
    hub: Some(HUB),
    settings: &[],
    may_have_broken_images: false,
    open: |request| open(request, Cifar100Labels::Fine),
};

/// The same files, with their coarse classes.
pub(super) const COARSE_ENTRY: DatasetEntry = DatasetEntry {
    name: "supercifar100",
    about: "cifar100 with its 20 coarse classes",
    open: |request| open(request, Cifar100Labels::Coarse),
    ..ENTRY
};

fn open(request: &OpenRequest<'_>, labels: Cifar100Labels) -> Result<Arc<dyn Dataset>> {
    Ok(Arc::new(Cifar100::open(&request.root.join(Cifar100::FOLDER), request.split, labels)?))
}

/// Each record starts with its coarse label, then its fine one.
const LAYOUT: RecordLayout = RecordLayout { label_bytes: 2, side_px: 32, planes: PlaneOrder::RowByRow };
const CLASSES: [usize; 2] = [COARSE_NAMES.len(), FINE_NAMES.len()];
const HINT: &str = "CIFAR-100 is read from the folder cifar-100-binary of the publisher's binary version; \
     download https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz and put it into the data root, unpacked or as it is";

/// The same images on the Hugging Face hub. MD5s: as for [`cifar10`](super::cifar10).
const HUB: HubSource = HubSource {
    repository: "uoft-cs/cifar100",
    subset: "cifar100",
    image_column: "img",
    side_px: LAYOUT.side_px,
    labels: &[("coarse_label", COARSE_NAMES.len()), ("fine_label", FINE_NAMES.len())],
    splits: &[
        HubSplit { name: "train", files: &[("train.bin", Some("6172c7755cfe09b2fe270c85cebc1b15"))], records: 50_000 },
        HubSplit { name: "test", files: &[("test.bin", Some("4499cfba6c016c1be1438163640a0898"))], records: 10_000 },
    ],
    class_names: &[("coarse_label_names.txt", &COARSE_NAMES), ("fine_label_names.txt", &FINE_NAMES)],
};

/// Which of the two labels that every image of CIFAR-100 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cifar100Labels {
    /// The 100 classes: `cifar100`.
    Fine,
    /// The 20 superclasses of five classes each: `supercifar100`.
    Coarse,
}

impl Cifar100Labels {
    /// The name in configuration files.
    #[must_use]
    pub fn dataset_name(self) -> &'static str {
        match self {
            Self::Fine => "cifar100",
            Self::Coarse => "supercifar100",
        }
    }
}

/// CIFAR-100 in its publisher's binary version: 60,000 photographs of 32 x 32 px in 100 classes, or in 20 superclasses.
///
/// The folder `cifar-100-binary` holds `train.bin`, `test.bin`, `fine_label_names.txt` and `coarse_label_names.txt`. The
/// files are memory-mapped; index order is the publisher's. Files with fewer or more than the usual 50,000 and 10,000
/// records are taken as they are, with a warning, so that a cut-down copy works.
#[derive(Debug)]
pub struct Cifar100 {
    files: RecordFiles,
    split: Split,
    labels: Cifar100Labels,
    class_names: Vec<String>,
    fingerprint: OnceLock<String>,
}

impl Cifar100 {
    /// The folder's name, as the publisher's archive has it.
    pub const FOLDER: &str = "cifar-100-binary";

    /// Opens the folder `cifar-100-binary` and checks the size of the split's file and the range of both labels.
    ///
    /// [`Split::Unlabelled`] is the training images without their labels.
    ///
    /// # Errors
    /// [`Error::Missing`] where the folder or the split's file is not there, [`Error::CutShort`],
    /// [`Error::LabelOutOfRange`], [`Error::ClassNames`], or [`Error::Io`].
    pub fn open(folder: &Path, split: Split, labels: Cifar100Labels) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::Missing { path: folder.to_owned(), hint: HINT.to_owned() });
        }
        let files = RecordFiles::open(folder, HUB.published(split), LAYOUT, &CLASSES, HINT)?;
        let class_names = match labels {
            _ if split == Split::Unlabelled => Vec::new(),
            Cifar100Labels::Fine => class_names(&folder.join("fine_label_names.txt"), &FINE_NAMES)?,
            Cifar100Labels::Coarse => class_names(&folder.join("coarse_label_names.txt"), &COARSE_NAMES)?,
        };
        Ok(Self { files, split, labels, class_names, fingerprint: OnceLock::new() })
    }
}

impl Dataset for Cifar100 {
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
        Some(file.label(record, usize::from(self.labels == Cifar100Labels::Fine)))
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

    /// Over every byte of the split's file, and which labels are taken; computed at the first call.
    fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let labels = if self.split == Split::Unlabelled { "without labels" } else { self.labels.dataset_name() };
            self.files.add_to(Fingerprint::new("cifar100").part(labels.as_bytes())).finish()
        })
    }
}

#[rustfmt::skip]
const COARSE_NAMES: [&str; 20] = [
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices",
    "household_furniture", "insects", "large_carnivores", "large_man-made_outdoor_things", "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates", "people", "reptiles", "small_mammals",
    "trees", "vehicles_1", "vehicles_2",
];

#[rustfmt::skip]
const FINE_NAMES: [&str; 100] = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy", "bridge",
    "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach",
    "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster",
    "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple", "motorcycle",
    "mountain", "mouse", "mushroom", "oak", "orange", "orchid", "otter", "palm", "pear", "pickup_truck", "pine", "plain",
    "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark",
    "shrew", "skunk", "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table",
    "tank", "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow",
    "wolf", "woman", "worm",
];
