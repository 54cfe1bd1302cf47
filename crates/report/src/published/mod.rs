//! Published figures that a run can be held against. The figures and their sources are data: `figures.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use relata_artifact::{ProbeResult, RunFolder};
use serde::Deserialize;

use crate::Result;
use crate::numbers::{count, counted, short};
use crate::results::label_share_pct;
use crate::summary::Summary;

/// All published figures with where they come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Publication {
    pub(crate) authors: String,
    pub(crate) title: String,
    pub(crate) venue: String,
    /// Training images of the data sets.
    images: BTreeMap<String, u64>,
    table: Vec<Table>,
}

/// Figures of one protocol on one backbone; `figures.toml` says what each field is.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: String,
    protocol: String,
    backbone: String,
    epochs: u64,
    on: Vec<(String, String)>,
    views_of: String,
    views: Vec<u64>,
    random: Option<String>,
    supervised: Option<String>,
    #[serde(default)]
    fitted_on_all_images: bool,
    #[serde(default)]
    probe_settings: Vec<(String, f64, String)>,
    #[serde(default)]
    only_for_its_budget: bool,
    pct: BTreeMap<String, Vec<f64>>,
}

pub(crate) static PUBLICATION: LazyLock<Publication> =
    LazyLock::new(|| toml::from_str(include_str!("figures.toml")).expect("the table in this folder is valid"));

/// A figure beside the budget that it was reached with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Published {
    table: &'static Table,
    pub(crate) score_pct: f64,
    /// The published bounds on the same backbone and data.
    pub(crate) random_pct: Option<f64>,
    pub(crate) supervised_pct: Option<f64>,
    /// Where the figure's method is the one that these views are of.
    views: Option<u64>,
}

/// The figures for a result of a run; none for what the tables do not have.
pub(crate) fn find(summary: &Summary, probe: &ProbeResult) -> Vec<Published> {
    let (Some(backbone), Some(method), Some(dataset)) = (&summary.backbone, &summary.method, &summary.dataset) else {
        return Vec::new();
    };
    // What was published is of the test split and of all labels.
    if probe.split != "test" || label_share_pct(probe).is_some() {
        return Vec::new();
    }
    let on = (dataset.clone(), probe.data.clone());
    let tables = PUBLICATION.table.iter().filter(|table| (&table.protocol, &table.backbone) == (&probe.protocol, backbone));
    tables.filter_map(|table| table.figure(method, &on)).filter(|found| found.is_worth_a_row(summary)).collect()
}

/// The published figure for a result of `run`, percent, where it was reached with the run's own budget; none for other budgets.
///
/// # Errors
/// A file of the run that cannot be read.
pub fn published_pct(run: &RunFolder, probe: &ProbeResult) -> Result<Option<f64>> {
    let summary = Summary::read(run)?;
    let same = |found: &Published| found.differences(&summary, probe).is_empty();
    Ok(find(&summary, probe).into_iter().find(same).map(|found| found.score_pct))
}

impl Table {
    fn figure(&'static self, method: &str, on: &(String, String)) -> Option<Published> {
        let column = self.on.iter().position(|column| column == on)?;
        let pct = |method: &str| self.pct.get(method)?.get(column).copied();
        Some(Published {
            table: self,
            score_pct: pct(method)?,
            random_pct: self.random.as_deref().and_then(pct),
            supervised_pct: self.supervised.as_deref().and_then(pct),
            views: (self.views_of == method).then(|| self.views.get(column).copied()).flatten(),
        })
    }
}

impl Published {
    /// Where the figure was published, as in "the paper".
    pub(crate) fn source(&self) -> &'static str {
        &self.table.source
    }

    fn is_worth_a_row(&self, summary: &Summary) -> bool {
        !self.table.only_for_its_budget || (summary.views, summary.whole_epochs()) == (self.views, Some(self.table.epochs))
    }

    /// What the run had other than the published figure; empty for the same budget.
    pub(crate) fn differences(&self, summary: &Summary, probe: &ProbeResult) -> Vec<String> {
        let mut differences = Vec::new();
        let done = summary.whole_epochs();
        // Nothing was trained, there or here.
        if !summary.is_untrained && done != Some(self.table.epochs) {
            let here = done.map_or_else(|| "an unknown number".to_owned(), count);
            differences.push(format!("{} there, {here} here", counted(self.table.epochs, "epoch")));
        }
        if let Some(views) = self.views.filter(|_| summary.views != self.views) {
            let here = summary.views.map_or_else(|| "an unknown number".to_owned(), count);
            differences.push(format!("{} there, {here} here", counted(views, "view")));
        }
        let size = |name: &str| PUBLICATION.images.get(name).copied();
        let trained_on = summary.dataset.as_deref().and_then(size).zip(summary.images);
        if let Some((all, images)) = trained_on.filter(|(all, images)| all != images) {
            differences.push(format!("trained on {} of {} images", count(images), count(all)));
        }
        let fitted_on = size(&probe.data).filter(|_| self.table.fitted_on_all_images).zip(Some(probe.train_images as u64));
        if let Some((all, images)) = fitted_on.filter(|(all, images)| all != images) {
            differences.push(format!("probe fitted on {} of {} images", count(images), count(all)));
        }
        for (setting, there, words) in &self.table.probe_settings {
            let here = probe.settings.get(setting).and_then(serde_json::Value::as_f64);
            if let Some(here) = here.filter(|here| here != there) {
                differences.push(format!("{words}: {} there, {} here", short(*there), short(here)));
            }
        }
        differences
    }
}

#[cfg(test)]
mod tests;
