//! How a batch is cut for the threads: by its size alone, never by their number, so that sums join in one fixed order.

/// Most pieces that a batch is cut into. Enough for many cores, few enough that partial sums stay small.
const MOST: usize = 64;

/// Images a piece, for a batch of `n`.
#[must_use]
pub fn chunk_images(n: usize) -> usize {
    n.div_ceil(MOST).max(1)
}

/// Number of pieces of a batch of `n`.
#[must_use]
pub fn chunk_count(n: usize) -> usize {
    n.div_ceil(chunk_images(n))
}
