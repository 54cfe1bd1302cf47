//! Checks of settings, each an [`Error::Setting`] that names the key.

use std::fmt::Debug;

use crate::error::{Error, Result};

/// Largest side of a view, in pixels.
pub const MAX_SIDE_PX: usize = 4096;

pub(crate) fn check(key: &'static str, good: bool, value: impl Debug, allowed: &'static str) -> Result<()> {
    if good { Ok(()) } else { Err(Error::Setting { key, value: format!("{value:?}"), allowed }) }
}

pub(crate) fn within(key: &'static str, value: usize, least: usize, most: usize, allowed: &'static str) -> Result<()> {
    check(key, (least..=most).contains(&value), value, allowed)
}

/// Whether `[smallest, largest]` is a range of numbers above 0.
pub(crate) fn ordered(pair: [f64; 2]) -> bool {
    pair[0] > 0.0 && pair[0] <= pair[1] && pair[1].is_finite()
}
