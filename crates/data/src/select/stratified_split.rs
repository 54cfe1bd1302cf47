//! Parts of a data set in which every class has its share.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{Dataset, Error, Result, Subset};

/// What the images of a class are shuffled for: a share of the labels and a held-out part are drawn apart, or the one would say
/// something about the other.
#[derive(Clone, Copy)]
enum Purpose {
    Share = 1,
    HoldOut = 2,
}

impl Subset {
    /// A share of every class: `fraction` of its images, rounded, and at least one. Images keep their order; those without a
    /// label count as one class.
    ///
    /// Which images is a function of `seed`, of the class and of its images alone, and shares of one seed are nested: 1 % of the
    /// labels lies within 10 %, so that scores of several shares differ by what was added and by nothing else.
    ///
    /// # Errors
    /// [`Error::Setting`] where `fraction` is not above 0 and at most 1.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use relata_data::{Dataset, Shapes, ShapesOptions, Subset};
    ///
    /// let shapes = Arc::new(Shapes::new(ShapesOptions::default())?);
    /// assert_eq!(Subset::stratified(shapes, 0.01, 1)?.len(), 100);
    /// # Ok::<(), relata_data::Error>(())
    /// ```
    pub fn stratified(whole: Arc<dyn Dataset>, fraction: f64, seed: u64) -> Result<Self> {
        let picked = stratified_share(labels_of(&*whole), fraction, seed)?;
        Self::of(whole, picked)
    }

    /// Training and validation images: `fraction` of every class, rounded, is held out, but never all of a class. So settings
    /// can be chosen without a look at the test split. The two parts share no image and together are the whole; otherwise as
    /// [`Subset::stratified`].
    ///
    /// # Errors
    /// [`Error::Setting`] where `fraction` is not between 0 and 1, or so small that nothing would be held out.
    pub fn hold_out(whole: Arc<dyn Dataset>, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let refused = |allowed| Error::Setting { key: "fraction", value: fraction.to_string(), allowed };
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(refused("above 0, below 1"));
        }
        let (mut kept, mut held) = (Vec::new(), Vec::new());
        for images in shuffled_classes(labels_of(&*whole), Purpose::HoldOut, seed) {
            let count = share(fraction, images.len()).min(images.len() - 1);
            held.extend_from_slice(&images[..count]);
            kept.extend_from_slice(&images[count..]);
        }
        if held.is_empty() {
            return Err(refused("enough to hold out at least one image"));
        }
        kept.sort_unstable();
        held.sort_unstable();
        Ok((Self::of(Arc::clone(&whole), kept)?, Self::of(whole, held)?))
    }

    /// As [`Subset::hold_out`] for a number of images: each class gives its share of them, by the method of Webster and Sainte-Laguë,
    /// but never all it has. Fewer of one seed are among more, whatever the sizes of the classes.
    ///
    /// # Errors
    /// [`Error::HoldOut`] where an image has no label, or where the classes do not have that many to spare.
    pub fn hold_out_images(whole: Arc<dyn Dataset>, images: usize, seed: u64) -> Result<(Self, Self)> {
        let refused = |reason: String| Error::HoldOut { images, reason };
        if let Some(bare) = (0..whole.len()).find(|&index| whole.label(index).is_none()) {
            return Err(refused(format!("each class is to give its share, but {} has no label", whole.source(bare))));
        }
        let classes = shuffled_classes(labels_of(&*whole), Purpose::HoldOut, seed);
        let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
        let Some(counts) = shares(&sizes, images) else {
            let most = whole.len() - sizes.len();
            return Err(refused(format!("there are {} in {} classes, of which {most} can be spared", whole.len(), sizes.len())));
        };
        let (mut kept, mut held) = (Vec::new(), Vec::new());
        for (class, count) in classes.iter().zip(counts) {
            held.extend_from_slice(&class[..count]);
            kept.extend_from_slice(&class[count..]);
        }
        kept.sort_unstable();
        held.sort_unstable();
        Ok((Self::of(Arc::clone(&whole), kept)?, Self::of(whole, held)?))
    }
}

/// `images` dealt out to classes of these sizes in proportion, by the method of Webster and Sainte-Laguë: one after the other, each
/// to the class with the greatest size / (2 x what it has + 1), of equal ones the first; one image at least is left to each. So one
/// more never takes from a class what it had, as the largest remainders may. `None` where the classes have not that many to spare.
fn shares(sizes: &[usize], images: usize) -> Option<Vec<usize>> {
    let spare = |size: &usize| size.saturating_sub(1);
    if images > sizes.iter().map(spare).sum() {
        return None;
    }
    let mut counts = vec![0; sizes.len()];
    let mut next: BinaryHeap<Quotient> = sizes
        .iter()
        .enumerate()
        .map(|(class, &size)| Quotient { size, divisor: 1, class })
        .filter(|next| next.size > 1)
        .collect();
    for _ in 0..images {
        let Quotient { size, divisor, class } = next.pop()?;
        counts[class] += 1;
        if counts[class] < spare(&size) {
            next.push(Quotient { size, divisor: divisor + 2, class });
        }
    }
    Some(counts)
}

/// A class's claim to the next image.
#[derive(PartialEq, Eq)]
struct Quotient {
    size: usize,
    divisor: usize,
    class: usize,
}

impl Ord for Quotient {
    /// By size / divisor, exactly; of equal ones the earlier class is the greater.
    fn cmp(&self, other: &Self) -> Ordering {
        let times = |size: usize, divisor: usize| size as u128 * divisor as u128;
        let by_quotient = times(self.size, other.divisor).cmp(&times(other.size, self.divisor));
        by_quotient.then(other.class.cmp(&self.class))
    }
}

impl PartialOrd for Quotient {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What [`Subset::stratified`] picks out of images with these labels, in ascending order.
///
/// # Errors
/// [`Error::Setting`] where `fraction` is not above 0 and at most 1.
pub fn stratified_share(labels: impl Iterator<Item = Option<usize>>, fraction: f64, seed: u64) -> Result<Vec<usize>> {
    if !(fraction > 0.0 && fraction <= 1.0) {
        return Err(Error::Setting { key: "fraction", value: fraction.to_string(), allowed: "above 0, at most 1" });
    }
    let mut picked = Vec::new();
    for images in shuffled_classes(labels, Purpose::Share, seed) {
        let count = share(fraction, images.len()).max(1);
        picked.extend_from_slice(&images[..count]);
    }
    picked.sort_unstable();
    Ok(picked)
}

fn labels_of(dataset: &dyn Dataset) -> impl Iterator<Item = Option<usize>> {
    (0..dataset.len()).map(|index| dataset.label(index))
}

fn share(fraction: f64, images: usize) -> usize {
    ((fraction * images as f64).round() as usize).min(images)
}

/// The images of each class that has any, in a random order of their own.
fn shuffled_classes(labels: impl Iterator<Item = Option<usize>>, purpose: Purpose, seed: u64) -> Vec<Vec<usize>> {
    let mut classes: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (index, label) in labels.enumerate() {
        classes.entry(label).or_default().push(index);
    }
    let shuffled = classes.into_iter().map(|(label, mut images)| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = purpose as u8;
        key[16..24].copy_from_slice(&label.map_or(0, |label| label as u64 + 1).to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        for last in (1..images.len()).rev() {
            // The high half of a product: unbiased but for 2^-64 times the number of images.
            let drawn = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
            images.swap(last, drawn as usize);
        }
        images
    });
    shuffled.collect()
}
