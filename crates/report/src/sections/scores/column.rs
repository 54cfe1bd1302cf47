//! Which scores of several runs can be compared: those in one column.

use std::collections::BTreeMap;

use relata_artifact::ProbeResult;

use crate::results::{label_share_pct, other_settings, protocol_title, with_share};
use crate::run::Run;

/// What scores must agree in to stand in one column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    protocol: String,
    data: String,
    split: String,
    /// Share of the labels in hundredths of a percent; `None` for all.
    share: Option<u64>,
    /// The settings that are not the run's own.
    others: Option<String>,
}

/// The scores of several runs by one protocol on the same data.
pub(crate) struct Column {
    key: Key,
    rank: u32,
    /// The protocol's title; its name where no result has one.
    protocol_title: String,
}

impl Key {
    fn of(probe: &ProbeResult) -> Self {
        Self {
            protocol: probe.protocol.clone(),
            data: probe.data.clone(),
            split: probe.split.clone(),
            share: label_share_pct(probe).map(|pct| (100.0 * pct).round() as u64),
            others: other_settings(probe),
        }
    }
}

impl Column {
    pub(crate) fn data(&self) -> &str {
        &self.key.data
    }

    pub(crate) fn split(&self) -> &str {
        &self.key.split
    }

    pub(crate) fn title(&self) -> String {
        let title = with_share(&self.protocol_title, self.key.share.map(|share| share as f64 / 100.0));
        self.key.others.iter().fold(title, |title, others| format!("{title}, {others}"))
    }

    /// Whether the runs were scored with settings that differ in more than seeds and trained steps.
    pub(crate) fn settings_differ(&self, runs: &[Run]) -> bool {
        let settings = |probe: &ProbeResult| {
            let mut settings = probe.settings.clone();
            settings.retain(|key, _| !["seed", "seeds", "step"].contains(&key.as_str()));
            (settings, probe.train_images, probe.test_images)
        };
        let mut all = runs.iter().filter_map(|run| self.find(run)).map(settings);
        let first = all.next();
        all.any(|other| Some(other) != first)
    }

    pub(crate) fn find<'a>(&self, run: &'a Run) -> Option<&'a ProbeResult> {
        run.results().find(|probe| Key::of(probe) == self.key)
    }
}

/// The columns of all results: by the rank of the protocol, then by name. Results of older versions have neither rank nor title, and take
/// those of newer ones beside them; where there are none, the place among the results of their run.
pub(crate) fn columns(runs: &[Run]) -> Vec<Column> {
    let mut columns: BTreeMap<Key, Column> = BTreeMap::new();
    for run in runs {
        for (probe, place) in run.results().zip(0..) {
            let key = Key::of(probe);
            let rank = probe.rank.unwrap_or(place);
            let column = || Column { key: key.clone(), rank, protocol_title: protocol_title(probe).to_owned() };
            let column = columns.entry(key.clone()).or_insert_with(column);
            if let Some(title) = &probe.title {
                column.protocol_title.clone_from(title);
            }
            column.rank = column.rank.min(rank);
        }
    }
    let mut columns: Vec<Column> = columns.into_values().collect();
    columns.sort_by(|a, b| (a.rank, &a.key).cmp(&(b.rank, &b.key)));
    columns
}
