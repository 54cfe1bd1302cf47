//! Where a run starts from: a new folder, or one that is there.

use std::path::{Path, PathBuf};

use relata_artifact::{RunFolder, RunLock, ViewGrid, read_checkpoint_metadata};

use super::plan::Plan;
use super::{Arguments, Given};
use crate::config::{ConfigError, Recipe};
use crate::evaluation::LAST;
use crate::log::{shown, utc};
use crate::{Config, Error, Result, picture};

/// Images in the picture of views.
const PICTURED_IMAGES: usize = 6;

/// A run that is about to be made or gone on with.
pub(super) enum Start {
    New { config: Box<Config>, out: PathBuf, overwrite: bool },
    Resumed { config: Box<Config>, stored: Box<Config>, run: RunFolder },
}

impl Start {
    /// Reads what there is and changes nothing.
    pub(super) fn find(out: &Path, arguments: &Arguments, given: &Given) -> Result<Self> {
        if arguments.resume && !died_before_its_configuration(out) {
            let run = RunFolder::open(out)?;
            let stored = Config::from_toml(&run.config_path().display().to_string(), &run.config()?)?;
            let config = stored.resumed_with(&given.settings)?;
            config.validate()?;
            let (epochs, trained) = (config.train.epochs, trained_epochs(&run)?);
            if epochs < trained && epochs != stored.train.epochs {
                return Err(ConfigError::FewerEpochs { given: epochs, trained }.into());
            }
            return Ok(Self::Resumed { config: Box::new(config), stored: Box::new(stored), run });
        }
        let config = Config::from_layers(&given.recipe.layers())?;
        config.validate()?;
        if out.join("config.toml").exists() && !arguments.overwrite && !arguments.dry_run {
            // Before any data is opened; the folder itself refuses once more when it is made.
            return Err(relata_artifact::Error::Exists { path: out.to_owned() }.into());
        }
        Ok(Self::New { config: Box::new(config), out: out.to_owned(), overwrite: arguments.overwrite })
    }

    pub(super) fn config(&self) -> &Config {
        match self {
            Self::New { config, .. } | Self::Resumed { config, .. } => config,
        }
    }

    pub(super) fn resumes(&self) -> bool {
        matches!(self, Self::Resumed { .. })
    }

    /// `training runs/x`, for the log.
    pub(super) fn deed(&self, run: &RunFolder, recipe: &Recipe) -> String {
        let run = shown(run.path());
        if self.resumes() { format!("resuming {run}") } else { format!("training {run} (recipe: {})", recipe.name()) }
    }

    /// Makes the folder with its configuration, provenance and picture of views; or opens it and takes note of the resume.
    ///
    /// # Errors
    /// [`relata_artifact::Error::InUse`] where another process trains there.
    pub(super) fn open(&mut self, plan: &Plan) -> Result<(RunFolder, RunLock)> {
        match self {
            Self::New { config, out, overwrite } => {
                // First what reads images: a broken one ends the run before there is a folder.
                let views = views(config, plan)?;
                let (run, lock) = RunFolder::create_locked(out.as_path(), *overwrite)?;
                run.write_config(&config.to_toml())?;
                run.write_provenance(&plan.provenance(config))?;
                run.write_views(&views.0, &views.1)?;
                Ok((run, lock))
            }
            Self::Resumed { config, run, .. } => {
                let lock = RunLock::acquire(run.path())?;
                run.remove_leftovers()?;
                note_resume(run, config, plan)?;
                // A run that was killed in its first moments may lack it.
                if run.views()?.is_none() {
                    let views = views(config, plan)?;
                    run.write_views(&views.0, &views.1)?;
                }
                Ok((run.clone(), lock))
            }
        }
    }

    /// Writes what a resume changes of the configuration: once the trainer has accepted the checkpoint that is there.
    pub(super) fn keep_changes(&self) -> Result<()> {
        match self {
            Self::Resumed { config, stored, run } if config != stored => Ok(run.change_config(&config.to_toml())?),
            _ => Ok(()),
        }
    }
}

/// Epochs of the last checkpoint, one that is not whole included; 0 without one.
fn trained_epochs(run: &RunFolder) -> Result<u32> {
    let last = run.checkpoint_path(LAST)?;
    if !last.exists() {
        return Ok(0);
    }
    let metadata = read_checkpoint_metadata(&last)?;
    let number = |key: &str| metadata.get(key).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    Ok(number("train.epoch") + u32::from(number("train.batch") > 0))
}

/// A folder that a process made and was killed in before it wrote a configuration: nothing there to go on with.
fn died_before_its_configuration(out: &Path) -> bool {
    let empty = |folder: PathBuf| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    out.is_dir() && !out.join("config.toml").exists() && empty(out.join("checkpoints"))
}

fn note_resume(run: &RunFolder, config: &Config, plan: &Plan) -> Result<()> {
    let now = plan.provenance(config);
    let mut provenance = run.provenance()?.unwrap_or_else(|| now.clone());
    for data in &now.data {
        let known = provenance.data.iter().find(|known| (&known.name, &known.split) == (&data.name, &data.split));
        if let Some(known) = known.filter(|known| known.sha256 != data.sha256) {
            let (name, split) = (data.name.clone(), data.split.clone());
            return Err(Error::OtherData { name, split, expected: known.sha256.clone(), found: data.sha256.clone() });
        }
    }
    let resumed = provenance.extra.entry("resumed_at").or_insert_with(|| "".into());
    let before = resumed.as_str().filter(|text| !text.is_empty()).map(|text| format!("{text}, ")).unwrap_or_default();
    *resumed = format!("{before}{}", utc(std::time::SystemTime::now())).into();
    Ok(run.write_provenance(&provenance)?)
}

/// The picture of views with its captions.
fn views(config: &Config, plan: &Plan) -> Result<(ViewGrid, Vec<u8>)> {
    let images: Vec<usize> = (0..plan.dataset.len().min(PICTURED_IMAGES)).collect();
    let views = config.augment.views.min(picture::MAX_VIEWS);
    let side_px = plan.pipeline.side_px();
    let png = picture::views_png(&*plan.dataset, &images, &config.augment, side_px, config.seed, views)?;
    let captions = std::iter::once("original".to_owned()).chain((1..=views).map(|view| format!("view {view}")));
    let grid = ViewGrid {
        rows: images.len(),
        columns: views + 1,
        captions: captions.collect(),
        augmentation: config.augment.in_words(),
    };
    Ok((grid, png))
}
