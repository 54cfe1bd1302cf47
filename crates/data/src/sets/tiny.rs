use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{DatasetEntry, Location, OpenRequest, Statistics, not_there};
use super::folder::{
    EXTENSIONS, Folder, FolderOptions, INDEX, ImageFile, LabelledFiles, Lister, PixelLimits, Tree, all_images, fingerprint,
    labelled, unlabelled,
};
use crate::digest::Fingerprint;
use crate::{Archive, Dataset, Error, Image, Result, Split};

/// The MD5 is the one that loaders of tiny-ImageNet agree on; its publisher gives none.
pub(super) const ENTRY: DatasetEntry = DatasetEntry {
    name: "tiny",
    about: "tiny-ImageNet: photographs in 200 classes, 100,000 + 10,000 images, 64 px",
    note: "",
    side_px: 64,
    statistics: Statistics::CENTRED,
    location: Location::BelowRoot(Archive {
        file: "tiny-imagenet-200.zip",
        folder: Tiny::FOLDER,
        url: Some("http://cs231n.stanford.edu/tiny-imagenet-200.zip"),
        md5: Some("90528d7ca1a48142e341f4ef8d21d0de"),
        bytes: Some(248_100_043),
        missing,
    }),
    hub: None,
    settings: &[INDEX],
    may_have_broken_images: true,
    open,
};

fn open(request: &OpenRequest<'_>) -> Result<Arc<dyn Dataset>> {
    let lister = Lister { index: request.settings.flag(&INDEX), listed: request.listed };
    Ok(Arc::new(Tiny::list(&request.root.join(Tiny::FOLDER), request.split, lister)?))
}

const SIDE_PX: u32 = 64;
const WNIDS: &str = "wnids.txt";
const WORDS: &str = "words.txt";
const ANNOTATIONS: &str = "val/val_annotations.txt";
const HINT: &str = "tiny-ImageNet is read from the folder tiny-imagenet-200 of the publisher's archive; \
     download http://cs231n.stanford.edu/tiny-imagenet-200.zip and put it into the data root, unpacked or as it is";

/// Tiny-ImageNet: 64 x 64 px photographs of 200 classes of ImageNet, 500 images each to train on and 50 to test with.
///
/// The folder `tiny-imagenet-200` holds `wnids.txt` (the classes), `words.txt` (their names), `train/<wnid>/images/*.JPEG`, and
/// `val/images/*.JPEG` with `val/val_annotations.txt`, or `val/<wnid>/` with the images below it, as many copies have it.
/// The test images that are published have no labels and are not read: [`Split::Test`] is `val`, as everywhere.
///
/// Labels count the classes in the order of their wnids, as torchvision's `ImageFolder` does, not in that of `wnids.txt`. A
/// class is named by the first of its words, by all of them where two classes share the first, and by its wnid too where they
/// share all. Training images go round the
/// classes, each class's by path (as in a [`Folder`]), so that the first n are of all classes; `val`'s come in the order of
/// `val_annotations.txt`. Grey images become RGB.
///
/// Every class must have its images: a class that `wnids.txt` lists and `train` lacks is an error. The fingerprint covers
/// labels, relative paths and file sizes, not the pixels.
#[derive(Debug)]
pub struct Tiny(Folder);

impl Tiny {
    /// The folder's name, as the publisher's archive has it.
    pub const FOLDER: &str = "tiny-imagenet-200";

    /// Lists the images and reads their labels. No image is read; a broken one, or one that is not 64 x 64 px, is an error
    /// when it is read.
    ///
    /// # Errors
    /// [`Error::Missing`] where the folder, a list or an annotated image is not there, [`Error::EmptyFolder`],
    /// [`Error::NameNotText`], [`Error::SameName`], [`Error::Line`], [`Error::DuplicateLine`], [`Error::UnknownWnid`],
    /// [`Error::Unannotated`], or [`Error::Io`].
    pub fn open(folder: &Path, split: Split) -> Result<Self> {
        Self::list(folder, split, Lister { index: false, listed: &|_| () })
    }

