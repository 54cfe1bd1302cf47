use std::time::Instant;

use rayon::prelude::*;

use crate::{Dataset, Result};

/// Images read and decoded a second, on all of rayon's threads: of `images` of them, spread evenly over the data set, or of all where
/// there are fewer.
///
/// A speed of this machine at this moment: compare two of them only where they are taken in turns.
///
/// # Errors
/// Those of [`Dataset::image`].
pub fn images_per_second(dataset: &dyn Dataset, images: usize) -> Result<f64> {
    let images = images.min(dataset.len());
    let start = Instant::now();
    (0..images).into_par_iter().try_for_each(|i| {
        // Used, so that no reader can leave the work out.
        dataset.image(i * dataset.len() / images).map(|image| drop(std::hint::black_box(image)))
    })?;
    Ok(images as f64 / start.elapsed().as_secs_f64().max(1e-9))
}
