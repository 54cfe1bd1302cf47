use std::error::Error as _;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::{Dataset, Error, Image};

/// What [`verify`] found.
#[derive(Debug)]
pub struct VerifyReport {
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

impl VerifyReport {
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

/// The reason with its causes, behind the source where it does not name that itself: `cannot decode photos/a.png: unexpected end of file`.
impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = std::iter::successors(self.reason.source(), |&cause| cause.source());
        let reason = causes.fold(self.reason.to_string(), |text, cause| format!("{text}: {cause}"));
        if reason.contains(&self.source) { f.write_str(&reason) } else { write!(f, "{}: {reason}", self.source) }
    }
}

/// Reads every image, on all of rayon's threads, and collects what is wrong with any of them, or with the files they lie in.
///
/// `progress` is called with the number of images read so far and the number of all, from any thread, not necessarily in
/// rising order; the last number comes exactly once. Of images that can be read, nothing is kept but counts.
#[must_use]
pub fn verify(dataset: &dyn Dataset, progress: impl Fn(usize, usize) + Sync) -> VerifyReport {
    let (images, class_names) = (dataset.len(), dataset.class_names());
    let read = AtomicUsize::new(0);
    let none = || Tally { per_class: vec![0; class_names.len()], ..Tally::default() };
    let tally = (0..images).into_par_iter().fold(none, |mut tally, index| {
        match dataset.image(index) {
            Ok(image) => tally.add(&image, dataset.label(index)),
            Err(reason) => tally.broken.push(Broken { index, source: dataset.source(index), reason }),
        }
        progress(read.fetch_add(1, Ordering::Relaxed) + 1, images);
        tally
    });
    let Tally { mut broken, width_px, height_px, per_class, unlabelled } = tally.reduce(none, Tally::with);
    broken.sort_by_key(|broken| broken.index);
    VerifyReport {
        images,
        broken,
        damaged_files: dataset.damaged_files(),
        width_px,
        height_px,
        per_class: class_names.iter().cloned().zip(per_class).collect(),
        unlabelled,
    }
}

/// The counts of some of the images.
#[derive(Default)]
struct Tally {
    broken: Vec<Broken>,
    width_px: Option<RangeInclusive<usize>>,
    height_px: Option<RangeInclusive<usize>>,
    per_class: Vec<usize>,
    unlabelled: usize,
}

impl Tally {
    fn add(&mut self, image: &Image, label: Option<usize>) {
        let of = |side_px| Some(side_px..=side_px);
        self.width_px = joined(self.width_px.take(), of(image.width_px()));
        self.height_px = joined(self.height_px.take(), of(image.height_px()));
        match label.and_then(|label| self.per_class.get_mut(label)) {
            Some(count) => *count += 1,
            None => self.unlabelled += 1,
        }
    }

    fn with(mut self, other: Self) -> Self {
        self.broken.extend(other.broken);
        self.width_px = joined(self.width_px, other.width_px);
        self.height_px = joined(self.height_px, other.height_px);
        self.per_class.iter_mut().zip(other.per_class).for_each(|(count, more)| *count += more);
        self.unlabelled += other.unlabelled;
        self
    }
}

fn joined(a: Option<RangeInclusive<usize>>, b: Option<RangeInclusive<usize>>) -> Option<RangeInclusive<usize>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(*a.start().min(b.start())..=*a.end().max(b.end())),
        (one, None) | (None, one) => one,
    }
}
