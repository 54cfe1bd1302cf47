//! Which images a few images are nearest to: examples for people to look at.

use relata_cluster::l2_normalised;
use relata_ops::Compute;
use relata_ops::{MatRef, matmul_transposed};

use super::cosine_rank::{rank, row_and_similarity};
use crate::{Error, Features, Result};

/// An image that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its row in the gallery.
    pub row: usize,
    /// Cosine of its features and the query's, -1 to 1.
    pub similarity: f32,
}

/// For each query the `count` rows of `gallery` of largest cosine similarity (all of them where there are fewer), the most
/// similar first, of equals the smaller row. Labels play no part. `[queries × gallery rows]` similarities are in memory, so this
/// is for a few queries; [`crate::Retrieval`] scores many. The same bits on any number of threads.
///
/// # Errors
/// [`Error::WidthDiffers`].
pub fn nearest(queries: &Features, gallery: &Features, count: usize, compute: &Compute) -> Result<Vec<Vec<Neighbour>>> {
    if queries.width() != gallery.width() {
        return Err(Error::WidthDiffers { train: gallery.width(), test: queries.width() });
    }
    let (width, columns) = (gallery.width(), gallery.rows());
    let mut similarities = vec![0.0; queries.rows() * columns];
    compute.install(|| {
        let (keys, queries) = (l2_normalised(gallery.values(), width), l2_normalised(queries.values(), width));
        matmul_transposed(
            compute.isa(),
            MatRef::new(&queries, queries.len() / width, width),
            MatRef::new(&keys, columns, width),
            &mut similarities,
            false,
        );
    });
    let sorted = |similarities: &[f32]| {
        let mut ranks: Vec<u64> = similarities.iter().enumerate().map(|(row, &similarity)| rank(row, similarity)).collect();
        ranks.sort_unstable();
        let neighbour = |rank| {
            let (row, similarity) = row_and_similarity(rank);
            Neighbour { row, similarity }
        };
        ranks.into_iter().take(count).map(neighbour).collect()
    };
    Ok(similarities.chunks_exact(columns).map(sorted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_clouds::clouds;

    fn rows(found: &[Neighbour]) -> Vec<usize> {
        found.iter().map(|found| found.row).collect()
    }

    #[test]
    fn the_nearest_directions_come_first_whatever_their_length() {
        let gallery = Features::unlabelled(vec![0.0, 5.0, 3.0, 0.0, 1.0, 1.0, -1.0, 0.0], 2).unwrap();
        let queries = Features::unlabelled(vec![0.1, 0.0, 0.0, 9.0], 2).unwrap();
        let found = nearest(&queries, &gallery, 3, &Compute::new(1).unwrap()).unwrap();
        assert_eq!([rows(&found[0]), rows(&found[1])], [[1, 2, 0], [0, 2, 1]]);
        assert!((found[0][1].similarity - 0.5_f32.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn of_equals_the_first_comes_first_and_few_are_all() {
        let gallery = Features::unlabelled(vec![2.0, 1.0, 4.0], 1).unwrap();
        let found = nearest(&gallery, &gallery, 10, &Compute::new(1).unwrap()).unwrap();
        assert!(found.iter().all(|found| rows(found) == [0, 1, 2]));
    }

    #[test]
    fn threads_change_no_bit() {
        let (gallery, queries) = (clouds(0, 500, 7, 3, 1.0), clouds(500, 9, 7, 3, 1.0));
        let found = |threads| nearest(&queries, &gallery, 20, &Compute::new(threads).unwrap()).unwrap();
        assert_eq!(found(1), found(3));
    }

    #[test]
    fn features_of_another_width_are_refused() {
        let (gallery, queries) = (clouds(0, 20, 4, 2, 1.0), clouds(0, 2, 5, 2, 1.0));
        let refused = nearest(&queries, &gallery, 1, &Compute::new(1).unwrap());
        assert!(matches!(refused, Err(Error::WidthDiffers { train: 4, test: 5 })));
    }
}
