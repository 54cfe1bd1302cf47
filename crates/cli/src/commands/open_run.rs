//! A run that is there, for the commands that work on one.

use std::path::Path;

use relata_artifact::RunFolder;

use crate::data::images;
use crate::{Config, Error, Result};

/// An existing run and its configuration.
pub(super) fn open_run(path: &Path) -> Result<(RunFolder, Config)> {
    let run = RunFolder::open(path)?;
    let config = Config::from_toml(&run.config_path().display().to_string(), &run.config()?)?;
    Ok((run, config))
}

/// The configuration of a run with settings that belong to data and probes only. Where they name other images, the run's
/// `data.limit`, which is that of its own images, does not go with it.
pub(super) fn with_settings(config: &Config, settings: &[String]) -> Result<Config> {
    let allowed = |setting: &&String| ["data.", "probe.", "threads=", "device="].iter().any(|start| setting.starts_with(start));
    if let Some(other) = settings.iter().find(|setting| setting.contains('=') && !allowed(setting)) {
        let message = format!("{other:?} cannot be changed once a run is trained: only data.*, probe.*, threads and device can");
        return Err(Error::Usage(message));
    }
    let mut changed = config.changed_by(settings)?;
    if !images::same_data(&changed.data, &config.data) {
        let mut own = config.clone();
        own.data.limit = 0;
        changed = own.changed_by(settings)?;
    }
    changed.validate()?;
    Ok(changed)
}
