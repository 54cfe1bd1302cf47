//! Pictures of the features: one mark an image.

use maud::{Markup, html};
use relata_artifact::FeatureSample;

use super::health::Health;
use crate::charts::feature_map::{Map, NOTHING_TO_DRAW};
use crate::run::Run;
use crate::section::Section;

pub(super) const SECTION: Section = Section {
    anchor: "features",
    title: "Features",
    of_run: |run| Ok(Some(of_run(run))),
    of_comparison: |runs| Ok(of_comparison(runs)),
};

fn of_run(run: &Run) -> Markup {
    html! {
        @if let Some(health) = Health::of(&run.probes) { (health.words()) }
        @match &run.sample {
            None => p.missing {
                "No sample of features yet. A probe writes one; run the probe, then the report again."
            },
            Some(sample) => (picture(sample, run.summary.saw_no_labels())),
        }
    }
}

fn picture(sample: &FeatureSample, saw_no_labels: bool) -> Markup {
    let Some(map) = Map::of(sample) else {
        return html! { p.missing { (NOTHING_TO_DRAW) } };
    };
    html! {
        p {
            (map.images()) ", placed by " (map.placement_words()) " of their " (sample.dim)
            " frozen features: images that the backbone finds similar lie close together."
            @if saw_no_labels {
                " The training never saw a class; only the colours and shapes of the marks show them."
            }
            @if map.is_tsne() { " Distances between far groups mean nothing in such a picture." }
        }
        figure.map {
            (map.svg())
            (map.legend())
        }
    }
}

/// The pictures of the runs that kept a sample; `None` where no run did.
fn of_comparison(runs: &[Run]) -> Option<Markup> {
    let samples: Vec<_> = runs.iter().filter_map(|run| Some((run, run.sample.as_ref()?))).collect();
    let markup = html! {
        p {
            "Each mark is an image, placed by its frozen features: images that a backbone finds similar lie close together. "
            "Colour and shape of a mark show its class. Where a group lies, and how far from another, means nothing."
        }
        div.side-by-side {
            @for (run, sample) in &samples {
                @match Map::of(sample) {
                    None => div { h3 { (run.name) } p.missing { (NOTHING_TO_DRAW) } },
                    Some(map) => figure.beside {
                        figcaption { h3 { (run.name) } (map.images()) ", placed by " (map.placement_words()) "." }
                        (map.svg())
                        (map.legend())
                    },
                }
            }
        }
    };
    (!samples.is_empty()).then_some(markup)
}
