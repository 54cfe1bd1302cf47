//! The page of one run.

use std::path::PathBuf;

use relata_artifact::RunFolder;

use crate::headline::{Facts, headline};
use crate::health::{self, Health};
use crate::shell::page;
use crate::{Result, class_scores, curves, feature_map, names, neighbours, scores, settings, views};

/// Renders the page of a run as one HTML text. Pieces that the run does not have are said to be missing.
///
/// # Errors
/// A file of the run that is there but cannot be read, or a chart that cannot be drawn.
pub fn render_run(run: &RunFolder) -> Result<String> {
    let config = run.config()?;
    let provenance = run.provenance()?;
    let metrics = run.metrics()?;
    let probes = scores::in_order(run.probes()?);
    let views = run.views()?;
    let sample = run.feature_sample()?;
    let neighbours = run.neighbours()?;

    let table = run.config_table()?;
    let mut facts = Facts::gather(&table, provenance.as_ref(), &metrics);
    names::fill_in(&mut facts, run)?;
    let own_data = health::own_data(&table);
    let sections = [
        scores::section(&probes),
        curves::section(&metrics, &facts)?,
        views::section(views.as_ref(), &facts),
        feature_map::section(sample.as_ref(), Health::of(&probes, own_data.as_deref()), &facts),
        neighbours::section(neighbours.as_ref(), &facts),
        class_scores::section(&probes),
        settings::section(provenance.as_ref(), &config),
    ];
    let version = provenance.map(|provenance| provenance.version).unwrap_or_default();
    Ok(page(&run.name(), "Relata run", &headline(&facts, &probes), &sections, &version))
}

/// Renders the page of a run and writes it to its `report.html`, atomically. Returns the path.
///
/// # Errors
/// As [`render_run`], and where the page cannot be written.
pub fn write_report(run: &RunFolder) -> Result<PathBuf> {
    run.write_report(&render_run(run)?)?;
    Ok(run.report_path())
}

#[cfg(test)]
pub(crate) mod tests;
