mod decode;
mod index;
mod jpeg;
mod slim;
mod tiny;
mod tree;
#[cfg(feature = "jpeg-turbo")]
mod turbo;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::decode::PixelLimits;
pub use self::slim::Slim;
pub use self::tiny::Tiny;
pub(crate) use self::tree::Lister;
use self::tree::{ImageFile, TEST_FOLDERS, Tree, all_images, has_folder};
use crate::digest::Fingerprint;
use crate::{Dataset, Error, Image, Result, Split};

/// The way JPEGs are decoded at less than their size, for the fingerprint: another way, another name.
const SCALED: &str = "jpeg scaled 1";

/// What reads JPEGs in this build: `zune-jpeg`, or `libjpeg-turbo` with the feature `jpeg-turbo`. They differ in the last bits of
/// some pixels.
pub const JPEG_DECODER: &str = if cfg!(feature = "jpeg-turbo") { "libjpeg-turbo" } else { "zune-jpeg" };

/// How a [`Folder`] is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderOptions {
    /// Which part.
    pub split: Split,
    /// Of a folder without a test split of its own, every n-th image of each class is held out for it. Default 5.
    pub test_every: usize,
    /// Longest side of an image. Default 20,000 px.
    pub max_side_px: u32,
    /// Most pixels of an image, in millions. Default 100.
    pub max_megapixels: u32,
    /// The side of every image, where all are squares of one size; another size is an error when the image is read.
    /// Default: any size.
    pub exact_side_px: Option<u32>,
    /// Decodes JPEGs at a half, a quarter or an eighth of their size, the least whose sides both have at least that many pixels.
    /// Default 0: whole.
    ///
    /// It saves time, and memory, where photographs are much larger than the views made of them, and gives other pixels than
    /// decoding the whole image and then resizing it; the fingerprint tells. Of other files, and of JPEGs in CMYK or
    /// RGB, nothing is left out. Needs the feature `jpeg-turbo`.
    pub jpeg_side_px: u32,
    /// Keeps the list of images in the sub-folder `.relata-index` for the next opening. Default false.
    ///
    /// The list is made anew where a folder has changed, that is where an image came, went or was renamed. An image that is
    /// rewritten in place is read as it is, but the fingerprint goes on saying its old size.
    pub index: bool,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self {
            split: Split::Train,
            test_every: 5,
            max_side_px: 20_000,
            max_megapixels: 100,
            exact_side_px: None,
            jpeg_side_px: 0,
            index: false,
        }
    }
}

