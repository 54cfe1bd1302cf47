//! What was trained and what it reached, in words, on top of the page of a run.

use maud::{Markup, html};
use relata_artifact::{BackboneUse, ProbeResult};

use crate::numbers::{counted, percent};
use crate::results::{accuracy, gain, label_share_pct, protocol_title, with_share};
use crate::run::Run;

/// Said where every score is of other settings, or of earlier weights.
pub(crate) const NO_OWN_SCORE: &str = "No score yet with the run's own settings and its last weights. The scores below are others; \
     each says what differs.";

/// The result in large letters, what was trained below it.
pub(super) fn headline(run: &Run) -> Markup {
    let summary = &run.summary;
    html! {
        p.outcome {
            @match run.results().find(|probe| probe.differs.is_empty()) {
                Some(probe) => (outcome(probe)),
                None if !run.probes.is_empty() => (NO_OWN_SCORE),
                None if summary.epochs_done.is_none() && !summary.is_untrained => "Not trained yet.",
                None => "Not probed yet: how good the features are is not known.",
            }
        }
        @if summary.is_known() { p.deed { (summary.sentence()) } }
    }
}

fn outcome(probe: &ProbeResult) -> Markup {
    let title = protocol_title(probe);
    let of = match probe.backbone {
        Some(BackboneUse::Frozen) => format!("{title} on the frozen features"),
        Some(BackboneUse::FromScratch) => format!("{title} training from random weights"),
        _ => title.to_owned(),
    };
    html! {
        (with_share(&of, label_share_pct(probe))) " reaches " strong { (accuracy(probe)) } " on " (probe.data) " (" (probe.split)
        @let seeds = probe.accuracy_by_seed_pct.len();
        @if seeds > 1 { ", " (counted(seeds as u64, "seed")) }
        ")"
        @match (probe.baseline_random_pct, probe.gain_points()) {
            (Some(baseline), Some(points)) => {
                ", against " (percent(baseline)) " with random weights: " (gain(points))
                @if points < 0.05 { ". By this measure the training did not help" }
                "."
            },
            _ if probe.backbone == Some(BackboneUse::FromScratch) => ".",
            _ => ". Random weights were not measured, so what the training added is not known.",
        }
    }
}
