//! How well clusters agree with classes.

/// `counts[cluster][class]`: rows in both.
pub(super) fn contingency(clusters: &[usize], labels: &[usize], cluster_count: usize, classes: usize) -> Vec<Vec<u32>> {
    let mut counts = vec![vec![0; classes]; cluster_count];
    clusters.iter().zip(labels).for_each(|(&cluster, &label)| counts[cluster][label] += 1);
    counts
}

/// For each cluster (row of `counts [clusters][classes]`) the class that it stands for, `None` for clusters beyond the number of
/// classes: the one-to-one assignment with the largest sum of counts, by the Hungarian method (Kuhn 1955; shortest augmenting
/// paths with potentials, O(n³)). Of equally good assignments always the same.
pub(super) fn optimal_assignment(counts: &[Vec<u32>]) -> Vec<Option<usize>> {
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

/// Normalised mutual information of two labelings, `I(U; V) / ((H(U) + H(V)) / 2)` in [0, 1] (the arithmetic mean, scikit-learn's
/// default); 1 where both have one group only.
pub(super) fn normalised_mutual_information(counts: &[Vec<u32>]) -> f64 {
    let (clusters, classes, total) = marginals(counts);
    let entropy =
        |sums: &[f64]| -> f64 { sums.iter().filter(|&&sum| sum > 0.0).map(|sum| -sum / total * (sum / total).ln()).sum() };
    let mut information = 0.0;
    for (row, cluster) in counts.iter().zip(&clusters) {
        for (&count, class) in row.iter().zip(&classes).filter(|(count, _)| **count > 0) {
            let count = f64::from(count);
            information += count / total * (count * total / (cluster * class)).ln();
        }
    }
    let mean = f64::midpoint(entropy(&clusters), entropy(&classes));
    if mean == 0.0 { 1.0 } else { (information / mean).clamp(0.0, 1.0) }
}

/// Adjusted Rand index (Hubert & Arabie 1985, eq. 5): the share of pairs of rows on which both labelings agree, shifted and scaled
/// so that chance gives 0 and agreement 1; negative below chance.
pub(super) fn adjusted_rand_index(counts: &[Vec<u32>]) -> f64 {
    let (clusters, classes, total) = marginals(counts);
    let pairs = |n: f64| n * (n - 1.0) / 2.0;
    let together: f64 = counts.iter().flatten().map(|&count| pairs(f64::from(count))).sum();
    let (of_clusters, of_classes) =
        (clusters.iter().map(|&n| pairs(n)).sum::<f64>(), classes.iter().map(|&n| pairs(n)).sum::<f64>());
    let expected = if total > 1.0 { of_clusters * of_classes / pairs(total) } else { 0.0 };
    let most = f64::midpoint(of_clusters, of_classes);
    if most == expected { 1.0 } else { (together - expected) / (most - expected) }
}

/// Sums of the rows and of the columns, and of all.
fn marginals(counts: &[Vec<u32>]) -> (Vec<f64>, Vec<f64>, f64) {
    let rows: Vec<f64> = counts.iter().map(|row| row.iter().copied().map(f64::from).sum()).collect();
    let mut columns = vec![0.0; counts.first().map_or(0, Vec::len)];
    counts.iter().for_each(|row| columns.iter_mut().zip(row).for_each(|(sum, &count)| *sum += f64::from(count)));
    let total = rows.iter().sum();
    (rows, columns, total)
}
