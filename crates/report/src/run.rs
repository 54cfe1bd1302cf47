//! A run as the pages need it: all its files, read once.

use std::collections::BTreeMap;

use relata_artifact::{FeatureSample, Metrics, Neighbours, ProbeResult, Provenance, RunFolder, ViewGrid, keep_what_counts};
use toml::{Table, Value};

use crate::Result;
use crate::results::in_order;
use crate::summary::Summary;

/// All that a run folder holds for a page.
pub(crate) struct Run {
    pub(crate) name: String,
    /// config.toml as it was written, and as values.
    pub(crate) config: String,
    pub(crate) settings: Table,
    pub(crate) provenance: Option<Provenance>,
    pub(crate) summary: Summary,
    /// What the training wrote of its steps.
    pub(crate) metrics: Vec<Metrics>,
    /// What was measured on the backbone between epochs.
    pub(crate) online: Vec<Metrics>,
    /// Results in the order in which pages show them.
    pub(crate) probes: Vec<(String, ProbeResult)>,
    pub(crate) views: Option<(ViewGrid, Vec<u8>)>,
    pub(crate) sample: Option<FeatureSample>,
    pub(crate) neighbours: Option<(Neighbours, Vec<u8>)>,
}

impl Run {
    /// # Errors
    /// A file that is there but cannot be read.
    pub(crate) fn read(run: &RunFolder) -> Result<Self> {
        let settings = run.config_table()?;
        let (online, metrics) = run.metrics()?.into_iter().partition(Metrics::is_online);
        Ok(Self {
            name: run.name(),
            config: run.config()?,
            provenance: run.provenance()?,
            summary: Summary::read(run)?,
            metrics,
            online,
            probes: in_order(run.probes()?, &requested_protocols(&settings)),
            views: run.views()?,
            sample: run.feature_sample()?,
            neighbours: run.neighbours()?,
            settings,
        })
    }

    pub(crate) fn seed(&self) -> Option<i64> {
        self.settings.get("seed").and_then(Value::as_integer)
    }

    /// Everything that two runs with other seeds still have in common.
    pub(crate) fn settings_but_seed(&self) -> Table {
        let mut settings = self.settings.clone();
        settings.remove("seed");
        keep_what_counts(&mut settings);
        settings
    }

    pub(crate) fn results(&self) -> impl Iterator<Item = &ProbeResult> {
        self.probes.iter().map(|(_, probe)| probe)
    }
}

/// The protocols that the run itself requests, each with its number among them.
fn requested_protocols(settings: &Table) -> BTreeMap<String, u32> {
    let names = settings.get("probe").and_then(|probe| probe.get("protocols")).and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.zip(0..).map(|(name, place)| (name.to_owned(), place)).collect()
}
