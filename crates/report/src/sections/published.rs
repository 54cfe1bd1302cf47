//! Published figures beside those of the runs.

use maud::{Markup, html};
use relata_artifact::ProbeResult;

use crate::numbers::percent;
use crate::published::{PUBLICATION, Published, find};
use crate::results::{gain, protocol_title};
use crate::run::Run;
use crate::section::Section;

pub(super) const SECTION: Section = Section {
    anchor: "published",
    title: "Beside the published figures",
    of_run: Section::on_no_run,
    of_comparison: |runs| Ok(table(runs)),
};

/// A result with a figure that was published for such a run.
struct Row<'a> {
    run: &'a Run,
    probe: &'a ProbeResult,
    published: Published,
}

/// `None` where nothing was published for such runs.
fn table(runs: &[Run]) -> Option<Markup> {
    let rows: Vec<_> = runs.iter().flat_map(rows).collect();
    let publication = &*PUBLICATION;
    let markup = html! {
        p {
            (publication.authors) ", " em { (publication.title) } ", " (publication.venue) ". Same data set, backbone and "
            "method. " strong { "‡" } " marks a figure that was reached with another budget than the run's, so the two are not like for like."
        }
        div.scroll tabindex="0" role="region" aria-label="Published figures beside those of the runs" {
            table.compare.published {
                thead {
                    tr {
                        @for title in ["Run", "This run", "Published", "Difference", "Random weights", "Supervised", "Budget"] {
                            th scope="col" { (title) }
                        }
                    }
                }
                tbody { @for row in &rows { (row.markup()) } }
            }
        }
    };
    (!rows.is_empty()).then_some(markup)
}

fn rows(run: &Run) -> impl Iterator<Item = Row<'_>> {
    // Earlier weights would be compared with what whole trainings reached.
    let probes = run.results().filter(|probe| probe.is_of_last_weights());
    probes.flat_map(move |probe| find(&run.summary, probe).into_iter().map(move |published| Row { run, probe, published }))
}

impl Row<'_> {
    fn markup(&self) -> Markup {
        let Self { run, probe, published } = self;
        let differences = published.differences(&run.summary, probe);
        html! {
            tr {
                th scope="row" {
                    (run.name) br;
                    span.soft { (protocol_title(probe)) ", " (probe.data) }
                }
                td.score { (percent(probe.accuracy_pct)) }
                td {
                    span.score { (percent(published.score_pct)) @if !differences.is_empty() { strong { " ‡" } } }
                    br; span.soft { (published.source()) }
                }
                td { (gain(probe.accuracy_pct - published.score_pct)) }
                td { (bounds(probe.baseline_random_pct, published.random_pct)) }
                td { (bounds(probe.baseline_supervised_pct, published.supervised_pct)) }
                td.budget { @if differences.is_empty() { "the same" } @else { "‡ " (differences.join("; ")) } }
            }
        }
    }
}

/// A bound as measured here and as published.
fn bounds(here: Option<f64>, there: Option<f64>) -> Markup {
    html! {
        @match here {
            Some(here) => (percent(here)),
            None => span.soft { "not measured" },
        }
        @if let Some(there) = there { br; span.soft { "published " (percent(there)) } }
    }
}
