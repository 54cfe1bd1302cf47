//! What each of several runs was.

use maud::{Markup, html};

use crate::numbers::{count, counted, duration};
use crate::run::Run;
use crate::section::Section;
use crate::summary::Summary;

const UNKNOWN: &str = "–";

pub(super) const SECTION: Section =
    Section { anchor: "runs", title: "Runs", of_run: Section::on_no_run, of_comparison: |runs| Ok(Some(table(runs))) };

/// One row a run.
fn table(runs: &[Run]) -> Markup {
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| UNKNOWN.to_owned());
    html! {
        div.scroll tabindex="0" role="region" aria-label="Settings of all runs" {
            table.compare {
                thead {
                    tr {
                        @for title in ["Run", "Data", "Backbone", "Method", "Views", "Epochs", "Seed", "Training time"] {
                            th scope="col" { (title) }
                        }
                    }
                }
                tbody {
                    @for run in runs {
                        @let summary = &run.summary;
                        tr {
                            th scope="row" { (run.name) }
                            td {
                                (or_unknown(summary.dataset.clone()))
                                @if let Some(images) = summary.images { br; span.soft { (counted(images, "image")) } }
                            }
                            td { (or_unknown(summary.backbone.clone())) }
                            td { (summary.method_title()) }
                            td { (or_unknown(summary.views.map(count))) }
                            td { (or_unknown(epochs(summary))) }
                            td { (or_unknown(run.seed().map(|seed| seed.to_string()))) }
                            td { (or_unknown(training_time(run))) }
                        }
                    }
                }
            }
        }
    }
}

/// `20`, or `12 of 20`
fn epochs(summary: &Summary) -> Option<String> {
    if summary.is_untrained {
        return Some("none".to_owned());
    }
    match (summary.epochs_done, summary.epochs) {
        (Some(done), Some(all)) if done < all as f64 => {
            let done = if done == done.floor() { format!("{done}") } else { format!("{done:.1}") };
            Some(format!("{done} of {all}"))
        }
        // More than is planned, where the plan was shortened.
        (Some(done), _) => Some(format!("{done:.0}")),
        (None, planned) => planned.map(count),
    }
}

/// As the metrics say it; in runs of older versions an estimate from the number of views and the views a second.
fn training_time(run: &Run) -> Option<String> {
    if let Some(seconds) = run.metrics.last().and_then(|line| line.elapsed_s) {
        return Some(duration(seconds));
    }
    let views = run.summary.method_facts()?.views? * run.summary.images?;
    let (mut seconds, mut before) = (0.0, 0.0);
    for line in &run.metrics {
        let epoch = line.epoch?;
        seconds += (epoch - before) * views as f64 / line.views_per_s.filter(|speed| *speed > 0.0)?;
        before = epoch;
    }
    (seconds > 0.0).then(|| format!("about {}", duration(seconds)))
}
