//! The page around the sections: head, style, footer.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::section::Section;

const STYLE: &str = include_str!("style.css");

/// A whole page: the sections with their bodies, those without one left out. `version` is that of the program that wrote the run.
pub(super) fn page(title: &str, kicker: &str, lead: &Markup, sections: &[(&Section, Option<Markup>)], version: &str) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · relata" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.kicker { (kicker) }
                    h1 { (title) }
                    (lead)
                }
                main {
                    @for (section, body) in sections {
                        @if let Some(body) = body {
                            section id=(section.anchor) {
                                h2 { (section.title) }
                                (body)
                            }
                        }
                    }
                }
                footer {
                    p {
                        "Written by relata"
                        @if !version.is_empty() { " " (version) }
                        ". All figures come from the files in the run folder."
                    }
                }
            }
        }
    }
    .into_string()
}