    /// As [`open`](Self::open), with the list of images kept for the next time, as [`FolderOptions::index`] says.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_index(folder: &Path, split: Split) -> Result<Self> {
        Self::list(folder, split, Lister { index: true, listed: &|_| () })
    }

    fn list(folder: &Path, split: Split, lister: Lister<'_>) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::Missing { path: folder.to_owned(), hint: HINT.to_owned() });
        }
        let wnids = read_wnids(&folder.join(WNIDS))?;
        let mut files = match split {
            Split::Train => class_folders(folder, "train", &wnids, lister)?,
            Split::Unlabelled => {
                let LabelledFiles { files, .. } = class_folders(folder, "train", &wnids, lister)?;
                unlabelled(files.into_iter().map(|(file, _)| file).collect())
            }
            Split::Test if is_annotated(folder, &wnids) => annotated(folder, &wnids, lister)?,
            Split::Test => class_folders(folder, "val", &wnids, lister)?,
        };
        let listed = fingerprint("tiny", split, &files);
        // The list gives labels, not only the paths.
        let labels = files.files.iter().map(|(_, label)| label.map_or(u64::MAX, |label| label as u64));
        let fingerprint = labels.fold(Fingerprint::new("tiny labels").part(listed.as_bytes()), Fingerprint::number).finish();
        files.class_names = if split == Split::Unlabelled { Vec::new() } else { names(&folder.join(WORDS), &wnids)? };
        let limits = PixelLimits::of(&FolderOptions { exact_side_px: Some(SIDE_PX), ..FolderOptions::default() });
        Ok(Self(Folder::of(folder, files, limits, fingerprint)))
    }
}

impl Dataset for Tiny {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        self.0.image(index)
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.0.label(index)
    }

    fn class_names(&self) -> &[String] {
        self.0.class_names()
    }

    fn source(&self, index: usize) -> String {
        self.0.source(index)
    }

    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }
}

/// What of it is not in its folder: lists and the folders of classes, no single images.
fn missing(folder: &Path) -> Vec<PathBuf> {
    let mut missing = not_there(folder, [WNIDS, "train", "val"]);
    let (train, wnids) = (folder.join("train"), read_wnids(&folder.join(WNIDS)).unwrap_or_default());
    if train.is_dir() {
        missing.extend(not_there(&train, &wnids));
    }
    if is_annotated(folder, &wnids) {
        missing.extend(not_there(folder, [ANNOTATIONS]));
    }
    missing
}

/// The lines of a list that are not empty, each with its number, counted from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end())).filter(|(_, line)| !line.is_empty())
}

fn read_list(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Error::Missing { path: path.to_owned(), hint: HINT.to_owned() },
        _ => Error::Io { path: path.to_owned(), source },
    })
}

/// The classes, in the order of their labels.
fn read_wnids(path: &Path) -> Result<Vec<String>> {
    let text = read_list(path)?;
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (line, wnid) in lines(&text) {
        if wnid.contains(char::is_whitespace) || wnid.contains(['/', '\\']) {
            return Err(Error::Line { path: path.to_owned(), line, expected: "one WordNet id", got: wnid.to_owned() });
        }
        if let Some(first) = first.insert(wnid, line) {
            return Err(Error::DuplicateLine { path: path.to_owned(), line, first, name: wnid.to_owned() });
        }
    }
    if first.is_empty() {
        return Err(Error::Line { path: path.to_owned(), line: 1, expected: "one WordNet id", got: String::new() });
    }
    Ok(first.into_keys().map(str::to_owned).collect())
}

/// Names for `wnids`, no two alike; the ids themselves where `words.txt` is not there or leaves them out.
fn names(path: &Path, wnids: &[String]) -> Result<Vec<String>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(source) if source.kind() == ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Error::Io { path: path.to_owned(), source }),
    };
    let words: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('\t')).collect();
    let all: Vec<&str> = wnids.iter().map(|wnid| words.get(wnid.as_str()).map_or(wnid.as_str(), |words| words.trim())).collect();
    let first: Vec<&str> = all.iter().map(|words| words.split(',').next().unwrap_or_default().trim()).collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    first.iter().for_each(|name| *times.entry(name).or_default() += 1);
    let mut times_all: HashMap<&str, usize> = HashMap::new();
    all.iter().for_each(|words| *times_all.entry(words).or_default() += 1);
    let name = |((wnid, first), all): ((&String, &&str), &&str)| match (times[*first], times_all[*all]) {
        (1, _) => (*first).to_owned(),
        (_, 1) => (*all).to_owned(),
        _ => format!("{all} ({wnid})"),
    };
    Ok(wnids.iter().zip(&first).zip(&all).map(name).collect())
}

