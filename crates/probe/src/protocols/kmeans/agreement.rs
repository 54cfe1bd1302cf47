//! How well clusters agree with classes.

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
