//! Which cluster stands for which class.

/// `counts[cluster][class]`: rows in both.
///
/// # Panics
/// Where a cluster or a label is not below its number, as indexing does.
#[must_use]
pub fn contingency(clusters: &[usize], labels: &[usize], cluster_count: usize, classes: usize) -> Vec<Vec<u32>> {
    let mut counts = vec![vec![0; classes]; cluster_count];
    clusters.iter().zip(labels).for_each(|(&cluster, &label)| counts[cluster][label] += 1);
    counts
}

/// For each cluster (row of `counts [clusters][classes]`) the class that it stands for, `None` for clusters beyond the number of
/// classes: the one-to-one assignment with the largest sum of counts, by the Hungarian method (Kuhn 1955; shortest augmenting
/// paths with potentials, O(n³)). Of equally good assignments always the same.
#[must_use]
pub fn optimal_assignment(counts: &[Vec<u32>]) -> Vec<Option<usize>> {
    let classes = counts.first().map_or(0, Vec::len);
    let size = counts.len().max(classes);
    // A square problem of costs, with rows and columns of zeros where there are fewer of the one than of the other.
    let cost = |row: usize, column: usize| -> i64 {
        counts.get(row).and_then(|counts| counts.get(column)).map_or(0, |&count| -i64::from(count))
    };
    // Rows and columns count from 1; 0 stands for none.
    let (mut row_potential, mut column_potential) = (vec![0; size + 1], vec![0; size + 1]);
    let mut row_of = vec![0; size + 1];
    for row in 1..=size {
        row_of[0] = row;
        let mut column = 0;
        let (mut shortest, mut came_from) = (vec![i64::MAX; size + 1], vec![0; size + 1]);
        let mut done = vec![false; size + 1];
        while row_of[column] != 0 {
            done[column] = true;
            let (at, mut step, mut next) = (row_of[column], i64::MAX, 0);
            for other in (1..=size).filter(|&other| !done[other]) {
                let length = cost(at - 1, other - 1) - row_potential[at] - column_potential[other];
                if length < shortest[other] {
                    (shortest[other], came_from[other]) = (length, column);
                }
                if shortest[other] < step {
                    (step, next) = (shortest[other], other);
                }
            }
            for other in 0..=size {
                if done[other] {
                    row_potential[row_of[other]] += step;
                    column_potential[other] -= step;
                } else {
                    shortest[other] = shortest[other].saturating_sub(step);
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[came_from[column]];
            column = came_from[column];
        }
    }
    let mut assigned = vec![None; counts.len()];
    for (class, row) in row_of[1..].iter().take(classes).enumerate() {
        if let Some(slot) = assigned.get_mut(row - 1) {
            *slot = Some(class);
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::optimal_assignment;

    #[test]
    fn an_assignment_is_one_to_one_and_beats_every_other() {
        for seed in 0..30 {
            let count = |i| (relata_testkit::hash_uniform(&format!("counts {seed}"), i).abs() * 9.0) as u32;
            let (rows, columns) = [(4, 4), (5, 3), (3, 5)][seed % 3];
            let counts: Vec<Vec<u32>> = (0..rows).map(|r| (0..columns).map(|c| count(r * 5 + c)).collect()).collect();
            let assigned = optimal_assignment(&counts);
            let mut taken: Vec<usize> = assigned.iter().flatten().copied().collect();
            let sum: u32 = assigned.iter().zip(&counts).filter_map(|(class, row)| class.map(|class| row[class])).sum();
            taken.sort_unstable();
            taken.dedup();
            assert_eq!(taken.len(), rows.min(columns), "{assigned:?}");
            assert_eq!(sum, best(&counts, &mut vec![false; columns]), "{counts:?}");
        }
    }

    /// The largest sum over all assignments, tried one by one.
    fn best(counts: &[Vec<u32>], taken: &mut Vec<bool>) -> u32 {
        let Some((row, rest)) = counts.split_first() else { return 0 };
        let mut most = if counts.len() > taken.iter().filter(|taken| !**taken).count() { best(rest, taken) } else { 0 };
        for column in 0..row.len() {
            if !taken[column] {
                taken[column] = true;
                most = most.max(row[column] + best(rest, taken));
                taken[column] = false;
            }
        }
        most
    }
}
