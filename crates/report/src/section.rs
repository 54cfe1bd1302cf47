//! What a section of a page says of itself.

use maud::Markup;

use crate::Result;
use crate::run::Run;

/// A section of the page of one run, of the page that compares several, or of both.
///
/// Adding one: a file in `sections/` with such a constant, and a line in [`SECTIONS`](crate::sections::SECTIONS).
pub(crate) struct Section {
    /// The `id` that a link names.
    pub(crate) anchor: &'static str,
    /// Its heading.
    pub(crate) title: &'static str,
    /// What stands below the heading on the page of a run; `None` where the section does not appear.
    pub(crate) of_run: fn(&Run) -> Result<Option<Markup>>,
    /// The same on the page that compares runs.
    pub(crate) of_comparison: fn(&[Run]) -> Result<Option<Markup>>,
}

impl Section {
    /// For sections that the page of a run does not have.
    pub(crate) fn on_no_run(_: &Run) -> Result<Option<Markup>> {
        Ok(None)
    }

    /// For sections that the page that compares runs does not have.
    pub(crate) fn on_no_comparison(_: &[Run]) -> Result<Option<Markup>> {
        Ok(None)
    }
}
