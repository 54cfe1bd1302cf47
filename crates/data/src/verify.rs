use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::{Dataset, Error};

/// What [`verify`] found.
#[derive(Debug)]
pub struct Report {
    /// Number of images, broken ones included.
    pub images: usize,
    /// Every image that cannot be read, by index.
    pub broken: Vec<Broken>,
    /// Every file whose images can be read, but are not what its publisher put there: as [`Dataset::damaged_files`] says.
    pub damaged_files: Vec<Error>,
    /// Least and greatest width of the readable images; `None` where there are none.
    pub width_px: Option<RangeInclusive<usize>>,
    /// Least and greatest height of the readable images.
    pub height_px: Option<RangeInclusive<usize>>,
    /// Readable images of each class, in label order: name and number. Empty for unlabelled data.
    pub per_class: Vec<(String, usize)>,
    /// Readable images without a label.
    pub unlabelled: usize,
}

impl Report {
    /// Whether every image could be read, and no file is damaged.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty() && self.damaged_files.is_empty()
    }
}

/// An image that cannot be read.
#[derive(Debug)]
pub struct Broken {
    /// Its index in the data set.
    pub index: usize,
    /// Where it comes from, as [`Dataset::source`] says.
    pub source: String,
    /// Why it cannot be read.
    pub reason: Error,
}

/// Reads every image, on all of rayon's threads, and collects what is wrong with any of them, or with the files they lie in.
///
/// `progress` is called with the number of images read so far and the number of all, from any thread, not necessarily in
/// rising order; the last number comes exactly once.
#[must_use]
pub fn verify(dataset: &dyn Dataset, progress: impl Fn(usize, usize) + Sync) -> Report {
    let images = dataset.len();
    let read = AtomicUsize::new(0);
    let sides: Vec<Result<(usize, usize), Broken>> = (0..images)
        .into_par_iter()
        .map(|index| {
            let sides = match dataset.image(index) {
                Ok(image) => Ok((image.width_px(), image.height_px())),
                Err(reason) => Err(Broken { index, source: dataset.source(index), reason }),
            };
            progress(read.fetch_add(1, Ordering::Relaxed) + 1, images);
            sides
        })
        .collect();

    let mut report = Report {
        images,
        broken: Vec::new(),
        damaged_files: dataset.damaged_files(),
        width_px: None,
        height_px: None,
        per_class: dataset.class_names().iter().map(|name| (name.clone(), 0)).collect(),
        unlabelled: 0,
    };
    for (index, sides) in sides.into_iter().enumerate() {
        match sides {
            Err(broken) => report.broken.push(broken),
            Ok((width_px, height_px)) => {
                widen(&mut report.width_px, width_px);
                widen(&mut report.height_px, height_px);
                match dataset.label(index).and_then(|label| report.per_class.get_mut(label)) {
                    Some((_, count)) => *count += 1,
                    None => report.unlabelled += 1,
                }
            }
        }
    }
    report
}

fn widen(range: &mut Option<RangeInclusive<usize>>, value: usize) {
    *range = Some(match range {
        None => value..=value,
        Some(range) => value.min(*range.start())..=value.max(*range.end()),
    });
}
