use std::sync::Arc;

use crate::digest::Fingerprint;
use crate::{Dataset, Error, Image, Result};

/// Some images of another data set, in an order of their own; classes stay as they are.
pub struct Subset {
    whole: Arc<dyn Dataset>,
    /// Index in `whole` of each image; `None`: the first `len`, as they are.
    indices: Option<Vec<usize>>,
    len: usize,
    fingerprint: String,
}

impl Subset {
    /// The first `limit` images, or all where there are no more.
    #[must_use]
    pub fn first(whole: Arc<dyn Dataset>, limit: usize) -> Self {
        let len = limit.min(whole.len());
        let fingerprint = if len == whole.len() {
            whole.fingerprint().to_owned()
        } else {
            Fingerprint::new("first").part(whole.fingerprint().as_bytes()).number(len as u64).finish()
        };
        Self { whole, indices: None, len, fingerprint }
    }

    /// The images at `indices`, in that order; an index may come more than once.
    ///
    /// # Errors
    /// [`Error::IndexOutOfRange`].
    pub fn of(whole: Arc<dyn Dataset>, indices: Vec<usize>) -> Result<Self> {
        if let Some(&index) = indices.iter().find(|&&index| index >= whole.len()) {
            return Err(Error::IndexOutOfRange { index, len: whole.len() });
        }
        let start = Fingerprint::new("subset").part(whole.fingerprint().as_bytes());
        let fingerprint = indices.iter().fold(start, |digest, &index| digest.number(index as u64)).finish();
        Ok(Self { whole, len: indices.len(), indices: Some(indices), fingerprint })
    }

    /// The index in the whole data set of image `index`.
    #[must_use]
    pub fn index_in_whole(&self, index: usize) -> Option<usize> {
        match &self.indices {
            Some(indices) => indices.get(index).copied(),
            None => (index < self.len).then_some(index),
        }
    }
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.len
    }

    fn image(&self, index: usize) -> Result<Image> {
        let at = self.index_in_whole(index).ok_or(Error::IndexOutOfRange { index, len: self.len })?;
        self.whole.image(at)
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.whole.label(self.index_in_whole(index)?)
    }

    fn class_names(&self) -> &[String] {
        self.whole.class_names()
    }

    fn source(&self, index: usize) -> String {
        match self.index_in_whole(index) {
            Some(at) => self.whole.source(at),
            None => format!("image {index} of a subset of {}", self.len),
        }
    }

    /// Of the whole: which images lie in the damaged part of a file is not known.
    fn damaged_files(&self) -> Vec<Error> {
        self.whole.damaged_files()
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
