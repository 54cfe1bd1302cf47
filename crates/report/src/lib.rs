//! Run folders in, one self-contained HTML page out: no network, no scripts, readable on paper and on a phone.
//!
//! The page of a run says in words what was trained and what it reached, and then shows it: scores with their protocol
//! and the lower bound (random weights), training curves, images with their views, a picture of the features, images with
//! their nearest neighbours, accuracy class by class, settings and provenance. The page of several runs lays these beside each
//! other, and published figures with them. A piece that the run does not have yet is said to be missing, in words;
//! only a damaged file is an error.
//!
//! ```
//! use relata_artifact::RunFolder;
//! # let parent = tempfile::tempdir().unwrap();
//! # let out = parent.path().join("shapes-conv4");
//! # RunFolder::create(&out, false)?.write_config("[data]\ndataset = \"shapes\"\n")?;
//!
//! let page = relata_report::write_report(&RunFolder::open(&out)?)?;
//! assert!(page.ends_with("report.html"));
//! # Ok::<(), relata_report::Error>(())
//! ```
//!
//! Rules:
//! - The same run gives the same page: nothing of the clock, the machine or the number of threads gets in.
//! - All text from run folders goes through maud, which escapes it.
//! - No method, data set or protocol is known by name: what a page says of them, the run says of itself.
//! - Colours are CSS variables, so that one picture serves light, dark and paper; every line and point differs from its
//!   neighbours in more than its colour.
//!
//! Reading order: `page`, then `sections` (a file each, listed in one table), then what they draw with.

mod page;

mod section;
mod sections;

mod charts;
mod published;

mod run;
mod summary;

mod numbers;
mod results;

mod error;
#[cfg(test)]
mod tests;
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub use error::{Error, Result};
pub use page::{render_comparison, render_run, write_report};
pub use published::published_pct;
