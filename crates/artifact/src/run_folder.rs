//! The folder of one run: where everything lies, and how to create, open and overwrite it safely.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Checkpoint, Error, FeatureSample, Metrics, MetricsWriter, Neighbours, Provenance, Result, TensorRef, ViewGrid, read_metrics,
    save_checkpoint, write_atomic,
};

mod guard;
mod lock;
mod results;

pub use lock::RunLock;

use guard::{SUBFOLDERS, empty, entries, is_abandoned, is_leftover, is_run, is_unused, nearest_runs, why_no_run};

const CONFIG: &str = "config.toml";
const PROVENANCE: &str = "provenance.json";
const METRICS: &str = "metrics.jsonl";
const CHECKPOINTS: &str = "checkpoints";
const PROBES: &str = "probes";
const UNFINISHED: &str = "unfinished";
const FIGURES: &str = "figures";
const TENSORBOARD: &str = "tensorboard";
const REPORT: &str = "report.html";
const LOG: &str = "train.log";
/// What the name of an epoch's checkpoint starts with.
const EPOCH: &str = "epoch-";

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

    /// As [`create`](Self::create), and keeps the lock that it was made under, for who goes on to write there.
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
    /// [`Error::NoRun`], with the most similar runs nearby.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if is_run(&path) { Ok(Self { path }) } else { Err(Error::NoRun { nearest: nearest_runs(&path), path }) }
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
    #[must_use]
    pub fn provenance_path(&self) -> PathBuf {
        self.path.join(PROVENANCE)
    }

    /// `metrics.jsonl`
    #[must_use]
    pub fn metrics_path(&self) -> PathBuf {
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

    /// `tensorboard/`, which is not created until somebody writes there
    #[must_use]
    pub fn tensorboard_dir(&self) -> PathBuf {
        self.path.join(TENSORBOARD)
    }

    /// `checkpoints/`
    #[must_use]
    pub fn checkpoints_dir(&self) -> PathBuf {
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

    /// Starts `metrics.jsonl` afresh.
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

    /// All lines of `metrics.jsonl`; see [`read_metrics`].
    ///
    /// # Errors
    /// As [`read_metrics`].
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

    /// Writes `probes/sample.safetensors`.
    ///
    /// # Errors
    /// As [`FeatureSample::save`].
    pub fn write_feature_sample(&self, sample: &FeatureSample) -> Result<()> {
        let path = self.feature_sample_path();
        make_parent(&path)?;
        sample.save(&path)
    }

    /// Reads `probes/sample.safetensors`; `None` where there is none.
    ///
    /// # Errors
    /// As [`FeatureSample::load`].
    pub fn feature_sample(&self) -> Result<Option<FeatureSample>> {
        let path = self.feature_sample_path();
        if path.exists() { FeatureSample::load(&path).map(Some) } else { Ok(None) }
    }

    /// `figures/`
    #[must_use]
    pub fn figures_dir(&self) -> PathBuf {
        self.path.join(FIGURES)
    }

    /// Writes `figures/<name>`, extension included.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Io`].
    pub fn write_figure(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.figures_dir().join(plain_name("figure", name)?);
        make_parent(&path)?;
        write_atomic(&path, bytes)
    }

    /// Reads `figures/<name>`; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Io`].
    pub fn figure(&self, name: &str) -> Result<Option<Vec<u8>>> {
        read_if_there(&self.figures_dir().join(plain_name("figure", name)?))
    }

    /// Writes the picture of images with their views, `figures/views.png`, and its captions, `figures/views.json`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_views(&self, grid: &ViewGrid, png: &[u8]) -> Result<()> {
        self.write_captioned("views", grid, png)
    }

    /// The picture of views as PNG bytes, with its captions (empty ones where `views.json` is missing, or another picture's).
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::Io`].
    pub fn views(&self) -> Result<Option<(ViewGrid, Vec<u8>)>> {
        let Some(png) = self.figure("views.png")? else {
            return Ok(None);
        };
        let grid = self.captions_of("views", &png)?.unwrap_or_default();
        Ok(Some((grid, png)))
    }

    /// Writes images with their nearest neighbours, the tiles `figures/neighbours.png` and `figures/neighbours.json`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_neighbours(&self, neighbours: &Neighbours, png: &[u8]) -> Result<()> {
        self.write_captioned("neighbours", neighbours, png)
    }

    /// Images with their nearest neighbours, and their tiles as PNG bytes; `None` where either is missing, or they are not of
    /// each other.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::Io`].
    pub fn neighbours(&self) -> Result<Option<(Neighbours, Vec<u8>)>> {
        let Some(png) = self.figure("neighbours.png")? else {
            return Ok(None);
        };
        Ok(self.captions_of("neighbours", &png)?.map(|neighbours| (neighbours, png)))
    }

    /// The picture first, then what it shows: whoever is stopped in between leaves captions that are of no picture.
    fn write_captioned(&self, name: &str, captions: &impl Serialize, png: &[u8]) -> Result<()> {
        self.write_figure(&format!("{name}.png"), png)?;
        let captioned = Captioned { picture: Some(digest(png)), captions };
        write_json(&self.figures_dir().join(format!("{name}.json")), &captioned)
    }

    /// `None` where there are none, or of another picture. Older versions did not say of which they are.
    fn captions_of<T: DeserializeOwned>(&self, name: &str, png: &[u8]) -> Result<Option<T>> {
        let read: Option<Captioned<T>> = read_json(&self.figures_dir().join(format!("{name}.json")))?;
        Ok(read.filter(|read| read.picture.as_ref().is_none_or(|picture| *picture == digest(png))).map(|read| read.captions))
    }

    /// Writes `report.html`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_report(&self, html: &str) -> Result<()> {
        write_atomic(&self.report_path(), html.as_bytes())
    }

    /// Removes temporary files that a killed process left behind, and says how many; not those that another process writes, such as
    /// a probe beside a training. Only for the process that owns the run: not every file system tells them apart.
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

    fn unfinished_path(&self, name: &str) -> Result<PathBuf> {
        Ok(self.unfinished_dir().join(format!("{}.safetensors", plain_name("unfinished training", name)?)))
    }

    fn feature_sample_path(&self) -> PathBuf {
        self.probes_dir().join("sample.safetensors")
    }
}

/// What a picture shows, and which picture it is.
#[derive(Serialize, Deserialize)]
struct Captioned<T> {
    /// The first 16 digits of its SHA-256.
    #[serde(default)]
    picture: Option<String>,
    #[serde(flatten)]
    captions: T,
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn names_with_extension(folder: &Path, extension: &str) -> Result<Vec<String>> {
    let files = entries(folder)?.into_iter().filter(|(name, path)| !is_leftover(name) && path.is_file());
    let names = files.filter_map(|(name, _)| Some(name.strip_suffix(extension)?.strip_suffix('.')?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    Ok(names)
}

fn plain_name<'a>(what: &'static str, name: &'a str) -> Result<&'a str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '+');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Error::Name { what, name: name.to_owned() });
    }
    Ok(name)
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(Error::io("create", parent))
}

fn parse_toml(path: &Path, text: &str) -> Result<toml::Table> {
    text.parse().map_err(|source| Error::Toml { path: path.to_owned(), source: Box::new(source) })
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(Error::json(path))?;
    text.push(b'\n');
    make_parent(path)?;
    write_atomic(path, &text)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = read_if_there(path)?;
    bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(Error::json(path))).transpose()
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(Error::io("read", path)),
    }
}

#[cfg(test)]
mod tests;
