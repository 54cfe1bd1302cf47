use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::class_names::class_names;
use super::entry::{DatasetEntry, Location, OpenRequest, Statistics};
use super::records::{PlaneOrder, RecordFile, RecordLayout, warn_unless};
use super::setting::{OwnSetting, SettingKind};
use crate::digest::{Fingerprint, damage};
use crate::{Archive, Dataset, Error, Image, Result, Split, Subset};

/// Statistics: the reference's (`datamanager.py` of mpatacchiola/self-supervised-relational-reasoning). MD5: torchvision's
/// `datasets/stl10.py`.
pub(super) const ENTRY: DatasetEntry = DatasetEntry {
    name: "stl10",
    about: "photographs in 10 classes, 5,000 + 8,000 and 100,000 unlabelled images, 96 px",
    note: "",
    side_px: 96,
    statistics: Statistics { mean: [0.5; 3], std: [0.5; 3] },
    location: Location::BelowRoot(Archive {
        file: "stl10_binary.tar.gz",
        folder: Stl10::FOLDER,
        url: Some("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"),
        md5: Some("91f7769df0f17e558f3565bffb0c7dfb"),
        bytes: Some(2_640_397_119),
        missing,
    }),
    hub: None,
    settings: &[FOLD],
    may_have_broken_images: false,
    open,
};

const FOLD: OwnSetting = OwnSetting {
    key: "stl10_fold",
    about: "trains on one of the publisher's ten folds of 1,000 images; 0: on all 5,000",
    allowed: "1 to 10, or 0 for all images",
    kind: SettingKind::Number { default: 0, greatest: FOLDS as u64 },
    picks_images: true,
};

fn open(request: &OpenRequest<'_>) -> Result<Arc<dyn Dataset>> {
    let folder = request.root.join(Stl10::FOLDER);
    match request.settings.number(&FOLD) {
        fold if fold > 0 && request.split == Split::Train => Ok(Arc::new(Stl10::fold(&folder, fold as usize)?)),
        _ => Ok(Arc::new(Stl10::open(&folder, request.split)?)),
    }
}

const LAYOUT: RecordLayout = RecordLayout { label_bytes: 0, side_px: 96, planes: PlaneOrder::ColumnByColumn };
const FOLDS: usize = 10;
/// Of each.
const FOLD_IMAGES: usize = 1_000;
/// Of the files of each split, images and labels. MD5s: torchvision's `datasets/stl10.py`.
const TRAIN: Published = Published {
    name: "train",
    images: 5_000,
    images_md5: "918c2871b30a85fa023e0c44e0bee87f",
    labels_md5: Some("5a34089d4802c674881badbb80307741"),
};
const TEST: Published = Published {
    name: "test",
    images: 8_000,
    images_md5: "7f263ba9f9e0b06b93213547f721ac82",
    labels_md5: Some("36f9794fa4beb8a2c72628de14fa638e"),
};
const UNLABELLED: Published =
    Published { name: "unlabeled", images: 100_000, images_md5: "5242ba1fed5e4be9e1e742405eb56ca4", labels_md5: None };
/// At most as many images of a file go into its fingerprint.
const FINGERPRINT_IMAGES: usize = 64;
const HINT: &str = "STL-10 is read from the folder stl10_binary of the publisher's archive; \
     download http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz and put it into the data root, unpacked or as it is";

/// STL-10 in its publisher's binary version: photographs of 96 x 96 px, 5,000 to train on and 8,000 to test with in ten
/// classes, and 100,000 without labels.
///
/// The folder `stl10_binary` holds `train_X.bin`, `train_y.bin`, `test_X.bin`, `test_y.bin`, `unlabeled_X.bin` and
/// `class_names.txt`. The publisher counts labels from 1 and stores each colour plane column by column; here labels count
/// from 0 and images are upright. The images are memory-mapped, so that the 2.8 GB of `unlabeled_X.bin` are opened at once
/// and read image by image. Files with fewer or more than the usual records are taken as they are, with a warning.
#[derive(Debug)]
pub struct Stl10 {
    published: Published,
    images: RecordFile,
    /// Counted from 0; empty for the unlabelled split.
    labels: Vec<u8>,
    class_names: Vec<String>,
    fingerprint: OnceLock<String>,
}

/// What the publisher put into the files of a split.
#[derive(Debug, Clone, Copy)]
struct Published {
    /// What their names begin with.
    name: &'static str,
    images: usize,
    images_md5: &'static str,
    labels_md5: Option<&'static str>,
}

impl Published {
    fn of(split: Split) -> Self {
        match split {
            Split::Train => TRAIN,
            Split::Test => TEST,
            Split::Unlabelled => UNLABELLED,
        }
    }

    fn images_path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}_X.bin", self.name))
    }

    fn labels_path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}_y.bin", self.name))
    }
}

impl Stl10 {
    /// The folder's name, as the publisher's archive has it.
    pub const FOLDER: &str = "stl10_binary";

