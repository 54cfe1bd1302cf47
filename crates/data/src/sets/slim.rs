use std::path::Path;
use std::sync::Arc;

use super::entry::{DatasetEntry, Location, OpenRequest, Statistics, not_there};
use super::folder::{Folder, FolderOptions, INDEX, Lister, PixelLimits, fingerprint, list_labelled, list_unlabelled};
use crate::{Archive, Dataset, Error, Image, Result, Split};

/// Class folders laid out by the user. The publisher's own archive (`.tar.bz2`) is split by classes and cannot be read as it is.
pub(super) const ENTRY: DatasetEntry = DatasetEntry {
    name: "slim",
    about: "SlimageNet64: photographs in 1000 classes, 200 images each, 64 px, in train/ and test/",
    note: "",
    side_px: 64,
    statistics: Statistics::CENTRED,
    location: Location::BelowRoot(Archive {
        file: "SlimageNet64.zip",
        folder: Slim::FOLDER,
        url: None,
        md5: None,
        bytes: None,
        missing: |folder| not_there(folder, ["train", "test"]),
    }),
    hub: None,
    settings: &[INDEX],
    may_have_broken_images: true,
    open,
};

fn open(request: &OpenRequest<'_>) -> Result<Arc<dyn Dataset>> {
    let lister = Lister { index: request.settings.flag(&INDEX), listed: request.listed };
    Ok(Arc::new(Slim::list(&request.root.join(Slim::FOLDER), request.split, lister)?))
}

const SIDE_PX: u32 = 64;
const HINT: &str = "SlimageNet64 is read from class folders below SlimageNet64/train and SlimageNet64/test, the same classes in \
     both; download SlimageNet64.tar.bz2 from https://zenodo.org/record/3672132, whose own splits hold different classes, and \
     put some images of each class into train and the others into test";

/// SlimageNet64: 64 x 64 px photographs of the 1000 classes of ImageNet, 200 images each, in class folders.
///
/// `SlimageNet64/train/<class>/` and `SlimageNet64/test/<class>/` hold PNG or JPEG files, laid out by the user as in the
/// paper on relational reasoning: the publisher's archive is cut by classes, for few-shot learning. Classes, labels and order
/// of the images are a [`Folder`]'s; [`Split::Unlabelled`] is the training images without their labels.
#[derive(Debug)]
pub struct Slim(Folder);

impl Slim {
    /// The folder's name.
    pub const FOLDER: &str = "SlimageNet64";

    /// Lists the images. None is read; a broken one, or one that is not 64 x 64 px, is an error when it is read.
    ///
    /// # Errors
    /// [`Error::Missing`] where the folder or the split's is not there, [`Error::UnknownClass`], or [`Folder::open`]'s.
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
        let needed: &[&str] = if split == Split::Test { &["train", "test"] } else { &["train"] };
        if let Some(missing) = needed.iter().map(|name| folder.join(name)).find(|path| !path.is_dir()) {
            return Err(Error::Missing { path: missing, hint: HINT.to_owned() });
        }
        // Its layout is known: what else lies in the folder makes it no other.
        let files = match split {
            Split::Train => list_labelled(folder, "train", None, lister)?,
            Split::Test => list_labelled(folder, "test", Some("train"), lister)?,
            Split::Unlabelled => list_unlabelled(folder, "train", lister)?,
        };
        let fingerprint = fingerprint("folder", split, &files);
        let limits = PixelLimits::of(&FolderOptions { exact_side_px: Some(SIDE_PX), ..FolderOptions::default() });
        Ok(Self(Folder::of(folder, files, limits, fingerprint)))
    }
}

impl Dataset for Slim {
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

    /// Over relative paths and file sizes.
    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }
}
