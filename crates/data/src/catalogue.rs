use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::folder::Lister;
use crate::{
    Archive, Cifar10, Cifar100, Cifar100Labels, DataConfig, Dataset, Error, Folder, FolderOptions, HubSource, Pack, Result,
    Shapes, ShapesOptions, Slim, Split, Stl10, Tiny,
};

/// Mean and standard deviation of each channel, of values in [0, 1]: what images are normalised with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Of red, green and blue.
    pub mean: [f32; 3],
    /// Of red, green and blue.
    pub std: [f32; 3],
}

/// Opens a split; the last argument is told how many images of a folder are listed so far.
type Opener = fn(&DataConfig, Split, &dyn Fn(usize)) -> Result<Arc<dyn Dataset>>;

/// What is known about a data set before it is opened.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The name in configuration files.
    pub name: &'static str,
    /// One line on what it is.
    pub about: &'static str,
    /// Side in pixels of the views to train on: the images' own side, or a customary one where they differ.
    pub side_px: usize,
    /// What to normalise with.
    pub statistics: Statistics,
    /// What its publisher packs it into.
    pub archive: Option<Archive>,
    /// Where the Hugging Face hub has the same.
    pub hub: Option<HubSource>,
    /// Whether images lie in files of their own, so that single ones may be broken.
    pub(crate) files: bool,
    /// What the data set's folder must hold and does not, by a look at names.
    pub(crate) missing: fn(&Path) -> Vec<PathBuf>,
    /// Opens a split.
    pub(crate) open: Opener,
}

/// Half a unit about the middle: for data without statistics of its own.
const CENTRED: Statistics = Statistics { mean: [0.5; 3], std: [0.25; 3] };
/// The reference's figures (`datamanager.py` of mpatacchiola/self-supervised-relational-reasoning) for these and the next.
const CIFAR10: Statistics = Statistics { mean: [0.491, 0.482, 0.447], std: [0.247, 0.243, 0.262] };
const CIFAR100: Statistics = Statistics { mean: [0.507, 0.487, 0.441], std: [0.267, 0.256, 0.276] };
const STL10: Statistics = Statistics { mean: [0.5; 3], std: [0.5; 3] };

/// MD5s of the next two: <https://www.cs.toronto.edu/~kriz/cifar.html>.
const CIFAR10_ARCHIVE: Archive = Archive {
    file: "cifar-10-binary.tar.gz",
    folder: Cifar10::FOLDER,
    url: Some("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
    md5: Some("c32a1d4ab5d03f1284b67883e8d87530"),
    bytes: Some(170_052_171),
};
const CIFAR100_ARCHIVE: Archive = Archive {
    file: "cifar-100-binary.tar.gz",
    folder: Cifar100::FOLDER,
    url: Some("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"),
    md5: Some("03b5dce01913d631647c71ecec9e9cb8"),
    bytes: Some(168_513_733),
};
/// MD5: torchvision's `datasets/stl10.py`.
const STL10_ARCHIVE: Archive = Archive {
    file: "stl10_binary.tar.gz",
    folder: Stl10::FOLDER,
    url: Some("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"),
    md5: Some("91f7769df0f17e558f3565bffb0c7dfb"),
    bytes: Some(2_640_397_119),
};
/// The MD5 that loaders of tiny-ImageNet agree on; its publisher gives none.
const TINY_ARCHIVE: Archive = Archive {
    file: "tiny-imagenet-200.zip",
    folder: Tiny::FOLDER,
    url: Some("http://cs231n.stanford.edu/tiny-imagenet-200.zip"),
    md5: Some("90528d7ca1a48142e341f4ef8d21d0de"),
    bytes: Some(248_100_043),
};
/// The publisher's own (`.tar.bz2`) is split by classes and cannot be read as it is; this is the user's, laid out anew.
const SLIM_ARCHIVE: Archive = Archive { file: "SlimageNet64.zip", folder: Slim::FOLDER, url: None, md5: None, bytes: None };

const CATALOGUE: &[Entry] = &[
    Entry {
        name: "shapes",
        about: "embedded: ten figures in random colours, 10,000 + 2,000 images, 32 px",
        side_px: 32,
        statistics: CENTRED,
        archive: None,
        hub: None,
        files: false,
        missing: nothing_missing,
        open: open_shapes,
    },
    Entry {
        name: "cifar10",
        about: "photographs in 10 classes, 50,000 + 10,000 images, 32 px",
        side_px: 32,
        statistics: CIFAR10,
        archive: Some(CIFAR10_ARCHIVE),
        hub: Some(Cifar10::HUB),
        files: false,
        missing: Cifar10::missing,
        open: open_cifar10,
    },
    Entry {
        name: "cifar100",
        about: "photographs in 100 classes, 50,000 + 10,000 images, 32 px",
        side_px: 32,
        statistics: CIFAR100,
        archive: Some(CIFAR100_ARCHIVE),
        hub: Some(Cifar100::HUB),
        files: false,
        missing: Cifar100::missing,
        open: open_cifar100,
    },
    Entry {
        name: "supercifar100",
        about: "cifar100 with its 20 coarse classes",
        side_px: 32,
        statistics: CIFAR100,
        archive: Some(CIFAR100_ARCHIVE),
        hub: Some(Cifar100::HUB),
        files: false,
        missing: Cifar100::missing,
        open: open_supercifar100,
    },
    Entry {
        name: "stl10",
        about: "photographs in 10 classes, 5,000 + 8,000 and 100,000 unlabelled images, 96 px",
        side_px: 96,
        statistics: STL10,
        archive: Some(STL10_ARCHIVE),
        hub: None,
        files: false,
        missing: Stl10::missing,
        open: open_stl10,
    },
    Entry {
        name: "tiny",
        about: "tiny-ImageNet: photographs in 200 classes, 100,000 + 10,000 images, 64 px",
        side_px: 64,
        statistics: CENTRED,
        archive: Some(TINY_ARCHIVE),
        hub: None,
        files: true,
        missing: Tiny::missing,
        open: open_tiny,
    },
    Entry {
        name: "slim",
        about: "SlimageNet64: photographs in 1000 classes, 200 images each, 64 px, in train/ and test/",
        side_px: 64,
        statistics: CENTRED,
        archive: Some(SLIM_ARCHIVE),
        hub: None,
        files: true,
        missing: Slim::missing,
        open: open_slim,
    },
    Entry {
        name: "folder",
        about: "your own images: PNG, JPEG and WebP files in path, of any size, with or without class folders",
        side_px: 64,
        statistics: CENTRED,
        archive: None,
        hub: None,
        files: true,
        missing: nothing_missing,
        open: open_folder,
    },
    Entry {
        name: "pack",
        about: "any of these in one file of decoded images, as data pack writes it",
        side_px: 64,
        statistics: CENTRED,
        archive: None,
        hub: None,
        files: true,
        missing: nothing_missing,
        open: open_pack,
    },
];

/// Every data set that has a name.
#[must_use]
pub fn catalogue() -> &'static [Entry] {
    CATALOGUE
}

