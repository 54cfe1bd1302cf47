//! Scores: of one run with their protocols, of several runs side by side.

pub(crate) mod column;
mod of_comparison;
mod of_run;

use crate::section::Section;

pub(super) const SECTION: Section = Section {
    anchor: "scores",
    title: "Scores",
    of_run: |run| Ok(Some(of_run::body(run))),
    of_comparison: |runs| Ok(Some(of_comparison::body(runs))),
};
