//! `probes/unfinished/`: states of trainings that a probe has begun and not ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::RunFolder;
use super::documents::make_parent;
use super::layout::plain_name;
use super::recognise::{entries, is_abandoned, is_leftover};
use crate::{Checkpoint, Error, Result, TensorRef, save_checkpoint};

impl RunFolder {
    /// Saves the state of a probe's training, `probes/unfinished/<name>.safetensors`; see [`save_checkpoint`].
    ///
    /// # Errors
    /// [`Error::Name`]; as [`save_checkpoint`].
    pub fn save_unfinished(&self, name: &str, tensors: &[TensorRef<'_>], metadata: &BTreeMap<String, String>) -> Result<()> {
        let path = self.unfinished_path(name)?;
        make_parent(&path)?;
        save_checkpoint(&path, tensors, metadata)
    }

    /// The state of a probe's training; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Name`]; as [`Checkpoint::load`].
    pub fn unfinished(&self, name: &str) -> Result<Option<Checkpoint>> {
        let path = self.unfinished_path(name)?;
        if path.exists() { Checkpoint::load(&path).map(Some) } else { Ok(None) }
    }

    /// Removes the states whose names start with `prefix` and what a killed process left among them, and the folder where it is empty
    /// then. Only for the process that owns the run.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_unfinished(&self, prefix: &str) -> Result<()> {
        let folder = self.unfinished_dir();
        for (name, path) in entries(&folder)? {
            if name.starts_with(prefix) || (is_leftover(&name) && is_abandoned(&path)) {
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        if folder.is_dir() && entries(&folder)?.is_empty() {
            fs::remove_dir(&folder).map_err(Error::io("remove", &folder))?;
        }
        Ok(())
    }

    fn unfinished_path(&self, name: &str) -> Result<PathBuf> {
        Ok(self.unfinished_dir().join(format!("{}.safetensors", plain_name("unfinished training", name)?)))
    }
}
