use std::path::PathBuf;

use clap::Args;
use relata_artifact::{RunFolder, write_atomic};

use crate::Result;
use crate::terminal::format::shown;
use crate::terminal::output;

/// Where a comparison goes if nobody says.
const COMPARISON: &str = "comparison.html";

#[derive(Debug, Args)]
#[command(after_help = crate::terminal::program::help("Examples:
  relata report runs/shapes-conv4-relational-seed1             writes the run's report.html again
  relata report runs/shapes-conv4-relational-seed1 --out page.html
  relata report runs/a runs/b runs/c --out comparison.html

A page is one file that needs no network and no scripts. A comparison shows settings, scores beside random weights and published
figures, training curves, confusion matrices, features, and nearest neighbours. Runs that differ in their seed alone get a mean."))]
pub struct Arguments {
    /// Folders of runs; several make one page that compares them
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The page's file; without it, comparison.html for several runs, report.html in its folder for one
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let runs = arguments.runs.iter().map(RunFolder::open).collect::<Result<Vec<_>, _>>()?;
    let mut pages = Vec::new();
    for run in &runs {
        pages.push(relata_report::write_report(run)?);
    }
    let page = match &runs[..] {
        [run] if arguments.out.is_some() => Some(relata_report::render_run(run)?),
        [_] => None,
        _ => Some(relata_report::render_comparison(&runs)?),
    };
    if let Some(page) = page {
        let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(COMPARISON));
        write_atomic(&out, page.as_bytes())?;
        pages.push(out);
    }
    for page in pages {
        output::result(shown(&page));
    }
    Ok(())
}
