//! The two pages: what stands around their sections, and the sentence on top.

mod comparison_page;
mod headline;
mod run_page;
mod shell;

pub use comparison_page::render_comparison;
#[cfg(test)]
pub(crate) use headline::NO_OWN_SCORE;
pub use run_page::{render_run, write_report};