/// What is known about the data set `name`.
///
/// # Errors
/// [`Error::UnknownDataset`], with the name most like it.
pub fn entry(name: &str) -> Result<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name).ok_or_else(|| Error::UnknownDataset {
        name: name.to_owned(),
        nearest: nearest(name),
        known: names(),
    })
}

/// What to normalise the data set `name` with: the reference's figures for CIFAR and STL-10; mean 0.5 and standard deviation 0.25
/// for all others (`shapes`, `tiny`, `slim`, `folder`, `pack`), which have none of their own.
///
/// # Errors
/// As [`entry`].
pub fn statistics(name: &str) -> Result<Statistics> {
    Ok(entry(name)?.statistics)
}

fn nothing_missing(_: &Path) -> Vec<PathBuf> {
    Vec::new()
}

fn open_shapes(config: &DataConfig, split: Split, _: &dyn Fn(usize)) -> Result<Arc<dyn Dataset>> {
    let options = ShapesOptions { split, difficulty: config.difficulty, seed: config.shapes_seed, ..ShapesOptions::default() };
    Ok(Arc::new(Shapes::new(options)?))
}

fn open_cifar10(config: &DataConfig, split: Split, _: &dyn Fn(usize)) -> Result<Arc<dyn Dataset>> {
    Ok(Arc::new(Cifar10::open(&config.root.join(Cifar10::FOLDER), split)?))
}

fn open_cifar100(config: &DataConfig, split: Split, _: &dyn Fn(usize)) -> Result<Arc<dyn Dataset>> {
    Ok(Arc::new(Cifar100::open(&config.root.join(Cifar100::FOLDER), split, Cifar100Labels::Fine)?))
}

fn open_supercifar100(config: &DataConfig, split: Split, _: &dyn Fn(usize)) -> Result<Arc<dyn Dataset>> {
    Ok(Arc::new(Cifar100::open(&config.root.join(Cifar100::FOLDER), split, Cifar100Labels::Coarse)?))
}

fn open_stl10(config: &DataConfig, split: Split, _: &dyn Fn(usize)) -> Result<Arc<dyn Dataset>> {
    let folder = config.root.join(Stl10::FOLDER);
    if config.stl10_fold > 0 && split == Split::Train {
        return Ok(Arc::new(Stl10::fold(&folder, config.stl10_fold)?));
    }
    Ok(Arc::new(Stl10::open(&folder, split)?))
}

fn open_tiny(config: &DataConfig, split: Split, listed: &dyn Fn(usize)) -> Result<Arc<dyn Dataset>> {
    let lister = Lister { index: config.index, listed };
    Ok(Arc::new(Tiny::list(&config.root.join(Tiny::FOLDER), split, lister)?))
}

fn open_slim(config: &DataConfig, split: Split, listed: &dyn Fn(usize)) -> Result<Arc<dyn Dataset>> {
    let lister = Lister { index: config.index, listed };
    Ok(Arc::new(Slim::list(&config.root.join(Slim::FOLDER), split, lister)?))
}

fn open_folder(config: &DataConfig, split: Split, listed: &dyn Fn(usize)) -> Result<Arc<dyn Dataset>> {
    if config.path.as_os_str().is_empty() {
        let allowed = "the path of a folder of images, as dataset is \"folder\"";
        return Err(Error::Setting { key: "path", value: "\"\"".to_owned(), allowed });
    }
    let DataConfig { index, jpeg_side_px, .. } = *config;
    let options = FolderOptions { split, index, jpeg_side_px, ..FolderOptions::default() };
    Ok(Arc::new(Folder::list(&config.path, options, listed)?))
}

fn open_pack(config: &DataConfig, split: Split, _: &dyn Fn(usize)) -> Result<Arc<dyn Dataset>> {
    if config.path.as_os_str().is_empty() {
        let allowed = "the path of a file that data pack has written, as dataset is \"pack\"";
        return Err(Error::Setting { key: "path", value: "\"\"".to_owned(), allowed });
    }
    Ok(Arc::new(Pack::open(&config.path, split)?))
}

fn names() -> String {
    CATALOGUE.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

/// The known name that `name` was most likely meant to be.
fn nearest(name: &str) -> Option<String> {
    let likeness = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), known);
    let (best, known) = CATALOGUE.iter().map(|entry| (likeness(entry.name), entry.name)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best > 0.75).then(|| known.to_owned())
}
