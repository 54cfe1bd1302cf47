//! What is needed to repeat a run: provenance and the resolved configuration.

use maud::{Markup, html};
use relata_artifact::Provenance;

use crate::numbers::{counted, plain};
use crate::run::Run;
use crate::section::Section;

/// Digits of a digest that are shown; the rest is in provenance.json.
const SHOWN_DIGITS: usize = 12;

pub(super) const SECTION: Section = Section {
    anchor: "provenance",
    title: "Provenance and settings",
    of_run: |run| Ok(Some(body(run))),
    of_comparison: Section::on_no_comparison,
};

fn body(run: &Run) -> Markup {
    html! {
        @match &run.provenance {
            None => p.missing { "This run has no provenance.json, so its commit and machine are not known." },
            Some(provenance) => (table(provenance)),
        }
        details {
            summary { "config.toml, every default written out" }
            pre.scroll tabindex="0" { code { (run.config) } }
        }
    }
}

fn table(provenance: &Provenance) -> Markup {
    let mut rows = vec![
        ("version", provenance.version.clone()),
        ("commit", provenance.commit.clone()),
        ("command", provenance.command.clone()),
        ("seed", provenance.seed.to_string()),
        ("device", provenance.device.clone()),
        ("instruction set", provenance.instruction_set.clone()),
        ("threads", if provenance.threads > 0 { provenance.threads.to_string() } else { String::new() }),
        ("machine", provenance.machine.clone()),
        ("started", provenance.started_at.clone()),
    ];
    rows.retain(|(_, value)| !value.is_empty());
    html! {
        table.facts {
            tbody {
                @for (name, value) in rows { tr { th scope="row" { (name) } td { (value) } } }
                @for data in &provenance.data {
                    tr {
                        th scope="row" { "data" }
                        td {
                            (data.name) ", " (data.split) ", " (counted(data.images, "image"))
                            @if !data.sha256.is_empty() {
                                @let digits: String = data.sha256.chars().take(SHOWN_DIGITS).collect();
                                ", " span.digest { "sha-256 " code title=(data.sha256) { (digits) "…" } }
                            }
                        }
                    }
                }
                @for (name, value) in &provenance.extra {
                    tr { th scope="row" { (name.replace('_', " ")) } td { (plain(value)) } }
                }
            }
        }
    }
}
