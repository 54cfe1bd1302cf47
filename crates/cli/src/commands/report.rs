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
  relata report runs/shapes-conv4-relational-seed1             the run's own report.html, written again
  relata report runs/shapes-conv4-relational-seed1 --out page.html
  relata report runs/a runs/b runs/c --out comparison.html

A page is one file that needs nothing else: no network, no scripts. A comparison shows settings, scores with their bounds
and published figures, training curves, confusion matrices, features with and without their labels, and nearest neighbours;
runs that differ in their seed alone get a mean."))]
pub struct Arguments {
    /// Folders of runs; several make one page that compares them
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Where the page goes; without it, a comparison to comparison.html, one run's page to its folder alone
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
