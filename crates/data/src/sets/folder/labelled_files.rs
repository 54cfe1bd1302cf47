//! The images of a split, in index order and with their labels.

use std::collections::BTreeMap;
use std::path::Path;

use super::listing::ImageFile;
use super::tree::{Lister, Tree, all_images};
use crate::digest::Fingerprint;
use crate::{Error, Result, Split};

/// The images of a split in index order, each with its class.
pub(crate) struct LabelledFiles {
    /// Empty where the images have no labels.
    pub(crate) class_names: Vec<String>,
    pub(crate) files: Vec<(ImageFile, Option<usize>)>,
}

/// One split folder, with its classes numbered as those of `reference` where it is given and has classes.
pub(crate) fn list_labelled(root: &Path, name: &str, reference: Option<&str>, lister: Lister<'_>) -> Result<LabelledFiles> {
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

/// All images of a folder, without labels.
pub(crate) fn list_unlabelled(root: &Path, name: &str, lister: Lister<'_>) -> Result<LabelledFiles> {
    all_images(root, name, lister).map(unlabelled)
}

/// These files, without labels.
pub(crate) fn unlabelled(files: Vec<ImageFile>) -> LabelledFiles {
    LabelledFiles { class_names: Vec::new(), files: files.into_iter().map(|file| (file, None)).collect() }
}

/// Goes round the classes until all their files are placed.
pub(crate) fn labelled(classes: Vec<(String, Vec<ImageFile>)>) -> LabelledFiles {
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
    LabelledFiles { class_names, files }
}

/// Over the split, the class names, and the paths and sizes of the files.
pub(crate) fn fingerprint(format: &str, split: Split, listed: &LabelledFiles) -> String {
    let LabelledFiles { class_names, files } = listed;
    let start = Fingerprint::new(format).part(split.name().as_bytes()).number(class_names.len() as u64);
    let named = class_names.iter().fold(start, |digest, name| digest.part(name.as_bytes()));
    let listed = files
        .iter()
        .fold(named, |digest, (file, _)| digest.part(file.relative_with_slashes().as_bytes()).number(file.size_bytes));
    listed.finish()
}
