//! One file a command.

mod compare;
mod data;
mod embed;
mod export;
mod import;
mod open_run;
mod probe;
mod report;
mod seeds;
mod train;

use std::process::ExitCode;

use clap::Subcommand;

use crate::terminal::{interrupt, output, warnings};

/// What can be asked of Relata.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trains a backbone, scores its features and writes a report
    Train(train::Arguments),
    /// Trains recipes with several seeds and compares their scores in a table
    Compare(compare::Arguments),
    /// Scores a run's backbone beside one of random weights, or features from files
    Probe(probe::Arguments),
    /// Writes the features of a data set's images to a file
    Embed(embed::Arguments),
    /// Writes the report of a run again, or one page that compares runs
    Report(report::Arguments),
    /// Lists, downloads, checks and shows data sets
    Data(data::Arguments),
    /// Reads weights of PyTorch (.pth, .pt, .tar) or safetensors
    Import(import::Arguments),
    /// Writes a run's backbone as safetensors under torchvision's names
    Export(export::Arguments),
}

/// Runs a command. Errors are printed; the exit code is 0, 1 for a failure, 2 for a wrong request or configuration,
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
