use std::path::PathBuf;

use relata_artifact::{RunFolder, changes_no_result, read_checkpoint_metadata};

use crate::commands::train;
use crate::config::Recipe;
use crate::scoring::evaluation::LAST;
use crate::terminal::format::shown;
use crate::{Config, Error, Result};

/// One run of a comparison.
#[derive(Debug, Clone)]
pub(super) struct ComparedRun {
    /// What it has in common with its other seeds.
    pub(super) group: String,
    pub(super) seed: u64,
    /// Recipe and settings, as `train` takes them.
    pub(super) words: Vec<String>,
    pub(super) out: PathBuf,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunProgress {
    New,
    Interrupted,
    Done,
}

impl ComparedRun {
    pub(super) fn config(&self) -> Result<Config> {
        let config = Config::from_layers(&Recipe::from_arguments(&self.words)?.layers())?;
        config.validate()?;
        Ok(config)
    }

    pub(super) fn run_name(&self) -> String {
        format!("{}-seed{}", self.group, self.seed)
    }

    /// Looks into the run's folder.
    ///
    /// # Errors
    /// [`Error::Usage`] where it holds a run of other settings.
    pub(super) fn state(&self) -> Result<RunProgress> {
        let config = self.config()?;
        if !self.out.join("config.toml").is_file() {
            return Ok(if self.out.join("checkpoints").is_dir() { RunProgress::Interrupted } else { RunProgress::New });
        }
        let run = RunFolder::open(&self.out)?;
        let stored = Config::from_toml(&run.config_path().display().to_string(), &run.config()?)?;
        if let Some(difference) = difference(&stored, &config) {
            let run = shown(&self.out);
            return Err(Error::Usage(format!("{run} holds a run of other settings ({difference}): choose another --out")));
        }
        let last = run.checkpoint_path(LAST)?;
        if !last.exists() {
            return Ok(RunProgress::Interrupted);
        }
        let metadata = read_checkpoint_metadata(&last)?;
        let epoch = metadata.get("train.epoch").and_then(|epoch| epoch.parse::<u32>().ok());
        let own: Vec<String> =
            run.probes()?.into_iter().filter(|(_, probe)| probe.differs.is_empty()).map(|(_, probe)| probe.protocol).collect();
        let scored = !config.probe.after_train || config.probe.protocols.iter().all(|p| own.iter().any(|name| name == p.name()));
        Ok(if epoch >= Some(config.train.epochs) && scored { RunProgress::Done } else { RunProgress::Interrupted })
    }

    pub(super) fn arguments(&self, state: RunProgress) -> train::Arguments {
        // A run that is there knows its settings.
        let resume = state != RunProgress::New;
        let stored = resume && self.out.join("config.toml").is_file();
        let words =
            if stored { self.words.iter().filter(|word| word.contains('=')).cloned().collect() } else { self.words.clone() };
        train::Arguments::of_comparison(words, self.out.clone(), resume)
    }
}

/// The first setting that two runs do not share, of those that change a result.
fn difference(stored: &Config, wanted: &Config) -> Option<String> {
    let counts = |config: &Config| config.as_settings().into_iter().filter(|(key, _)| !changes_no_result(key));
    let differing = counts(stored).zip(counts(wanted)).find(|(there, here)| there != here);
    differing.map(|((key, there), (_, here))| format!("{key} = {there} there, {here} here"))
}
