use std::path::PathBuf;

use clap::Args;
use relata_artifact::{RunFolder, write_atomic};

use crate::log::shown;
use crate::{Result, output};

#[derive(Debug, Args)]
#[command(after_help = crate::words::help("Examples:
  relata report runs/shapes-conv4-relational-seed1
  relata report runs/a runs/b --out comparison.html"))]
pub struct Arguments {
    /// Folders of runs; several make one page that compares them
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Where a comparison goes
    #[arg(long, value_name = "FILE", default_value = "comparison.html")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let runs = arguments.runs.iter().map(RunFolder::open).collect::<Result<Vec<_>, _>>()?;
    let mut pages = Vec::new();
    for run in &runs {
        pages.push(relata_report::write_report(run)?);
    }
    if runs.len() > 1 {
        let page = relata_report::render_comparison(&runs)?;
        write_atomic(&arguments.out, page.as_bytes())?;
        pages.push(arguments.out.clone());
    }
    for page in pages {
        output::result(shown(&page));
    }
    Ok(())
}
