//! Recipes x settings x seeds, one after another, and one table of what they reached.

mod compared_run;
mod sweep;
mod table;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use relata_artifact::{RunFolder, write_atomic};

use super::seeds::seed;
use super::train;
use crate::terminal::format::{counted, shown};
use crate::terminal::{interrupt, output};
use crate::{Error, Result};
use compared_run::{ComparedRun, RunProgress};

#[derive(Debug, Args)]
#[command(after_help = crate::terminal::program::help("Examples:
  relata compare configs/cifar10/conv4-relational.toml configs/cifar10/conv4-simclr.toml --seeds 1,2,3 data.root=datasets
  relata compare configs/shapes/sweep.toml --out runs/sweep

Each run gets a folder below --out. The same command again skips runs that are done and continues those that were interrupted.
A run that fails does not stop the others. At the end the table is printed, and compare.md, compare.json and compare.html are written.

A sweep file names recipes, seeds, settings for all runs, and lists of values to combine:
  recipes = [\"configs/shapes/conv4-relational.toml\"]
  seeds = [1, 2]
  [settings]
  train.epochs = 4
  [grid]
  method.relational.hidden = [128, 256]"))]
pub struct Arguments {
    /// Recipes or one sweep file, then settings for all runs, such as train.epochs=10
    #[arg(value_name = "RECIPE | SWEEP | KEY=VALUE", required = true)]
    recipes_and_settings: Vec<String>,
    /// Seeds of each recipe; without it, the sweep file's, or 1
    #[arg(long, value_name = "1,2,3", value_delimiter = ',', value_parser = seed())]
    seeds: Vec<u64>,
    /// The folder of the runs and of the comparison
    #[arg(long, value_name = "FOLDER", default_value = "runs/compare")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let entries = sweep::entries(&arguments.recipes_and_settings, &arguments.seeds, &arguments.out)?;
    let states = entries.iter().map(ComparedRun::state).collect::<Result<Vec<_>>>()?;
    let mut checked = None;
    for (entry, _) in entries.iter().zip(&states).filter(|(_, state)| **state != RunProgress::Done) {
        // What differs in its seed alone fails by nothing else.
        if checked.replace(&entry.group) != Some(&entry.group) {
            output::note(format!("checking {}", entry.group));
            train::check(&entry.config()?)?;
        }
    }
    // The first run may fail before it has a folder.
    let out = &arguments.out;
    std::fs::create_dir_all(out).map_err(|source| relata_artifact::Error::Io { action: "create", path: out.clone(), source })?;
    let mut times = table::times(out)?;
    let mut failures = Vec::new();
    for (number, (entry, state)) in entries.iter().zip(states).enumerate() {
        let place = format!("{} of {}", number + 1, counted(entries.len(), "run"));
        if state == RunProgress::Done {
            output::note(format!("{place}: {} is done", shown(&entry.out)));
            continue;
        }
        output::note(format!("{place}: {}", shown(&entry.out)));
        let start = Instant::now();
        let outcome = train::run(&entry.arguments(state));
        interrupt::advise(None);
        *times.entry(entry.run_name()).or_insert(0) += start.elapsed().as_millis() as u64;
        table::write_times(out, &times)?;
        match outcome {
            Ok(()) => {}
            Err(Error::Interrupted { after, .. }) => {
                let resume = format!("the same command; it goes on with {}", shown(&entry.out));
                return Err(Error::Interrupted { after, resume });
            }
            Err(error) => {
                output::note(format!("{} failed:", shown(&entry.out)));
                output::error(&error);
                failures.push(shown(&entry.out));
            }
        }
    }
    conclude(&entries, &times, out)?;
    if failures.is_empty() { Ok(()) } else { Err(Error::RunsFailed { runs: failures, of: entries.len() }) }
}

/// The table, and the page of all runs that there are.
fn conclude(entries: &[ComparedRun], times: &table::Times, out: &Path) -> Result<()> {
    let rows = table::rows(entries, times)?;
    output::result(table::text(&rows));
    let mut files = vec![(out.join("compare.md"), table::markdown(&rows)), (out.join("compare.json"), table::json(&rows, times))];
    let runs: Vec<RunFolder> = entries.iter().filter_map(|entry| RunFolder::open(&entry.out).ok()).collect();
    if !runs.is_empty() {
        files.push((out.join("compare.html"), relata_report::render_comparison(&runs)?));
    }
    for (path, text) in files {
        write_atomic(&path, text.as_bytes())?;
        output::result(shown(&path));
    }
    Ok(())
}
