//! The image files below a folder, and the classes that their folders make.

use std::path::Path;

use super::index::list_with_index;
use super::listing::{EXTENSIONS, FolderListing, ImageFile, list};
use crate::{Error, Result};

/// The images of one folder.
pub(crate) enum Tree {
    /// Loose images, by path.
    Flat(Vec<ImageFile>),
    /// The images of each class, classes by name, images by path.
    Classes(Vec<(String, Vec<ImageFile>)>),
}

impl Tree {
    /// Reads the folder `name` below `root` (`root` itself where it is empty).
    pub(crate) fn read(root: &Path, name: &str, lister: Lister<'_>) -> Result<Self> {
        let files = all_images(root, name, lister)?;
        let depth = Path::new(name).components().count();
        // A loose image has nothing but its file name below the folder.
        let class = |file: &ImageFile| {
            let parts: Vec<_> = file.relative.iter().skip(depth).collect();
            (parts.len() > 1).then(|| parts[0].to_string_lossy().into_owned())
        };
        let loose = files.iter().find(|file| class(file).is_none());
        let classed = files.iter().find_map(class);
        match (loose, classed) {
            (_, None) => Ok(Self::Flat(files)),
            (Some(loose), Some(class)) => Err(Error::MixedFolder {
                path: root.join(name),
                loose: loose.relative.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                class,
            }),
            (None, Some(_)) => {
                let mut classes: Vec<(String, Vec<ImageFile>)> = Vec::new();
                for file in files {
                    let name = class(&file).unwrap_or_default();
                    match classes.last_mut() {
                        // The files come sorted, so a class's are together.
                        Some((last, files)) if *last == name => files.push(file),
                        _ => classes.push((name, vec![file])),
                    }
                }
                Ok(Self::Classes(classes))
            }
        }
    }
}

/// How folders are listed.
#[derive(Clone, Copy)]
pub(crate) struct Lister<'a> {
    /// Whether the list is taken from the index of an earlier call where no folder has changed.
    pub(crate) index: bool,
    /// Called with the number of images so far, now and then and at the end.
    pub(crate) listed: &'a dyn Fn(usize),
}

/// Every image below the folder `name` of `root`, at any depth, sorted by path; at least one.
pub(crate) fn all_images(root: &Path, name: &str, lister: Lister<'_>) -> Result<Vec<ImageFile>> {
    let Lister { index, listed } = lister;
    let FolderListing { mut files, .. } = if index { list_with_index(root, name, listed)? } else { list(root, name, listed)? };
    listed(files.len());
    if files.is_empty() {
        let extensions = EXTENSIONS.map(|extension| format!(".{extension}")).join(", ");
        return Err(Error::EmptyFolder { path: root.join(name), extensions });
    }
    // By components, and so class by class: as strings, "a-b/1" would come between "a/1" and "a/2".
    files.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(files)
}
