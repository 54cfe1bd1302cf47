//! What was trained and what it reached, in words.

use maud::{Markup, html};
use relata_artifact::{Metrics, ProbeResult, Provenance};
use toml::{Table, Value};

use crate::numbers::{count, counted, percent};
use crate::scores::{accuracy, gain, label_share_pct, protocol_title, with_share};

/// The few settings that a sentence about the run needs; what is missing is left out of it.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) method: Option<String>,
    pub(crate) backbone: Option<String>,
    pub(crate) dataset: Option<String>,
    pub(crate) views: Option<u64>,
    pub(crate) epochs: Option<u64>,
    pub(crate) epochs_done: Option<f64>,
    pub(crate) images: Option<u64>,
}

impl Facts {
    pub(crate) fn gather(config: &Table, provenance: Option<&Provenance>, metrics: &[Metrics]) -> Self {
        let value = |section: &str, key: &str| config.get(section)?.get(key);
        let text = |section, key| value(section, key).and_then(Value::as_str).map(str::to_owned);
        let whole = |section, key| value(section, key).and_then(Value::as_integer).and_then(|n| u64::try_from(n).ok());
        let dataset = text("data", "dataset");
        let fingerprints = provenance.map_or(&[][..], |provenance| &provenance.data);
        let split = text("data", "split");
        let trained_on = fingerprints
            .iter()
            .find(|data| Some(&data.name) == dataset.as_ref() && split.as_ref().is_none_or(|split| *split == data.split));
        Self {
            method: text("method", "kind"),
            backbone: text("model", "backbone"),
            views: whole("augment", "views"),
            epochs: whole("train", "epochs"),
            epochs_done: metrics.last().and_then(|line| line.epoch),
            images: trained_on.map(|data| data.images),
            dataset,
        }
    }

    /// `relational`, as a reader says it.
    pub(crate) fn method_title(&self) -> String {
        let known = match self.method.as_deref() {
            Some("relational") => "Relational reasoning",
            Some("simclr") => "SimCLR",
            Some("barlow") => "Barlow Twins",
            Some("byol") => "BYOL",
            Some("rotation") => "Rotation prediction",
            Some("deepinfomax") => "Deep InfoMax",
            Some("deepcluster") => "DeepCluster",
            Some("supervised") => "Supervised training",
            Some("random") => "No training",
            Some(other) => other,
            None => "Training",
        };
        known.to_owned()
    }

    pub(crate) fn is_relational(&self) -> bool {
        self.method.as_deref() == Some("relational")
    }

    /// Whether the run is its initial weights.
    pub(crate) fn is_untrained(&self) -> bool {
        self.method.as_deref() == Some("random")
    }

    /// Whether training saw the labels.
    pub(crate) fn is_supervised(&self) -> bool {
        self.method.as_deref() == Some("supervised")
    }

    /// `20 epochs`, or `12 of 20 epochs so far`
    pub(crate) fn epochs_words(&self) -> Option<String> {
        if self.is_untrained() {
            return None;
        }
        match (self.epochs_done, self.epochs) {
            (Some(done), Some(planned)) if done < planned as f64 => {
                let done = if done == done.floor() { format!("{done}") } else { format!("{done:.1}") };
                Some(format!("{done} of {} so far", counted(planned, "epoch")))
            }
            // More than is planned, where the plan was shortened.
            (Some(done), _) => Some(counted(done as u64, "epoch")),
            (None, planned) => planned.map(|planned| counted(planned, "epoch")),
        }
    }

    /// Epochs that were trained, or that are planned where no metrics tell; `None` in the middle of one.
    pub(crate) fn whole_epochs(&self) -> Option<u64> {
        match self.epochs_done {
            Some(done) => (done == done.floor()).then_some(done as u64),
            None => self.epochs,
        }
    }

    /// Whether there is anything to say about the training.
    fn is_known(&self) -> bool {
        self.method.is_some() || self.backbone.is_some() || self.dataset.is_some()
    }

    /// What was done, one sentence.
    fn deed(&self) -> String {
        let mut words = self.method_title();
        if let Some(backbone) = &self.backbone {
            words.push_str(&format!(" on a {backbone} backbone"));
        }
        if self.is_untrained() {
            words.push_str(": random weights.");
            return words;
        }
        let images = self.images.map(|images| format!("{} ", count(images))).unwrap_or_default();
        let unlabelled = if self.is_supervised() { "" } else { "unlabelled " };
        match &self.dataset {
            Some(dataset) => words.push_str(&format!(": {images}{unlabelled}images of {dataset}")),
            None if !images.is_empty() => words.push_str(&format!(": {images}{unlabelled}images")),
            None => {}
        }
        if let Some(views) = self.views {
            words.push_str(&format!(", {} of each", counted(views, "view")));
        }
        if let Some(epochs) = self.epochs_words() {
            words.push_str(&format!(", {epochs}"));
        }
        words.push('.');
        words
    }
}

/// Said where all scores are of other settings, or of weights that were trained on since.
pub(crate) const NO_OWN_SCORE: &str = "Not probed yet by the run's own settings with its last weights. The scores below are others, and \
     each says in what.";

/// Headline: the outcome large, the deed below it.
pub(crate) fn headline(facts: &Facts, probes: &[(String, ProbeResult)]) -> Markup {
    html! {
        p.outcome {
            @match probes.iter().find(|(_, probe)| probe.differs.is_empty()) {
                Some((_, probe)) => (outcome(probe)),
                None if !probes.is_empty() => (NO_OWN_SCORE),
                None if facts.epochs_done.is_none() && !facts.is_untrained() => "Not trained yet.",
                None => "Not probed yet: how good the features are is not known.",
            }
        }
        @if facts.is_known() { p.deed { (facts.deed()) } }
    }
}

fn outcome(probe: &ProbeResult) -> Markup {
    let article = match probe.protocol.as_str() {
        "linear" => "A linear probe on the frozen features".to_owned(),
        "finetune" => "Fine-tuning with the labels".to_owned(),
        "supervised" => "Training with the labels, from random weights,".to_owned(),
        other => format!("{} on the frozen features", protocol_title(other)),
    };
    let article = with_share(&article, label_share_pct(probe));
    html! {
        (article) " reaches " strong { (accuracy(probe)) } " on " (probe.data) " (" (probe.split)
        @let seeds = probe.accuracy_by_seed_pct.len();
        @if seeds > 1 { ", " (counted(seeds as u64, "seed")) }
        ")"
        @match (probe.baseline_random_pct, probe.gain_points()) {
            (Some(baseline), Some(points)) => {
                ", against " (percent(baseline)) " with random weights: " (gain(points))
                @if points < 0.05 { ". By this measure the training did not help" }
                "."
            },
            _ if probe.protocol == "supervised" => ".",
            _ => ". Random weights were not measured, so what the training added is not known.",
        }
    }
}
