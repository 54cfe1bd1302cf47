//! Cosine similarities, and an order of rows by them.

use rayon::prelude::*;

/// PyTorch's bound for `normalize`: shorter rows count as zero rows.
const SHORTEST: f64 = 1e-12;

/// The rows scaled to length 1.
pub(crate) fn unit_rows(values: &[f32], width: usize) -> Vec<f32> {
    let mut unit = values.to_vec();
    unit.par_chunks_exact_mut(width).for_each(|row| {
        let length = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
        let scale = 1.0 / length.max(SHORTEST);
        row.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
    });
    unit
}

/// A number that is smaller for the more similar row, and for the smaller index among equals. Rows have 32 bits.
pub(crate) fn rank(row: usize, similarity: f32) -> u64 {
    let bits = (similarity + 0.0).to_bits(); // -0 becomes 0
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!ascending) << 32 | row as u64
}

pub(crate) fn row_and_similarity(rank: u64) -> (usize, f32) {
    let ascending = !((rank >> 32) as u32);
    let bits = if ascending >> 31 == 1 { ascending & !(1 << 31) } else { !ascending };
    (rank as u32 as usize, f32::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::{rank, row_and_similarity};

    #[test]
    fn a_rank_goes_down_as_the_similarity_goes_up() {
        let similarities = [1.0, 0.5, 1e-30, 0.0, -1e-30, -0.5, -1.0];
        let ranks = similarities.map(|similarity| rank(3, similarity));
        assert!(ranks.is_sorted());
        assert!(similarities.iter().zip(ranks).all(|(&similarity, rank)| row_and_similarity(rank) == (3, similarity)));
        assert_eq!(rank(3, -0.0), rank(3, 0.0));
        assert!(rank(3, 0.5) < rank(4, 0.5) && rank(u32::MAX as usize, 0.6) < rank(0, 0.5));
    }
}
