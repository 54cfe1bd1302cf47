//! One file a command.

mod compare;
mod data;
mod embed;
mod export;
mod import;
mod probe;
mod report;
mod train;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use relata_artifact::RunFolder;

use crate::{Config, Error, Result, images, interrupt, output, warnings};

/// What can be asked of Relata.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trains a backbone, probes it and writes a report
    Train(train::Arguments),
    /// Trains recipes with several seeds and tables what they reach
    Compare(compare::Arguments),
    /// Scores a run's backbone beside random weights, or features from files
    Probe(probe::Arguments),
    /// Writes the features of a data set's images to a file
    Embed(embed::Arguments),
    /// Writes the report of a run again, or one page that compares runs
    Report(report::Arguments),
    /// Lists, verifies and shows data sets
    Data(data::Arguments),
    /// Takes weights from PyTorch (.pth, .pt, .tar) or safetensors
    Import(import::Arguments),
    /// Writes a run's backbone as safetensors under torchvision's names
    Export(export::Arguments),
}

/// Does what was asked for. Errors are printed; the exit code is 0, 1 for a failure, 2 for a wrong request or configuration,
/// 130 after Ctrl-C.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    interrupt::listen();
    warnings::listen();
    let done = match command {
        Command::Train(arguments) => train::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Embed(arguments) => embed::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Data(arguments) => data::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// An existing run and its configuration.
fn open_run(path: &Path) -> Result<(RunFolder, Config)> {
    let run = RunFolder::open(path)?;
    let config = Config::from_toml(&run.config_path().display().to_string(), &run.config()?)?;
    Ok((run, config))
}

/// The configuration of a run with settings that belong to data and probes only. Where they name other images, the run's
/// `data.limit`, which is that of its own images, does not go with it.
fn with_settings(config: &Config, settings: &[String]) -> Result<Config> {
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