/// `<name>/<wnid>/`, with the images anywhere below.
fn class_folders(root: &Path, name: &str, wnids: &[String], lister: Lister<'_>) -> Result<LabelledFiles> {
    let folder = root.join(name);
    if !folder.is_dir() {
        return Err(Error::Missing { path: folder, hint: HINT.to_owned() });
    }
    let Tree::Classes(classes) = Tree::read(root, name, lister)? else {
        let missing = folder.join(&wnids[0]);
        return Err(Error::Missing { path: missing, hint: HINT.to_owned() });
    };
    let mut files: HashMap<String, Vec<ImageFile>> = HashMap::new();
    for (wnid, of_class) in classes {
        if wnids.binary_search(&wnid).is_err() {
            return Err(Error::UnknownWnid { path: folder.join(&wnid), wnid, list: root.join(WNIDS) });
        }
        files.insert(wnid, of_class);
    }
    let mut classes = Vec::with_capacity(wnids.len());
    for wnid in wnids {
        let path = folder.join(wnid);
        match files.remove(wnid) {
            Some(of_class) => classes.push((wnid.clone(), of_class)),
            None if path.is_dir() => return Err(empty(path)),
            None => {
                return Err(Error::Missing { path, hint: format!("{} lists this class; {HINT}", root.join(WNIDS).display()) });
            }
        }
    }
    Ok(labelled(classes))
}

/// Whether `val` is as its publisher has it. Scripts that move its images into class folders leave an empty `val/images` behind.
fn is_annotated(root: &Path, wnids: &[String]) -> bool {
    let images = root.join("val/images");
    let holds_any = || fs::read_dir(&images).is_ok_and(|mut entries| entries.next().is_some());
    images.is_dir() && (holds_any() || !wnids.iter().any(|wnid| root.join("val").join(wnid).is_dir()))
}

/// `val/images`, with labels by `val/val_annotations.txt`.
fn annotated(root: &Path, wnids: &[String], lister: Lister<'_>) -> Result<LabelledFiles> {
    let path = root.join(ANNOTATIONS);
    let listed = all_images(root, "val/images", lister)?;
    let mut images: HashMap<String, ImageFile> = HashMap::with_capacity(listed.len());
    for file in listed {
        let path_of_file = root.join(&file.relative);
        if let Some(first) = images.insert(file_name(&file), file) {
            return Err(Error::SameName { path: root.join(first.relative), other: path_of_file, list: path });
        }
    }
    let text = read_list(&path)?;
    let mut files = Vec::with_capacity(images.len());
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(images.len());
    for (line, annotation) in lines(&text) {
        let mut fields = annotation.split('\t');
        let (Some(name), Some(wnid)) = (fields.next(), fields.next()) else {
            let expected = "a file name, a tab and a WordNet id";
            return Err(Error::Line { path, line, expected, got: annotation.to_owned() });
        };
        if let Some(&first) = first.get(name) {
            return Err(Error::DuplicateLine { path, line, first, name: name.to_owned() });
        }
        let Ok(label) = wnids.binary_search_by(|known| known.as_str().cmp(wnid)) else {
            return Err(Error::UnknownWnid { path, wnid: wnid.to_owned(), list: root.join(WNIDS) });
        };
        let Some(file) = images.remove(name) else {
            let hint = format!("{}, line {line}, says that it is there; {HINT}", path.display());
            return Err(Error::Missing { path: root.join("val/images").join(name), hint });
        };
        first.insert(name, line);
        files.push((file, Some(label)));
    }
    // The least by name, so that the same folder gives the same message.
    match images.into_keys().min() {
        Some(name) => Err(Error::Unannotated { path, name }),
        None => Ok(LabelledFiles { class_names: wnids.to_vec(), files }),
    }
}

fn file_name(file: &ImageFile) -> String {
    file.relative.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn empty(path: PathBuf) -> Error {
    Error::EmptyFolder { path, extensions: EXTENSIONS.map(|extension| format!(".{extension}")).join(", ") }
}
