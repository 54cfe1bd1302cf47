//! The folder of one run: where everything lies, and how to create, open and overwrite it safely.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::metrics::read_metrics;
use crate::{Error, Metrics, MetricsWriter, Provenance, Result, TensorRef, save_checkpoint, write_atomic};

mod documents;
mod layout;
mod lock;
mod pictures;
mod recognise;
mod results;
mod unfinished;

pub use lock::RunLock;

use documents::{make_parent, parse_toml, read_json, write_json};
use layout::{CHECKPOINTS, CONFIG, EPOCH, FIGURES, LOG, METRICS, PROBES, PROVENANCE, REPORT, SUBFOLDERS, UNFINISHED, plain_name};
use recognise::{empty, entries, is_abandoned, is_leftover, is_run, is_unused, names_with_extension, runs_nearby, why_no_run};

/// A run on disk. Cheap to clone; holds the path only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a new run folder, parents included. With `overwrite`, a folder that holds a run is emptied first, unless another process
    /// trains there.
    ///
    /// # Errors
    /// [`Error::Exists`] for a folder that is not empty, [`Error::NotOverwritten`] where `overwrite` meets a folder
    /// that is no run, [`Error::InUse`] (nothing is removed in any of these cases), [`Error::Io`].
    pub fn create(path: impl Into<PathBuf>, overwrite: bool) -> Result<Self> {
        Self::create_locked(path, overwrite).map(|(run, _)| run)
    }

    /// As [`create`](Self::create), and returns the lock, for a caller that goes on to write there.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_locked(path: impl Into<PathBuf>, overwrite: bool) -> Result<(Self, RunLock)> {
        let path = path.into();
        let lock = RunLock::acquire(&path)?;
        if !is_unused(&path)? {
            if !overwrite {
                return Err(Error::Exists { path });
            }
            if let Some(reason) = why_no_run(&path)? {
                return Err(Error::NotOverwritten { path, reason });
            }
            empty(&path)?;
        }
        for name in SUBFOLDERS {
            let folder = path.join(name);
            fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        }
        let run = Self { path };
        // What a process that died in its first moments, or in emptying the folder, left behind.
        run.remove_leftovers()?;
        Ok((run, lock))
    }

    /// Opens an existing run: a folder with a `config.toml`.
    ///
    /// # Errors
    /// [`Error::NoRun`], with the runs nearby.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if is_run(&path) { Ok(Self { path }) } else { Err(Error::NoRun { known: runs_nearby(&path), path }) }
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder's own name, as in `runs/<name>`.
    #[must_use]
    pub fn name(&self) -> String {
        let absolute = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let named = absolute.file_name().map(|name| name.to_string_lossy().into_owned());
        // A path that ends in `..` or is the root has no name of its own.
        named.unwrap_or_else(|| self.path.display().to_string())
    }

    /// `config.toml`
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// `provenance.json`
    fn provenance_path(&self) -> PathBuf {
        self.path.join(PROVENANCE)
    }

    /// `metrics.jsonl`
    fn metrics_path(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// `report.html`
    #[must_use]
    pub fn report_path(&self) -> PathBuf {
        self.path.join(REPORT)
    }

    /// `train.log`
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// `checkpoints/`
    fn checkpoints_dir(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// `checkpoints/<name>.safetensors`; the newest is called `last`.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that is no plain file name.
    pub fn checkpoint_path(&self, name: &str) -> Result<PathBuf> {
        let name = plain_name("checkpoint", name)?;
        Ok(self.checkpoints_dir().join(format!("{name}.safetensors")))
    }

    /// The name of an epoch's checkpoint: `epoch-0050`.
    #[must_use]
    pub fn epoch_checkpoint_name(epoch: u64) -> String {
        format!("{EPOCH}{epoch:04}")
    }

    /// Names of the checkpoints there are: epochs by their number, then the others (`last`) by name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn checkpoint_names(&self) -> Result<Vec<String>> {
        let mut names = names_with_extension(&self.checkpoints_dir(), "safetensors")?;
        let epoch = |name: &String| name.strip_prefix(EPOCH)?.parse::<u64>().ok();
        names.sort_by_key(|name| (epoch(name).is_none(), epoch(name)));
        Ok(names)
    }

    /// Saves a checkpoint atomically; see [`save_checkpoint`].
    ///
    /// # Errors
    /// As [`save_checkpoint`] and [`checkpoint_path`](Self::checkpoint_path).
    pub fn save_checkpoint(&self, name: &str, tensors: &[TensorRef<'_>], metadata: &BTreeMap<String, String>) -> Result<()> {
        let path = self.checkpoint_path(name)?;
        make_parent(&path)?;
        save_checkpoint(&path, tensors, metadata)
    }

    /// Writes the resolved configuration. The text must be TOML, so that the run can be opened again.
    ///
    /// # Errors
    /// [`Error::Toml`], [`Error::Io`].
    pub fn write_config(&self, text: &str) -> Result<()> {
        parse_toml(&self.config_path(), text)?;
        write_atomic(&self.config_path(), text.as_bytes())
    }

    /// The configuration as it was written.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn config(&self) -> Result<String> {
        let path = self.config_path();
        fs::read_to_string(&path).map_err(Error::io("read", &path))
    }

    /// The configuration as a table, for readers that want a few values and not its types.
    ///
    /// # Errors
    /// [`Error::Toml`], [`Error::Io`].
    pub fn config_table(&self) -> Result<toml::Table> {
        parse_toml(&self.config_path(), &self.config()?)
    }

    /// Writes `provenance.json`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_provenance(&self, provenance: &Provenance) -> Result<()> {
        write_json(&self.provenance_path(), provenance)
    }

    /// Reads `provenance.json`; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::Io`].
    pub fn provenance(&self) -> Result<Option<Provenance>> {
        read_json(&self.provenance_path())
    }

    /// Starts an empty `metrics.jsonl`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn metrics_writer(&self) -> Result<MetricsWriter> {
        MetricsWriter::create(&self.metrics_path())
    }

    /// Continues `metrics.jsonl` after the checkpoint of `step`; see [`MetricsWriter::resume`].
    ///
    /// # Errors
    /// As [`MetricsWriter::resume`].
    pub fn resume_metrics(&self, step: u64) -> Result<MetricsWriter> {
        MetricsWriter::resume(&self.metrics_path(), step)
    }

    /// All whole lines of `metrics.jsonl`, oldest first. A missing file is empty; half a line at the end, left by a crash, is skipped.
    ///
    /// # Errors
    /// [`Error::Json`] with the number of a damaged line that is not the last, [`Error::Io`].
    pub fn metrics(&self) -> Result<Vec<Metrics>> {
        read_metrics(&self.metrics_path())
    }

    /// `probes/`
    #[must_use]
    pub fn probes_dir(&self) -> PathBuf {
        self.path.join(PROBES)
    }

    /// `probes/unfinished/`: states of trainings that a probe has begun; there is no such folder where there are none.
    #[must_use]
    pub fn unfinished_dir(&self) -> PathBuf {
        self.probes_dir().join(UNFINISHED)
    }

    /// `figures/`
    fn figures_dir(&self) -> PathBuf {
        self.path.join(FIGURES)
    }

    /// Writes `report.html`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_report(&self, html: &str) -> Result<()> {
        write_atomic(&self.report_path(), html.as_bytes())
    }

    /// Removes temporary files that a killed process left behind, and says how many; not those that another process writes, such as
    /// a probe beside a training. Only for the process that owns the run: not every file system can tell which these are.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_leftovers(&self) -> Result<usize> {
        let mut removed = 0;
        let subfolders = [self.checkpoints_dir(), self.probes_dir(), self.unfinished_dir(), self.figures_dir()];
        for folder in std::iter::once(self.path.clone()).chain(subfolders) {
            for (name, path) in entries(&folder)? {
                if is_leftover(&name) && is_abandoned(&path) {
                    fs::remove_file(&path).map_err(Error::io("remove", &path))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests;