/// Images of any size in ordinary folders: PNG, JPEG and WebP files, by their endings in upper or lower case.
///
/// Three layouts are understood; files and folders whose names start with a dot are left out in all of them, and links
/// are followed. An image that is a link to nothing, as in a checkout without its large files, is broken when it is asked for.
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
/// black, and photographs turned upright where their EXIF data says so. The format is told by the content, not the ending.
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
    /// Lists the images of `path`. No image is read; a broken one is an error when it is asked for.
    ///
    /// # Errors
    /// [`Error::NoSuchPath`], [`Error::EmptyFolder`], [`Error::MixedFolder`], [`Error::SplitNames`], [`Error::NameNotText`],
    /// [`Error::UnknownClass`], [`Error::NoSuchSplit`], [`Error::Setting`], or [`Error::Io`].
    pub fn open(path: &Path, options: FolderOptions) -> Result<Self> {
        Self::list(path, options, &|_| ())
    }

    /// As [`open`](Self::open), telling how many images are listed so far.
    pub(crate) fn list(path: &Path, options: FolderOptions, listed: &dyn Fn(usize)) -> Result<Self> {
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
        let Listing { class_names, files } = list(path, &options, lister)?;
        let mut fingerprint = fingerprint("folder", options.split, &class_names, &files);
        if options.jpeg_side_px > 0 {
            fingerprint = Fingerprint::new(SCALED).part(fingerprint.as_bytes()).number(options.jpeg_side_px.into()).finish();
        }
        Ok(Self { root: path.to_owned(), files, class_names, limits: PixelLimits::of(&options), fingerprint })
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
        decode::decode(&path, self.limits)
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

/// What a folder comes to for one split.
struct Listing {
    class_names: Vec<String>,
    files: Vec<(ImageFile, Option<usize>)>,
}

fn list(root: &Path, options: &FolderOptions, lister: Lister<'_>) -> Result<Listing> {
    if !tree::holds_splits(root)? {
        return list_plain(root, options, lister);
    }
    match options.split {
        Split::Train => list_labelled(root, "train", None, lister),
        Split::Test => {
            let Some(test) = TEST_FOLDERS.into_iter().find(|name| has_folder(root, name)) else {
                let reason = format!("it holds train/, but none of {}/", TEST_FOLDERS.join("/, "));
                return Err(Error::NoSuchSplit { path: root.to_owned(), split: Split::Test, reason });
            };
            list_labelled(root, test, Some("train"), lister)
        }
        Split::Unlabelled => {
            let own = ["unlabelled", "unlabeled"].into_iter().find(|name| has_folder(root, name));
            list_unlabelled(root, own.unwrap_or("train"), lister)
        }
    }
}

/// A folder without split folders.
fn list_plain(root: &Path, options: &FolderOptions, lister: Lister<'_>) -> Result<Listing> {
    if options.split == Split::Unlabelled {
        return list_unlabelled(root, "", lister);
    }
    let no_test = |reason: String| Error::NoSuchSplit { path: root.to_owned(), split: Split::Test, reason };
    let every = options.test_every;
    match Tree::read(root, "", lister)? {
        Tree::Flat(_) if options.split == Split::Test => {
            Err(no_test("its images have no classes; put them into class folders, or into train/ and test/".to_owned()))
        }
        Tree::Flat(files) => Ok(unlabelled(files)),
        Tree::Classes(mut classes) => {
            // `Train/cat` and `Train/dog` with nothing beside them would be one class.
            if let [(only, files)] = &classes[..]
                && tree::names_a_split(only)
                && files.iter().all(|file| file.relative.components().count() > 2)
            {
                return Err(Error::SplitNames { path: root.to_owned(), folders: only.clone() });
            }
            for (_, files) in &mut classes {
                let mut place = 0;
                files.retain(|_| {
                    place += 1;
                    (place % every == 0) == (options.split == Split::Test)
                });
            }
            let listing = labelled(classes);
            if listing.files.is_empty() {
                return Err(no_test(format!(
                    "every {every}th image of a class is held out, but no class has that many; put them into train/ and test/"
                )));
            }
            Ok(listing)
        }
    }
}

/// One split folder, with its classes numbered as those of `reference` where it is given and has classes.
fn list_labelled(root: &Path, name: &str, reference: Option<&str>, lister: Lister<'_>) -> Result<Listing> {
    let mut classes = match Tree::read(root, name, lister)? {
        Tree::Flat(files) => return Ok(unlabelled(files)),
        Tree::Classes(classes) => classes,
    };
    if let Some(reference) = reference
        && let Tree::Classes(known) = Tree::read(root, reference, lister)?
    {
        if let Some((class, _)) = classes.iter().find(|(class, _)| !known.iter().any(|(name, _)| name == class)) {
            let (path, train) = (root.join(name), root.join(reference));
            return Err(Error::UnknownClass { path, class: class.clone(), train });
        }
        let mut files: BTreeMap<String, Vec<ImageFile>> = classes.into_iter().collect();
        let with_files = |(name, _)| {
            let files = files.remove(&name).unwrap_or_default();
            (name, files)
        };
        classes = known.into_iter().map(with_files).collect();
    }
    Ok(labelled(classes))
}

fn list_unlabelled(root: &Path, name: &str, lister: Lister<'_>) -> Result<Listing> {
    all_images(root, name, lister).map(unlabelled)
}

fn unlabelled(files: Vec<ImageFile>) -> Listing {
    Listing { class_names: Vec::new(), files: files.into_iter().map(|file| (file, None)).collect() }
}

/// Goes round the classes until all their files are placed.
fn labelled(classes: Vec<(String, Vec<ImageFile>)>) -> Listing {
    let (class_names, files): (Vec<_>, Vec<_>) = classes.into_iter().unzip();
    let mut queues: Vec<_> = files.into_iter().map(Vec::into_iter).collect();
    let mut files = Vec::with_capacity(queues.iter().map(ExactSizeIterator::len).sum());
    let mut placed = true;
    while placed {
        placed = false;
        for (label, queue) in queues.iter_mut().enumerate() {
            if let Some(file) = queue.next() {
                files.push((file, Some(label)));
                placed = true;
            }
        }
    }
    Listing { class_names, files }
}

fn fingerprint(format: &str, split: Split, class_names: &[String], files: &[(ImageFile, Option<usize>)]) -> String {
    let start = Fingerprint::new(format).part(split.name().as_bytes()).number(class_names.len() as u64);
    let named = class_names.iter().fold(start, |digest, name| digest.part(name.as_bytes()));
    let listed = files
        .iter()
        .fold(named, |digest, (file, _)| digest.part(file.relative_with_slashes().as_bytes()).number(file.size_bytes));
    listed.finish()
}
