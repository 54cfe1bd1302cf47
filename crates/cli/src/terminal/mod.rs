//! What the user sees and presses: results, notes, progress, warnings, the run's log, Ctrl-C.

pub(crate) mod format;
pub(crate) mod interrupt;
pub(crate) mod log;
pub(crate) mod output;
pub(crate) mod program;
pub(crate) mod progress;
pub(crate) mod warnings;
