//! Weight files: safetensors in and out, PyTorch's own files in, under torchvision's names.

mod decode;
#[cfg(test)]
pub(crate) mod hashed;
mod info;
mod pytorch;
mod safetensors_file;
#[cfg(test)]
mod tests;

pub use info::BackboneInfo;
pub use safetensors_file::{safetensors_bytes, write_safetensors};

use crate::{Error, Parameters, Result, TorchTensor};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Wrappers' names that may stand before a model's own: PyTorch's `DataParallel`, the reference, and common habits.
const WRAPPERS: [&str; 8] =
    ["module", "backbone", "feature_extractor", "net", "state_dict", "model", "model_state_dict", "encoder"];

/// The tensors of one weight file, all as f32 in PyTorch's layout.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightFile {
    /// Where it was read.
    pub path: PathBuf,
    /// Its tensors in the order of their names; those of nested dictionaries have dotted names (`backbone.conv1.weight`).
    pub tensors: Vec<TorchTensor>,
    /// Its metadata; PyTorch's files have none.
    pub metadata: BTreeMap<String, String>,
}

impl WeightFile {
    /// Reads safetensors, or PyTorch's `.pth`, `.pt` and `.tar` (the zip format, and the one before PyTorch 1.6): state
    /// dicts, and dictionaries of them such as the reference's checkpoints. The bytes say which it is, not the name.
    /// f16, bf16, f64 and integers are converted to f32. Code inside a pickle is never run, and no file makes this hold more
    /// than some 20 times its size and a few hundred megabytes.
    ///
    /// # Errors
    /// [`Error::WeightFile`] where the file cannot be read, is cut short, is of no known format or holds no tensors.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fault = |reason: String| Error::WeightFile { path: path.to_owned(), reason };
        let bytes = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
        let read = if bytes.starts_with(b"PK\x03\x04") {
            pytorch::read_zip(&bytes).map(|tensors| (tensors, BTreeMap::new()))
        } else if bytes.starts_with(&pytorch::LEGACY_MAGIC) {
            pytorch::read_legacy(&bytes).map(|tensors| (tensors, BTreeMap::new()))
        } else {
            safetensors_file::read(&bytes)
        };
        let (mut tensors, metadata) = read.map_err(fault)?;
        if tensors.is_empty() {
            return Err(fault("it holds no tensors, or none where a state dict would have them".to_owned()));
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { path: path.to_owned(), tensors, metadata })
    }

    /// A tensor by its full name.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&TorchTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// What the metadata say about the backbone; `None` where the file is not one of ours.
    ///
    /// # Errors
    /// [`Error::Weights`] around [`Error::Metadata`] where they say it, but not in a form that is known.
    pub fn backbone_info(&self) -> Result<Option<BackboneInfo>> {
        BackboneInfo::from_metadata(&self.metadata).map_err(|source| self.naming_the_file(source))
    }

    /// As [`WeightFile::backbone_info`], of a file that must be one of ours.
    pub(crate) fn expect_backbone_info(&self) -> Result<BackboneInfo> {
        self.backbone_info()?.ok_or_else(|| self.naming_the_file(BackboneInfo::absent()))
    }

    /// Puts the weights into a model's parameters. `prefix` (say `backbone` or `relation`) is where they lie in the file;
    /// wrappers' names behind it or, without it, at the start (`module.`, `backbone.`, `feature_extractor.`, `net.` ...)
    /// are passed over where that makes them fit. Tensors that the model does not have (`fc.weight`) are left alone.
    ///
    /// # Errors
    /// [`Error::Weights`], which names the file, around [`Error::MissingTensor`] or [`Error::TensorShape`] for the first
    /// tensor that is absent or differs; the parameters are as they were then.
    pub fn load_into(&self, prefix: Option<&str>, parameters: &mut Parameters) -> Result<()> {
        let by_name: HashMap<&str, &TorchTensor> = self.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let start = self.start_of_names(prefix, parameters, &by_name);
        let find = |name: &str| {
            let tensor = by_name.get(format!("{start}{name}").as_str())?;
            Some((tensor.shape.as_slice(), tensor.data.as_slice()))
        };
        parameters.load_torch(find).map_err(|source| self.naming_the_file(source))?;
        let counter = parameters.norms().first().and_then(|norm| find(&format!("{}.num_batches_tracked", norm.name)));
        if let Some((_, &[batches])) = counter {
            parameters.set_batches_tracked(batches as u64);
        }
        Ok(())
    }

    /// What stands before the model's names in this file: of all that is allowed, that under which most of them are found,
    /// and the shortest of those.
    fn start_of_names(&self, prefix: Option<&str>, parameters: &Parameters, by_name: &HashMap<&str, &TorchTensor>) -> String {
        let given = prefix.map_or_else(String::new, |prefix| format!("{}.", prefix.trim_end_matches('.')));
        let wrappers_only = |start: &str| {
            let rest = start.strip_prefix(given.as_str())?;
            rest.split_terminator('.').all(|segment| WRAPPERS.contains(&segment)).then(|| start.to_owned())
        };
        let first = parameters.specs().first().map_or("", |spec| spec.name.as_str());
        let starts = self.tensors.iter().filter_map(|tensor| tensor.name.strip_suffix(first)).filter_map(wrappers_only);
        let found = |start: &str| {
            let has = |spec: &&crate::ParameterSpec| by_name.contains_key(format!("{start}{}", spec.name).as_str());
            parameters.specs().iter().filter(has).count()
        };
        starts.max_by_key(|start| (found(start), std::cmp::Reverse(start.len()))).unwrap_or(given.clone())
    }

    fn naming_the_file(&self, source: Error) -> Error {
        Error::Weights { path: self.path.clone(), source: Box::new(source) }
    }
}
