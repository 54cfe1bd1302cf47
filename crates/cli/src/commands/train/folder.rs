//! Where a run starts from: a new folder, or one that is there.

use std::path::{Path, PathBuf};

use relata_artifact::{Provenance, RunFolder, RunLock, ViewGrid, read_checkpoint_metadata};

use super::arguments::{Arguments, TrainRequest};
use super::plan::RunPlan;
use crate::config::{ConfigError, Recipe};
use crate::data::picture;
use crate::scoring::evaluation::LAST;
use crate::terminal::format::{shown, utc};
use crate::terminal::program::program;
use crate::{Config, Error, Result};

/// Images in the picture of views.
const PICTURED_IMAGES: usize = 6;

/// A run that is about to be made or gone on with.
pub(super) enum RunStart {
    New { config: Box<Config>, out: PathBuf, overwrite: bool },
    Resumed { config: Box<Config>, stored: Box<Config>, run: RunFolder },
}

impl RunStart {
    /// Reads what there is and changes nothing.
    pub(super) fn find(out: &Path, arguments: &Arguments, request: &TrainRequest) -> Result<Self> {
        if arguments.resume && !died_before_its_configuration(out) {
            let run = RunFolder::open(out)?;
            let stored = Config::from_toml(&run.config_path().display().to_string(), &run.config()?)?;
            let config = stored.resumed_with(&request.settings)?;
            config.validate()?;
            let (epochs, trained) = (config.train.epochs, trained_epochs(&run)?);
            if epochs < trained && epochs != stored.train.epochs {
                return Err(ConfigError::FewerEpochs { given: epochs, trained }.into());
            }
            return Ok(Self::Resumed { config: Box::new(config), stored: Box::new(stored), run });
        }
        let config = Config::from_layers(&request.recipe.layers())?;
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

    /// Makes the folder with its configuration, provenance and picture of views; or opens the one that is there.
    ///
    /// # Errors
    /// [`relata_artifact::Error::InUse`] where another process trains there, [`Error::OtherData`] where it was trained on other images.
    pub(super) fn open(&mut self, plan: &RunPlan) -> Result<(RunFolder, RunLock)> {
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
                check_data(run, &plan.provenance(config))?;
                Ok((run.clone(), lock))
            }
        }
    }

    /// Writes what a resume changes of the run: once the trainer has accepted the checkpoint that is there.
    pub(super) fn note_resume(&self, plan: &RunPlan) -> Result<()> {
        let Self::Resumed { config, stored, run } = self else { return Ok(()) };
        run.remove_leftovers()?;
        let mut provenance = run.provenance()?.unwrap_or_else(|| plan.provenance(config));
        let time = utc(std::time::SystemTime::now());
        append(&mut provenance, "resumed_at", time.clone());
        for ((key, before), (_, after)) in stored.as_settings().into_iter().zip(config.as_settings()) {
            if before != after {
                append(&mut provenance, "changed_on_resume", format!("{key} = {after} instead of {before} ({time})"));
            }
        }
        run.write_provenance(&provenance)?;
        // A run that was killed in its first moments may lack it.
        if run.views()?.is_none() {
            let views = views(config, plan)?;
            run.write_views(&views.0, &views.1)?;
        }
        if config != stored {
            run.change_config(&config.to_toml())?;
        }
        Ok(())
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

/// Refuses other images than those that the run was trained on.
fn check_data(run: &RunFolder, now: &Provenance) -> Result<()> {
    let trained = run.provenance()?.unwrap_or_else(|| now.clone());
    for data in &now.data {
        let known = trained.data.iter().find(|known| (&known.name, &known.split) == (&data.name, &data.split));
        if let Some(known) = known.filter(|known| known.sha256 != data.sha256) {
            let (name, split) = (data.name.clone(), data.split.clone());
            return Err(Error::OtherData { name, split, expected: known.sha256.clone(), found: data.sha256.clone() });
        }
    }
    Ok(())
}

/// Puts `text` behind what an entry says already.
fn append(provenance: &mut Provenance, key: &str, text: String) {
    let before = provenance.extra.get(key).and_then(|text| text.as_str()).unwrap_or_default();
    let text = if before.is_empty() { text } else { format!("{before}, {text}") };
    provenance.extra.insert(key.to_owned(), text.into());
}

/// The picture of views with its captions.
fn views(config: &Config, plan: &RunPlan) -> Result<(ViewGrid, Vec<u8>)> {
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

/// The command that goes on with a run.
pub(super) fn resume_command(run: &RunFolder) -> String {
    format!("{} train --resume {}", program(), shown(run.path()))
}
