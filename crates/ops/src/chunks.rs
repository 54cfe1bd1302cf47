//! How a batch is cut for the threads: by its size alone, never by their number, so that sums join in one fixed order.

/// Most pieces that a batch is cut into. Enough for many cores, few enough that partial sums stay small.
const MOST: usize = 64;

/// Images a piece, for a batch of `n`.
#[must_use]
pub fn chunk_images(n: usize) -> usize {
    n.div_ceil(MOST).max(1)
}

/// The most pieces that a batch of at most `n` is cut into: a smaller one may be cut into more than a batch of `n`.
#[must_use]
pub fn chunk_count_at_most(n: usize) -> usize {
    n.min(MOST)
}

/// Number of pieces of a batch of `n`.
#[must_use]
pub fn chunk_count(n: usize) -> usize {
    n.div_ceil(chunk_images(n))
}

#[cfg(test)]
mod tests {
    use super::{chunk_count, chunk_count_at_most};

    #[test]
    fn no_smaller_batch_is_cut_into_more_than_the_most() {
        for n in 0..300 {
            assert_eq!(chunk_count_at_most(n), (0..=n).map(chunk_count).max().unwrap_or(0), "{n}");
        }
    }
}
