use std::path::Path;

use super::splits::Splits;
use crate::terminal::format::{counted, mib, shown};
use crate::terminal::output;
use crate::terminal::progress::Counter;
use crate::{Config, Error, Result};

/// Images read to say how fast that is.
const TIMED_IMAGES: usize = 1000;

pub(super) fn pack(config: &Config, out: &Path) -> Result<()> {
    let whole = config.data.clone().whole();
    let Splits { opened: splits, failed } = Splits::open(&whole)?;
    let mut left_out = Vec::new();
    for (split, error) in failed {
        match error {
            // Which are there is for the user to know; what is there and broken is not to be packed around.
            Error::Data(relata_data::Error::NoSuchSplit { .. } | relata_data::Error::Missing { .. }) => {
                left_out.push(format!("left out: the {split} split: {error}"));
            }
            _ => return Err(error),
        }
    }
    left_out.iter().for_each(output::note);
    let counter = Counter::new("packed");
    let packed = relata_data::pack(&splits, out, |done, of| counter.at(done, of))?;
    drop(counter);
    let place = shown(out);
    output::result(format!(
        "{place}: {} in {}, as data.dataset=pack data.path={place}",
        counted(packed.images, "image"),
        mib(packed.bytes)
    ));

    let Some((split, before)) = splits.first() else { return Ok(()) };
    let after = relata_data::Pack::open(out, *split)?;
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        rates[0].push(relata_data::images_per_second(&**before, TIMED_IMAGES)?);
        rates[1].push(relata_data::images_per_second(&after, TIMED_IMAGES)?);
    }
    let [before, after] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[1]
    });
    output::result(format!("{after:.0} images/s instead of {before:.0}: {:.1} times as fast, in turns", after / before));
    Ok(())
}
