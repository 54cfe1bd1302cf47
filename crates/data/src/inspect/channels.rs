use std::ops::Add;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::{Dataset, Error, Image, Result};

/// Mean and standard deviation of each channel, over all pixels of all images, of values in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelStatistics {
    /// Number of images.
    pub images: usize,
    /// Number of pixels of all images.
    pub pixels: u64,
    /// Of red, green and blue.
    pub mean: [f64; 3],
    /// Of red, green and blue: the standard deviation of all these pixels, not an estimate from a sample (division by n).
    pub std: [f64; 3],
}

/// Reads every image, on all of rayon's threads, and computes the statistics of its channels.
///
/// With n pixels of values v in 0 to 255: mean = sum v / 255 n, std = sqrt(n sum v^2 - (sum v)^2) / 255 n. The sums are whole
/// numbers, so the result is the same to the bit on any number of threads, and rounded only where they become f64. A large
/// image weighs more than a small one. `progress` is called as by [`verify`](crate::verify).
///
/// # Errors
/// The first image, by index, that cannot be read; [`Error::IndexOutOfRange`] where there are no images.
pub fn channel_statistics(dataset: &dyn Dataset, progress: impl Fn(usize, usize) + Sync) -> Result<ChannelStatistics> {
    let images = dataset.len();
    let read = AtomicUsize::new(0);
    let sums = (0..images).into_par_iter().map(|index| {
        let sums = match dataset.image(index) {
            Ok(image) => Sums::of(&image),
            Err(error) => Sums { broken: Some((index, error)), ..Sums::default() },
        };
        progress(read.fetch_add(1, Ordering::Relaxed) + 1, images);
        sums
    });
    let Sums { pixels, sum, squares, broken } = sums.reduce(Sums::default, Add::add);
    if let Some((_, error)) = broken {
        return Err(error);
    }
    if pixels == 0 {
        return Err(Error::IndexOutOfRange { index: 0, len: images });
    }
    let full = 255.0 * pixels as f64;
    let std = |channel: usize| {
        let (sum, squares) = (u128::from(sum[channel]), u128::from(squares[channel]));
        // Never negative, by Cauchy and Schwarz.
        ((u128::from(pixels) * squares - sum * sum) as f64).sqrt() / full
    };
    Ok(ChannelStatistics { images, pixels, mean: sum.map(|sum| sum as f64 / full), std: [0, 1, 2].map(std) })
}

/// What is summed over pixels; of 2^48 pixels, the squares still fit.
#[derive(Default)]
struct Sums {
    pixels: u64,
    sum: [u64; 3],
    squares: [u64; 3],
    /// The first image that could not be read.
    broken: Option<(usize, Error)>,
}

impl Sums {
    fn of(image: &Image) -> Self {
        let (mut sum, mut squares) = ([0; 3], [0; 3]);
        for pixel in image.rgb().chunks_exact(3) {
            for channel in 0..3 {
                let value = u64::from(pixel[channel]);
                sum[channel] += value;
                squares[channel] += value * value;
            }
        }
        Self { pixels: image.rgb().len() as u64 / 3, sum, squares, broken: None }
    }
}

impl Add for Sums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let both = |a: [u64; 3], b: [u64; 3]| [0, 1, 2].map(|channel| a[channel] + b[channel]);
        Self {
            pixels: self.pixels + other.pixels,
            sum: both(self.sum, other.sum),
            squares: both(self.squares, other.squares),
            // rayon keeps the order, so the left one comes first.
            broken: self.broken.or(other.broken),
        }
    }
}
