//! The page of one run.

use std::path::PathBuf;

use relata_artifact::RunFolder;

use super::headline::headline;
use super::shell::page;
use crate::Result;
use crate::run::Run;
use crate::sections::SECTIONS;

/// Renders the page of a run as one HTML text. Pieces that the run does not have are said to be missing.
///
/// # Errors
/// A file of the run that is there but cannot be read, or a chart that cannot be drawn.
pub fn render_run(run: &RunFolder) -> Result<String> {
    let run = Run::read(run)?;
    let bodies = SECTIONS.iter().map(|section| Ok((section, (section.of_run)(&run)?))).collect::<Result<Vec<_>>>()?;
    let version = run.provenance.as_ref().map_or("", |provenance| &provenance.version);
    Ok(page(&run.name, "Relata run", &headline(&run), &bodies, version))
}

/// Renders the page of a run and writes it to its `report.html`, atomically. Returns the path.
///
/// # Errors
/// As [`render_run`], and where the page cannot be written.
pub fn write_report(run: &RunFolder) -> Result<PathBuf> {
    run.write_report(&render_run(run)?)?;
    Ok(run.report_path())
}
