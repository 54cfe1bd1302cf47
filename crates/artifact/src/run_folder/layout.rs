//! What is called how in a run folder.

use crate::{Error, Result};

pub(super) const CONFIG: &str = "config.toml";
pub(super) const PROVENANCE: &str = "provenance.json";
pub(super) const METRICS: &str = "metrics.jsonl";
pub(super) const CHECKPOINTS: &str = "checkpoints";
pub(super) const PROBES: &str = "probes";
pub(super) const UNFINISHED: &str = "unfinished";
pub(super) const FIGURES: &str = "figures";
pub(super) const TENSORBOARD: &str = "tensorboard";
pub(super) const REPORT: &str = "report.html";
pub(super) const LOG: &str = "train.log";
/// What the name of an epoch's checkpoint starts with.
pub(super) const EPOCH: &str = "epoch-";
/// Made with the run; a folder that holds nothing but these, empty, counts as empty.
pub(super) const SUBFOLDERS: [&str; 3] = [CHECKPOINTS, PROBES, FIGURES];
/// All that a run folder may hold at its top; anything else makes it somebody else's folder.
pub(super) const ENTRIES: [&str; 9] = [CONFIG, PROVENANCE, METRICS, CHECKPOINTS, PROBES, FIGURES, TENSORBOARD, REPORT, LOG];

/// A name for a file that stays inside its folder; `what` is called so in the error.
pub(super) fn plain_name<'a>(what: &'static str, name: &'a str) -> Result<&'a str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '+');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Error::Name { what, name: name.to_owned() });
    }
    Ok(name)
}
