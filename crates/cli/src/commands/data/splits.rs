//! All splits of a data set, opened as far as they can be.

use std::sync::Arc;

use relata_data::{DataConfig, Dataset, Split};

use crate::data::images;
use crate::{Error, Result};

/// Every split of a data set.
pub(super) struct Splits {
    pub(super) opened: Vec<(Split, Arc<dyn Dataset>)>,
    /// Those that cannot be opened, with the reason.
    pub(super) failed: Vec<(Split, Error)>,
}

impl Splits {
    /// Opens all; the first error where none can be.
    pub(super) fn open(data: &DataConfig) -> Result<Self> {
        // An archive that cannot be unpacked is one error, not one a split.
        images::unpack(data)?;
        let (mut opened, mut failed) = (Vec::new(), Vec::new());
        for split in Split::ALL {
            match images::open_split(data, split) {
                Ok(dataset) => opened.push((split, dataset)),
                Err(error) => failed.push((split, error)),
            }
        }
        if opened.is_empty() { Err(failed.swap_remove(0).1) } else { Ok(Self { opened, failed }) }
    }
}
