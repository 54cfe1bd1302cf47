//! Where a run comes from, so that its figures can be traced and repeated.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::RunFacts;

/// `provenance.json`. Filled by the caller; an empty string means that it is not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// Version of the program that wrote the run.
    pub version: String,
    /// Commit of its source, `-dirty` appended where the work tree had changes.
    pub commit: String,
    /// The run's one seed.
    pub seed: u64,
    /// `cpu`, `cuda:0` ...
    pub device: String,
    /// What the kernels were dispatched to: `avx512`, `avx2+fma`, `neon`, `sm_90` ...
    pub instruction_set: String,
    /// Worker threads in use.
    pub threads: usize,
    /// Operating system and processor, in words.
    pub machine: String,
    /// When training started, as the caller writes it (ISO 8601, UTC).
    pub started_at: String,
    /// The command line, for repeating it.
    pub command: String,
    /// What was trained and tested on.
    pub data: Vec<DataFingerprint>,
    /// What method, data set and online measurement say of themselves.
    #[serde(skip_serializing_if = "RunFacts::is_empty")]
    pub facts: RunFacts,
    /// Anything else worth keeping.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Enough of a data set to see whether another machine had the same one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataFingerprint {
    /// The data set's name.
    pub name: String,
    /// Its split.
    pub split: String,
    /// Number of images.
    pub images: u64,
    /// A digest over the indexed samples, or empty where none was taken.
    pub sha256: String,
}
