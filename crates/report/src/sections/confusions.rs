//! Confusion matrices of several runs beside each other.

use maud::{Markup, html};

use crate::charts::heat_map;
use crate::results::title_on_data;
use crate::run::Run;
use crate::section::Section;

pub(super) const SECTION: Section = Section {
    anchor: "confusions",
    title: "Confusion matrices",
    of_run: Section::on_no_run,
    of_comparison: |runs| Ok(matrices(runs)),
};

/// Of each run the first result that has a matrix; `None` where no run has one.
fn matrices(runs: &[Run]) -> Option<Markup> {
    let first = |run: &'_ Run| run.results().position(heat_map::is_square);
    let found: Vec<_> = runs.iter().filter_map(|run| Some((&run.name, &run.probes[first(run)?].1))).collect();
    let markup = html! {
        div.side-by-side {
            @for (name, probe) in &found {
                figure.matrix {
                    figcaption {
                        h3 { (name) }
                        (title_on_data(probe))
                    }
                    (heat_map::figure(probe))
                }
            }
        }
    };
    (!found.is_empty()).then_some(markup)
}
