//! Images in ordinary folders, and what data sets of image files share.

mod decode;
mod index;
mod jpeg;
mod labelled_files;
mod layouts;
mod listing;
mod options;
mod split_folders;
mod tree;
#[cfg(feature = "jpeg-turbo")]
mod turbo;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) use self::decode::PixelLimits;
use self::decode::decode;
pub(super) use self::labelled_files::{LabelledFiles, fingerprint, labelled, list_labelled, list_unlabelled, unlabelled};
use self::layouts::list_split;
pub(super) use self::listing::{EXTENSIONS, ImageFile};
pub use self::options::FolderOptions;
pub(super) use self::tree::{Lister, Tree, all_images};
use super::entry::{DatasetEntry, Location, OpenRequest, Statistics};
use super::setting::{OwnSetting, SettingKind};
use crate::digest::Fingerprint;
use crate::{Dataset, Error, Image, Result};

/// Your own images.
pub(super) const ENTRY: DatasetEntry = DatasetEntry {
    name: "folder",
    about: "your own images: PNG, JPEG and WebP files in path, of any size, with or without class folders",
    note: "",
    side_px: 64,
    statistics: Statistics::CENTRED,
    location: Location::FolderAtPath,
    hub: None,
    settings: &[INDEX, JPEG_SIDE],
    may_have_broken_images: true,
    open,
};

/// For every data set whose images lie in files of their own.
pub(super) const INDEX: OwnSetting = OwnSetting {
    key: "index",
    about: "keeps the list of image files in .relata-index for the next opening",
    allowed: "true or false",
    kind: SettingKind::Flag,
    picks_images: false,
};

const JPEG_SIDE: OwnSetting = OwnSetting {
    key: "jpeg_side_px",
    about: "decodes JPEGs at a half, a quarter or an eighth of their size, as long as both sides keep that many pixels; 0: whole",
    allowed: "0 to 4294967295",
    kind: SettingKind::Number { default: 0, greatest: u32::MAX as u64 },
    picks_images: false,
};

fn open(request: &OpenRequest<'_>) -> Result<Arc<dyn Dataset>> {
    if request.path.as_os_str().is_empty() {
        let allowed = "the path of a folder of images, as dataset is \"folder\"";
        return Err(Error::Setting { key: "path", value: "\"\"".to_owned(), allowed });
    }
    let options = FolderOptions {
        split: request.split,
        index: request.settings.flag(&INDEX),
        jpeg_side_px: u32::try_from(request.settings.number(&JPEG_SIDE)).unwrap_or(u32::MAX),
        ..FolderOptions::default()
    };
    Ok(Arc::new(Folder::list(request.path, options, request.listed)?))
}

/// The way JPEGs are decoded at less than their size, for the fingerprint: another way, another name.
const SCALED: &str = "jpeg scaled 1";

/// What reads JPEGs in this build: `zune-jpeg`, or `libjpeg-turbo` with the feature `jpeg-turbo`. They differ in the last bits of
/// some pixels.
pub const JPEG_DECODER: &str = if cfg!(feature = "jpeg-turbo") { "libjpeg-turbo" } else { "zune-jpeg" };

/// Images of any size in ordinary folders: PNG, JPEG and WebP files, by their endings in upper or lower case.
///
/// Three layouts are understood; files and folders whose names start with a dot are left out in all of them, and links
/// are followed. An image that is a link to nothing, as in a checkout without its large files, is broken: an error when it is read.
///
/// | layout | train | test | unlabelled |
/// |---|---|---|---|
/// | `train/` beside `test/`, `val/`, `valid/` or `validation/`, or with no other folder of images beside it; each laid out like one of the rows below | `train/` | the first of them that is there | `unlabelled/` or `unlabeled/`, else `train/` |
/// | class folders: `cat/1.png`, `dog/deep/2.jpg` | four images of five | every fifth of each class | all |
/// | flat: `1.png`, `2.jpg` | all, without labels | none: an error | all |
///
/// A class is a folder that holds an image, at any depth; its name is the folder's. Classes are ordered by name, the images
/// of a class by path, and indices go round the classes: first every class's first image, then every class's second. That
/// order is the same on any file system, and the first n images are spread over the classes. With `train/` and `test/`,
/// the classes are those of `train/`; a class that only the test images have is an error.
///
/// Images become RGB8: grey levels are repeated, 16-bit values scaled, palettes looked up, transparent pixels laid over
/// black, and photographs turned upright where their EXIF data says so. The content decides the format, not the ending.
///
/// The fingerprint covers relative paths and file sizes, not the pixels.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// The files in index order, each with its class.
    files: Vec<(ImageFile, Option<usize>)>,
    class_names: Vec<String>,
    limits: PixelLimits,
    fingerprint: String,
}

impl Folder {
    /// Lists the images of `path`. No image is read; a broken one is an error when it is read.
    ///
    /// # Errors
    /// [`Error::NoSuchPath`], [`Error::EmptyFolder`], [`Error::MixedFolder`], [`Error::SplitNames`], [`Error::NameNotText`],
    /// [`Error::UnknownClass`], [`Error::NoSuchSplit`], [`Error::Setting`], or [`Error::Io`].
    pub fn open(path: &Path, options: FolderOptions) -> Result<Self> {
        Self::list(path, options, &|_| ())
    }

    /// As [`open`](Self::open), telling how many images are listed so far.
    fn list(path: &Path, options: FolderOptions, listed: &dyn Fn(usize)) -> Result<Self> {
        if options.test_every < 2 {
            let value = options.test_every.to_string();
            return Err(Error::Setting { key: "test_every", value, allowed: "at least 2" });
        }
        if options.jpeg_side_px > 0 && !cfg!(feature = "jpeg-turbo") {
            let (value, allowed) = (options.jpeg_side_px.to_string(), "0 in a build without the feature jpeg-turbo");
            return Err(Error::Setting { key: "jpeg_side_px", value, allowed });
        }
        if !path.is_dir() {
            let expected = "a folder with images, or with a folder of images for each class";
            return Err(Error::NoSuchPath { path: path.to_owned(), expected });
        }
        let lister = Lister { index: options.index, listed };
        let files = list_split(path, &options, lister)?;
        let mut fingerprint = fingerprint("folder", options.split, &files);
        if options.jpeg_side_px > 0 {
            fingerprint = Fingerprint::new(SCALED).part(fingerprint.as_bytes()).number(options.jpeg_side_px.into()).finish();
        }
        Ok(Self::of(path, files, PixelLimits::of(&options), fingerprint))
    }

    /// The images `files` of the folder `root`, to be decoded within `limits`.
    pub(super) fn of(root: &Path, files: LabelledFiles, limits: PixelLimits, fingerprint: String) -> Self {
        let LabelledFiles { class_names, files } = files;
        Self { root: root.to_owned(), files, class_names, limits, fingerprint }
    }

    fn path(&self, index: usize) -> Option<PathBuf> {
        Some(self.root.join(&self.files.get(index)?.0.relative))
    }
}

impl Dataset for Folder {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        let path = self.path(index).ok_or(Error::IndexOutOfRange { index, len: self.len() })?;
        decode(&path, self.limits)
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.files.get(index)?.1
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn source(&self, index: usize) -> String {
        match self.path(index) {
            Some(path) => path.display().to_string(),
            None => format!("{}, image {index} of {}", self.root.display(), self.len()),
        }
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