    /// Opens the folder `stl10_binary` and checks the size of the split's files and the range of every label.
    ///
    /// [`Split::Unlabelled`] is the publisher's own, `unlabeled_X.bin`.
    ///
    /// # Errors
    /// [`Error::Missing`] where the folder or one of the split's files is not there, [`Error::CutShort`],
    /// [`Error::LabelCount`], [`Error::LabelOutOfRange`], [`Error::ClassNames`], or [`Error::Io`].
    pub fn open(folder: &Path, split: Split) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::Missing { path: folder.to_owned(), hint: HINT.to_owned() });
        }
        let published = Published::of(split);
        let images = RecordFile::open(&published.images_path(folder), LAYOUT, HINT)?;
        warn_unless(images.path(), images.len(), published.images);
        let (labels, class_names) = match split {
            Split::Unlabelled => (Vec::new(), Vec::new()),
            Split::Train | Split::Test => (
                read_labels(&published.labels_path(folder), &images)?,
                class_names(&folder.join("class_names.txt"), &PUBLISHED_NAMES)?,
            ),
        };
        Ok(Self { published, images, labels, class_names, fingerprint: OnceLock::new() })
    }

    /// The training images of the published fold `fold`, 1 to 10: 1,000 of the 5,000, drawn by the publisher for everybody.
    /// Scores on STL-10 are means over the ten of them; `fold_indices.txt` lists them. A line of more or fewer is taken, with a warning.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no such fold, [`Error::Missing`], [`Error::Line`] where `fold_indices.txt` does not hold
    /// it, names an image twice, or one that a cut-down copy lacks, or those of [`Stl10::open`].
    pub fn fold(folder: &Path, fold: usize) -> Result<Subset> {
        if !(1..=FOLDS).contains(&fold) {
            return Err(Error::Setting { key: FOLD.key, value: fold.to_string(), allowed: FOLD.allowed });
        }
        let train = Self::open(folder, Split::Train)?;
        let indices = read_fold(&folder.join("fold_indices.txt"), fold, train.len())?;
        Subset::of(Arc::new(train), indices)
    }
}

impl Dataset for Stl10 {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        if index >= self.len() {
            return Err(Error::IndexOutOfRange { index, len: self.len() });
        }
        Ok(self.images.image(index))
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labels.get(index).copied().map(usize::from)
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Both files of the split.
    fn damaged_files(&self) -> Vec<Error> {
        let Published { images, images_md5, labels_md5, .. } = self.published;
        if self.len() != images {
            return Vec::new();
        }
        let mut damaged: Vec<Error> = damage(self.images.path(), self.images.bytes(), images_md5).into_iter().collect();
        if let (Some(md5), Some(folder)) = (labels_md5, self.images.path().parent()) {
            // As they are on disk, where they count from 1.
            let labels: Vec<u8> = self.labels.iter().map(|label| label + 1).collect();
            damaged.extend(damage(&self.published.labels_path(folder), &labels, md5));
        }
        damaged
    }

    fn source(&self, index: usize) -> String {
        format!("{}, record {index}", self.images.path().display())
    }

    /// Over the number of images, all labels, and 64 images spread evenly over the file, the first and the last among them:
    /// to read all of `unlabeled_X.bin` would take longer than to train on a part of it.
    fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let (len, picked) = (self.len(), self.len().min(FINGERPRINT_IMAGES));
            let start = Fingerprint::new("stl10").number(len as u64).part(&self.labels);
            // At least one record, as RecordFile checks; of one alone, the first is the last.
            let spread = (0..picked).map(|i| if picked == 1 { 0 } else { i * (len - 1) / (picked - 1) });
            spread.fold(start, |digest, record| digest.part(self.images.record(record))).finish()
        })
    }
}

/// What of it is not in its folder.
fn missing(folder: &Path) -> Vec<PathBuf> {
    let of_split = |published: Published| {
        let labels = published.labels_md5.map(|_| published.labels_path(folder));
        [Some(published.images_path(folder)), labels].into_iter().flatten()
    };
    [TRAIN, TEST, UNLABELLED].into_iter().flat_map(of_split).filter(|path| !path.exists()).collect()
}

/// Ten lines of indices, one a fold.
fn read_fold(path: &Path, fold: usize, images: usize) -> Result<Vec<usize>> {
    let text = fs::read_to_string(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Error::Missing { path: path.to_owned(), hint: HINT.to_owned() },
        _ => Error::Io { path: path.to_owned(), source },
    })?;
    let line = text.lines().nth(fold - 1).unwrap_or_default();
    let indices: Vec<usize> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let bad = line.split_whitespace().find(|word| word.parse::<usize>().map_or(true, |index| index >= images));
    if let Some(got) = bad.or(indices.is_empty().then_some("nothing")) {
        let expected = "indices of training images that are there";
        return Err(Error::Line { path: path.to_owned(), line: fold, expected, got: got.to_owned() });
    }
    let mut seen = HashSet::with_capacity(indices.len());
    if let Some(twice) = indices.iter().find(|index| !seen.insert(**index)) {
        let expected = "each index once, as the list is published";
        return Err(Error::Line { path: path.to_owned(), line: fold, expected, got: format!("{twice} twice") });
    }
    warn_unless(path, indices.len(), FOLD_IMAGES);
    Ok(indices)
}

/// One byte an image, 1 to 10 as published, counted from 0 from here on.
fn read_labels(path: &Path, images: &RecordFile) -> Result<Vec<u8>> {
    let mut labels = fs::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Error::Missing { path: path.to_owned(), hint: HINT.to_owned() },
        _ => Error::Io { path: path.to_owned(), source },
    })?;
    if labels.len() != images.len() {
        let (path, image_path): (PathBuf, PathBuf) = (path.to_owned(), images.path().to_owned());
        return Err(Error::LabelCount { path, images: image_path, expected: images.len(), got: labels.len() });
    }
    let allowed = 1..=PUBLISHED_NAMES.len();
    for (record, label) in labels.iter_mut().enumerate() {
        let got = usize::from(*label);
        if !allowed.contains(&got) {
            return Err(Error::LabelOutOfRange { path: path.to_owned(), record, got, allowed });
        }
        *label -= 1;
    }
    Ok(labels)
}

const PUBLISHED_NAMES: [&str; 10] = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];
