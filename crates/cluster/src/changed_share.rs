//! How much a clustering of the same rows has changed.

use std::cmp::Reverse;

use crate::{contingency, optimal_assignment};

/// Of more clusters, old and new are paired by the largest common part first: time and memory of the best pairing go with the third and
/// the second power of their number.
const MOST_PAIRED: usize = 1000;

/// Share of the rows, in [0, 1], whose cluster is not the one that their old cluster became; 0 of none.
///
/// A cluster's number means nothing: clusters old and new are paired one to one so that as few rows as possible change. Of more than
/// 1,000 clusters, the two that have the most rows in common are paired first.
///
/// # Panics
/// Where a cluster is not below `clusters`, as indexing does.
#[must_use]
pub fn changed_share(old: &[usize], new: &[usize], clusters: usize) -> f32 {
    if old.is_empty() {
        return 0.0;
    }
    let stayed = if clusters <= MOST_PAIRED {
        let counts = contingency(old, new, clusters, clusters);
        let became = optimal_assignment(&counts);
        counts.iter().zip(became).filter_map(|(row, new)| new.map(|new| row[new] as usize)).sum()
    } else {
        paired_greedily(old, new, clusters)
    };
    (1.0 - stayed as f64 / old.len() as f64) as f32
}

/// Bytes that [`changed_share`] of `rows` rows takes and gives back.
#[must_use]
pub fn changed_share_bytes(rows: usize, clusters: usize) -> usize {
    match clusters {
        0..=MOST_PAIRED => 2 * clusters * clusters * size_of::<u32>(),
        _ => 5 * size_of::<u64>() * rows,
    }
}

/// Rows that stay where clusters are paired one to one, the largest common part first; of equal ones, the clusters of lower numbers.
fn paired_greedily(old: &[usize], new: &[usize], clusters: usize) -> usize {
    let mut both: Vec<(usize, usize)> = old.iter().copied().zip(new.iter().copied()).collect();
    both.sort_unstable();
    let mut parts: Vec<(usize, (usize, usize))> = both.chunk_by(|a, b| a == b).map(|same| (same.len(), same[0])).collect();
    parts.sort_unstable_by_key(|&(rows, pair)| (Reverse(rows), pair));
    let (mut old_taken, mut new_taken) = (vec![false; clusters], vec![false; clusters]);
    let mut stayed = 0;
    for (rows, (old, new)) in parts {
        if !old_taken[old] && !new_taken[new] {
            (old_taken[old], new_taken[new]) = (true, true);
            stayed += rows;
        }
    }
    stayed
}

#[cfg(test)]
mod tests {
    use super::{MOST_PAIRED, changed_share};

    #[test]
    fn other_numbers_for_the_same_clusters_are_no_change() {
        assert_eq!(changed_share(&[0, 0, 1, 1, 2, 2, 2, 3], &[3, 3, 0, 0, 1, 1, 1, 2], 4), 0.0);
        assert_eq!(changed_share(&[], &[], 4), 0.0);
    }

    #[test]
    fn a_row_that_left_its_cluster_counts_once() {
        assert_eq!(changed_share(&[0, 0, 0, 1, 1, 1, 1, 1], &[1, 1, 0, 0, 0, 0, 0, 0], 2), 0.125);
        // Two clusters that became one: the smaller half has changed.
        assert_eq!(changed_share(&[0, 0, 0, 0, 0, 1, 1, 1], &[2; 8], 3), 0.375);
    }

    #[test]
    fn of_many_clusters_the_largest_common_part_is_paired_first() {
        let many = MOST_PAIRED + 1;
        let old: Vec<usize> = (0..4 * many).map(|row| row / 4).collect();
        // Other numbers, and every cluster's last row in the next one.
        let new: Vec<usize> = (0..4 * many).map(|row| many - 1 - (row + 1) / 4 % many).collect();
        assert_eq!(changed_share(&old, &old.iter().map(|cluster| many - 1 - cluster).collect::<Vec<_>>(), many), 0.0);
        assert_eq!(changed_share(&old, &new, many), 0.25);
    }
}
