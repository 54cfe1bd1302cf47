//! What the features look like without their labels: whether they fill their dimensions, or have collapsed.

use std::cmp::Reverse;

use maud::{Markup, html};
use relata_artifact::{FeatureHealth, ProbeResult};

use crate::numbers::{count, percent, short};
use crate::results::weights_in_words;
use crate::run::Run;
use crate::section::Section;

pub(super) const SECTION: Section = Section {
    anchor: "health",
    title: "Features without a label",
    // On the page of a run it is a sentence above the picture of the features.
    of_run: Section::on_no_run,
    of_comparison: |runs| Ok(table(runs.iter().map(|run: &Run| (run.name.as_str(), Health::of(&run.probes))))),
};

/// Figures, and the result that they were written with: it says of which images and weights they are.
#[derive(Clone, Copy)]
pub(super) struct Health<'a> {
    figures: &'a FeatureHealth,
    probe: &'a ProbeResult,
}

impl<'a> Health<'a> {
    /// Those of the run's own images and newest weights; of other images or weights where there are no such.
    pub(super) fn of(probes: &'a [(String, ProbeResult)]) -> Option<Self> {
        let all = probes.iter().filter_map(|(_, probe)| Some(Self { figures: probe.feature_health.as_ref()?, probe }));
        let step = |probe: &ProbeResult| probe.settings.get("step").and_then(serde_json::Value::as_u64);
        all.min_by_key(|Self { probe, .. }| (!probe.is_of_own_data(), !probe.is_of_last_weights(), Reverse(step(probe))))
    }

    /// `shapes, test split, 2,000 images`
    fn images(&self) -> String {
        let ProbeResult { data, split, differs, .. } = self.probe;
        let weights: String = differs.iter().filter_map(weights_in_words).map(|words| format!(", {words}")).collect();
        format!("{data}, {split} split{weights}, {} images", count(self.figures.images as u64))
    }

    /// The figures in a sentence, and the warnings.
    pub(super) fn words(&self) -> Markup {
        let FeatureHealth { dimensions, effective_rank, dead_dimensions_pct, uniformity, .. } = self.figures;
        html! {
            p.health {
                "Without a label (" (self.images()) "): effective rank " (short(*effective_rank)) " of " (dimensions) " dimensions, "
                (percent(*dead_dimensions_pct)) " of them dead; uniformity " (short(*uniformity))
                " (0 at worst, about " (short(-4.0)) " at best)"
                @if let Some(alignment) = self.figures.alignment {
                    ", alignment of two views " (short(alignment)) " (0 at best)"
                }
                "."
                @for warning in &self.figures.warnings { " " strong { (warning) } "." }
            }
        }
    }

    fn row(&self, name: &str) -> Markup {
        let FeatureHealth { dimensions, effective_rank, dead_dimensions_pct, uniformity, alignment, .. } = self.figures;
        html! {
            tr {
                th scope="row" { (name) br; span.soft { (self.images()) } }
                td { (short(*effective_rank)) " of " (dimensions) }
                td { (percent(*dead_dimensions_pct)) }
                td { (short(*uniformity)) }
                td { (alignment.map_or_else(|| "–".to_owned(), short)) }
            }
        }
    }
}

/// One row a run; `None` where no run has such figures.
fn table<'a>(runs: impl Iterator<Item = (&'a str, Option<Health<'a>>)>) -> Option<Markup> {
    let all: Vec<_> = runs.filter_map(|(name, health)| Some((name, health?))).collect();
    let markup = html! {
        div.scroll tabindex="0" role="region" aria-label="Health of the features of all runs" {
            table.compare {
                thead {
                    tr {
                        @for title in ["Run", "Effective rank", "Dead dimensions", "Uniformity", "Alignment"] {
                            th scope="col" { (title) }
                        }
                    }
                }
                tbody { @for (name, health) in &all { (health.row(name)) } }
            }
        }
        p.note {
            "Effective rank: how many dimensions the features fill, 1 where all images lie on a line. Uniformity: 0 at worst, about "
            (short(-4.0)) " at best. Alignment: squared distance of two views of an image, 0 at best; a collapse makes it small too."
        }
        @for (name, health) in &all {
            @for warning in &health.figures.warnings { p { (name) ": " strong { (warning) } "." } }
        }
    };
    (!all.is_empty()).then_some(markup)
}

#[cfg(test)]
mod tests {
    use relata_artifact::Difference;

    use super::*;

    /// In a run whose last step is the twentieth.
    fn result(data: &str, checkpoint: &str, step: u64, effective_rank: f64) -> (String, ProbeResult) {
        let mut differs = match (checkpoint, step) {
            ("last", 20) => Vec::new(),
            ("last", _) => vec![Difference { key: "step".into(), value: step.to_string(), own: "20".into() }],
            _ => vec![Difference { key: "checkpoint".into(), value: checkpoint.into(), own: "last".into() }],
        };
        if data != "own" {
            differs.push(Difference { key: "data.dataset".into(), value: data.into(), own: "own".into() });
        }
        let health = FeatureHealth { dimensions: 64, images: 2000, effective_rank, ..FeatureHealth::default() };
        let probe = ProbeResult {
            data: data.into(),
            split: "validation".into(),
            checkpoint: checkpoint.into(),
            settings: [("step".to_owned(), step.into())].into_iter().collect(),
            feature_health: Some(health),
            differs,
            ..ProbeResult::default()
        };
        (String::new(), probe)
    }

    fn words(probes: &[(String, ProbeResult)]) -> String {
        Health::of(probes).unwrap().words().into_string()
    }

    #[test]
    fn the_runs_own_images_and_newest_weights_come_first() {
        let probes = [
            result("other", "last", 20, 11.0),
            result("own", "epoch-0001", 20, 12.0),
            result("own", "last", 10, 13.0),
            result("own", "last", 20, 14.0),
        ];
        assert!(words(&probes).contains("(own, validation split, 2,000 images): effective rank 14 of 64"));
        assert!(words(&probes[..2]).contains("(own, validation split, checkpoint epoch-0001, 2,000 images): effective rank 12"));
        assert!(words(&probes[1..3]).contains("checkpoint epoch-0001") && words(&probes[2..3]).contains(", of step 10,"));
        assert!(words(&probes[..1]).contains("(other, validation split, 2,000 images): effective rank 11"));
        assert!(Health::of(&[(String::new(), ProbeResult::default())]).is_none());
    }

    #[test]
    fn runs_lie_below_each_other_with_what_is_wrong() {
        let (good, mut bad) = (result("own", "last", 1, 40.0).1, result("own", "last", 1, 1.5).1);
        if let Some(health) = &mut bad.feature_health {
            (health.alignment, health.warnings) = (Some(0.25), vec!["the features have collapsed".to_owned()]);
        }
        let (good, bad) = ([(String::new(), good)], [(String::new(), bad)]);
        let runs = [("a", Health::of(&good)), ("b", Health::of(&bad)), ("not probed", None)];
        let page = table(runs.into_iter()).unwrap().into_string();
        assert!(page.contains("<td>40 of 64</td>") && page.contains("<td>1.5 of 64</td>") && !page.contains("not probed"));
        assert!(page.contains("<td>–</td>") && page.contains("<td>0.25</td>"));
        assert_eq!(page.matches("<strong>").count(), 1);
        assert!(page.contains("<p>b: <strong>the features have collapsed</strong>.</p>"), "{page}");
        assert!(table([("a", None)].into_iter()).is_none());
    }
}
