//! The run folder: everything that one training run leaves on disk, and the only place that knows its layout.
//!
//! In: plain values (text, numbers, slices of `f32`, PNG bytes). Out: files that are either the old ones or the new
//! ones, never half of each.
//!
//! ```text
//! runs/<name>/
//!   config.toml           resolved, every default written out
//!   provenance.json       Provenance: version, commit, seed, device, threads, data-set fingerprints, RunFacts
//!   metrics.jsonl         one flat JSON object a line, see Metrics
//!   checkpoints/          last.safetensors, epoch-0050.safetensors ...
//!   probes/<name>.json    ProbeResult: a score with its protocol, named by what it differs in from the run's own settings;
//!                         sample.safetensors: FeatureSample; unfinished/: states of trainings that a probe has begun and not ended
//!   figures/              views.png + views.json (ViewGrid), neighbours.png + neighbours.json (Neighbours), and others
//!   tensorboard/  report.html  train.log
//! ```
//!
//! Rules:
//! - Every write but an appended metrics line goes to a temporary file in the same folder, is synced, renamed over the
//!   old file, and the folder is synced ([`AtomicFile`]). A failed write removes its temporary file.
//! - A run is never overwritten by accident: [`RunFolder::create`] refuses a folder that is not empty, and with
//!   `overwrite` removes only what it recognises as a run.
//! - The same values give the same bytes: headers and maps are written in sorted order.
//! - No tensors, no clock, no printing; the caller brings the values.
//!
//! ```
//! use relata_artifact::{Checkpoint, Metrics, RunFolder, TensorRef};
//! # let parent = tempfile::tempdir().unwrap();
//! # let out = parent.path().join("shapes");
//! let run = RunFolder::create(&out, false)?;
//! run.write_config("seed = 1\n")?;
//!
//! let mut metrics = run.metrics_writer()?;
//! metrics.append(&Metrics { step: 10, loss: Some(0.69), ..Metrics::default() })?;
//!
//! let weight = [1.0_f32, 2.0];
//! let tensors = [TensorRef { name: "backbone.conv1.weight", shape: &[2], data: &weight }];
//! run.save_checkpoint("last", &tensors, &[("epoch".into(), "1".into())].into())?;
//!
//! let run = RunFolder::open(&out)?;
//! assert_eq!(run.metrics()?[0].loss, Some(0.69));
//! let last = Checkpoint::load(&run.checkpoint_path("last")?)?;
//! assert_eq!(last.tensor("backbone.conv1.weight").unwrap().data, weight);
//! # Ok::<(), relata_artifact::Error>(())
//! ```
//!
//! Reading order: [`RunFolder`], then what it holds, then [`AtomicFile`] below it all.

mod run_folder;

mod checkpoint;
mod facts;
mod figures;
mod metrics;
mod provenance;
mod result_neutral;
mod results;

mod atomic;
mod error;

pub use atomic::{AtomicFile, write_atomic};
pub use checkpoint::{Checkpoint, NamedTensor, TensorRef, read_checkpoint_metadata, save_checkpoint};
pub use error::{Error, ErrorKind, Result};
pub use facts::{CurveFacts, DatasetFacts, FigureFacts, FigureUnit, MethodFacts, RunFacts};
pub use figures::{Neighbour, NeighbourRow, Neighbours, ViewGrid};
pub use metrics::{Metrics, MetricsWriter, ONLINE};
pub use provenance::{DataFingerprint, Provenance};
pub use result_neutral::{CHANGES_NO_RESULT, changes_no_result, keep_what_counts};
pub use results::{BackboneUse, Difference, FeatureHealth, FeatureSample, ProbeResult, mean_and_deviation, setting_text};
pub use run_folder::{RunFolder, RunLock};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
