//! An order of rows by their cosine similarities.

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
