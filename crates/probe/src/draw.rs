//! Everything that chance decides for a probe, each by a key of its own: the order of an epoch, the rows that keep their labels, a
//! linear layer's first weights.
//!
//! They are the numbers of `relata_augment::epoch_order`, `relata_data::stratified_share` and `relata_model::Parameters::initialise`,
//! which a probe of plain arrays does without; the tests hold them together bit by bit.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, Uniform};

use crate::Result;
use crate::error::check;

/// Byte of a key that says what an order of an epoch's images is drawn for, and the rows that keep their labels.
const ORDER: (usize, u8) = (24, 2);
const SHARE: (usize, u8) = (8, 1);
/// Keeps the random numbers of a probe's layer apart from those of a backbone (0) and of a method's head (1).
const LAYER: u64 = 2 << 32;

/// The order in which `epoch` visits the rows `0..len`.
pub(crate) fn epoch_order(seed: u64, epoch: u32, len: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    shuffle(&mut order, key(seed, ORDER, u64::from(epoch)));
    order
}

/// The rows that keep their labels where only a share of each class's has any, in ascending order: see
/// [`crate::Features::stratified`].
///
/// # Errors
/// [`crate::Error::Setting`] where `fraction` is not above 0 and at most 1.
pub(crate) fn stratified_rows(labels: &[usize], fraction: f64, seed: u64) -> Result<Vec<usize>> {
    check_fraction(fraction)?;
    let mut rows_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &label) in labels.iter().enumerate() {
        rows_of.entry(label).or_default().push(row);
    }
    let mut kept = Vec::new();
    for (label, mut rows) in rows_of {
        shuffle(&mut rows, key(seed, SHARE, label as u64 + 1));
        let count = ((fraction * rows.len() as f64).round() as usize).clamp(1, rows.len());
        kept.extend_from_slice(&rows[..count]);
    }
    kept.sort_unstable();
    Ok(kept)
}

pub(crate) fn check_fraction(fraction: f64) -> Result<()> {
    check(fraction > 0.0 && fraction <= 1.0, "label_fraction", fraction, "above 0, at most 1")
}

/// A linear layer's first weights `[classes, width]`, then its biases `[classes]`: uniform in ±1/√width, as PyTorch's.
pub(crate) fn linear_layer(seed: u64, width: usize, classes: usize) -> Vec<f32> {
    let bound = 1.0 / (width as f32).sqrt();
    let uniform = Uniform::new_inclusive(-bound, bound).expect("a finite interval");
    let numbers = |stream: u64, count: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(LAYER | stream);
        (0..count).map(|_| uniform.sample(&mut rng)).collect::<Vec<f32>>()
    };
    [numbers(0, classes * width), numbers(1, classes)].concat()
}

fn key(seed: u64, (byte, purpose): (usize, u8), of: u64) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[16..24].copy_from_slice(&of.to_le_bytes());
    key[byte] = purpose;
    key
}

/// Fisher and Yates' shuffle.
fn shuffle(rows: &mut [usize], key: [u8; 32]) {
    let mut rng = ChaCha8Rng::from_seed(key);
    for last in (1..rows.len()).rev() {
        // The high half of a product: unbiased but for 2^-64 times the number of rows.
        let drawn = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        rows.swap(last, drawn as usize);
    }
}

#[cfg(all(test, feature = "images"))]
mod tests {
    use relata_model::{ParameterKind, Parameters};

    use super::{epoch_order, linear_layer, stratified_rows};

    #[test]
    fn the_order_of_an_epoch_is_that_of_its_images() {
        for (seed, epoch, len) in [(0, 0, 0), (0, 0, 1), (3, 4, 100), (u64::MAX, u32::MAX, 7)] {
            assert_eq!(epoch_order(seed, epoch, len), relata_augment::epoch_order(seed, epoch, len), "{seed} {epoch} {len}");
        }
    }

    #[test]
    fn the_share_of_the_labels_is_that_of_images() {
        let labels: Vec<usize> = (0..400).map(|row| row * row % 7).collect();
        for (fraction, seed) in [(0.01, 0), (0.1, 1), (0.37, u64::MAX), (1.0, 5)] {
            let images = relata_data::stratified_share(labels.iter().copied().map(Some), fraction, seed).unwrap();
            assert_eq!(stratified_rows(&labels, fraction, seed).unwrap(), images, "{fraction} {seed}");
        }
    }

    #[test]
    fn a_layer_starts_as_one_of_a_net_does() {
        let (width, classes) = (13, 5);
        let mut parameters = Parameters::default();
        parameters.add("weight", &[classes, width], ParameterKind::LinearWeight);
        parameters.add("bias", &[classes], ParameterKind::LinearBias { inputs: width });
        parameters.initialise(7, 2);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&linear_layer(7, width, classes)), bits(parameters.values()));
    }
}
