//! Figures of features that need no label: whether they fill their dimensions, or have collapsed.

use rayon::prelude::*;
use relata_artifact::FeatureHealth;
use relata_cluster::l2_normalised;
use relata_ops::{Compute, symmetric_eigenvalues};

use crate::{Error, Features, Result};

/// Rows that uniformity compares with each other: two million pairs.
const UNIFORMITY_ROWS: usize = 2000;
/// A dimension whose standard deviation is below this share of the root mean square of all is dead.
const DEAD: f64 = 1e-3;
/// Features of a smaller effective rank have collapsed: but for a remnant they vary in one direction.
const COLLAPSED_RANK: f64 = 2.0;
/// As many dead dimensions are worth a word.
const MANY_DEAD_PCT: f64 = 50.0;

/// All figures that need one view of each image ([`alignment`] needs two), with a warning for each that is bad.
#[must_use]
pub fn health(features: &Features, compute: &Compute) -> FeatureHealth {
    compute.install(|| {
        let covariance = covariance(features);
        let dead_dimensions_pct = 100.0 * dead_share(&covariance, features.width());
        let effective_rank = rank_of(covariance, features.width(), features.rows());
        let mut health = FeatureHealth {
            dimensions: features.width(),
            images: features.rows(),
            effective_rank,
            dead_dimensions_pct,
            uniformity: uniformity(features),
            alignment: None,
            warnings: Vec::new(),
        };
        health.warnings = warnings(&health);
        health
    })
}

/// Effective rank (Roy & Vetterli 2007, "The effective rank", eq. 2-4; as a measure of features: RankMe, Garrido et al. 2023, arXiv
/// 2210.02885): `exp(−Σ_i p_i ln p_i)` with `p_i = σ_i / Σ_j σ_j` and the singular values σ of the features `[n, D]` less their mean. From
/// 1, all images on one line, to D, equally wide in all directions; 0 where all images have the same features. In f64.
#[must_use]
pub fn effective_rank(features: &Features) -> f64 {
    rank_of(covariance(features), features.width(), features.rows())
}

/// Bytes that [`effective_rank`] and [`dead_dimensions`] take of features of `width` at their most, beside the features.
#[must_use]
pub fn effective_rank_bytes(width: usize) -> usize {
    relata_cluster::covariance_bytes(width)
}

/// Share of dead dimensions, in [0, 1]: those whose standard deviation over the images is at most a thousandth of the root mean
/// square of all dimensions' standard deviations; 1 where no dimension varies.
#[must_use]
pub fn dead_dimensions(features: &Features) -> f64 {
    dead_share(&covariance(features), features.width())
}

/// Uniformity (Wang & Isola 2020, arXiv 2005.10242, section 4.1.2, t = 2): `ln mean exp(−2 ‖x − y‖²)` over all pairs of different rows,
/// each scaled to length 1. 0 where all rows point the same way, about −4 at best; lower is more even. Of more than 2000 rows
/// 2000 are compared, evenly spread; 0 for a single row.
#[must_use]
pub fn uniformity(features: &Features) -> f64 {
    let (all, width) = (features.rows(), features.width());
    let count = all.min(UNIFORMITY_ROWS);
    if count < 2 {
        return 0.0;
    }
    let chosen: Vec<f32> = (0..count).flat_map(|i| features.row(i * all / count)).copied().collect();
    let unit = l2_normalised(&chosen, width);
    let sum_of = |first: usize| -> f64 {
        let row = &unit[first * width..][..width];
        unit[(first + 1) * width..].chunks_exact(width).map(|other| (-2.0 * distance_squared(row, other)).exp()).sum()
    };
    let sums: Vec<f64> = (0..count).into_par_iter().map(sum_of).collect();
    let pairs = (count * (count - 1) / 2) as f64;
    (sums.iter().sum::<f64>() / pairs).ln()
}

/// Alignment (Wang & Isola 2020, section 4.1.1, α = 2): mean `‖x − y‖²` of two views of the same image, each scaled to length 1; rows of
/// the same number belong together. 0 where views make no difference, 2 where they have nothing in common; lower is better.
///
/// # Errors
/// [`Error::WidthDiffers`], [`Error::Size`] for unequal numbers of rows.
pub fn alignment(first: &Features, second: &Features) -> Result<f64> {
    if first.width() != second.width() {
        return Err(Error::WidthDiffers { train: first.width(), test: second.width() });
    }
    if first.rows() != second.rows() {
        return Err(Error::Size { what: "second views", expected: first.rows(), got: second.rows() });
    }
    let width = first.width();
    let (first, second) = (l2_normalised(first.values(), width), l2_normalised(second.values(), width));
    let distances = first.chunks_exact(width).zip(second.chunks_exact(width)).map(|(a, b)| distance_squared(a, b));
    Ok(distances.sum::<f64>() / (first.len() / width) as f64)
}

/// What a reader must know.
fn warnings(health: &FeatureHealth) -> Vec<String> {
    let FeatureHealth { dimensions, effective_rank, dead_dimensions_pct, images, .. } = health;
    let mut warnings = Vec::new();
    if *images > 1 && *effective_rank == 0.0 {
        warnings.push("the features have collapsed: all images have the same".to_owned());
    } else if *images > 2 && *dimensions > 2 && *effective_rank < COLLAPSED_RANK {
        warnings.push(format!(
            "the features have collapsed: of {dimensions} dimensions they fill {effective_rank:.1}, so nearly all images lie on a line"
        ));
    } else if *images > 1 && *dead_dimensions_pct >= MANY_DEAD_PCT {
        warnings.push(format!(
            "{dead_dimensions_pct:.0} % of the {dimensions} feature dimensions are dead: they are the same for all images"
        ));
    }
    warnings
}

/// `[D, D]`, lower triangle.
fn covariance(features: &Features) -> Vec<f64> {
    relata_cluster::covariance(features.values(), features.width()).lower
}

fn dead_share(covariance: &[f64], width: usize) -> f64 {
    let variances: Vec<f64> = (0..width).map(|i| covariance[i * width + i]).collect();
    let bar = DEAD * DEAD * variances.iter().sum::<f64>() / width as f64;
    variances.iter().filter(|&&variance| variance <= bar).count() as f64 / width as f64
}

fn rank_of(mut covariance: Vec<f64>, width: usize, rows: usize) -> f64 {
    let variances = symmetric_eigenvalues(&mut covariance, width);
    let most = variances.iter().copied().fold(0.0, f64::max);
    // Rounding leaves eigenvalues of about this size where there should be none.
    let bar = most * f64::EPSILON * width.max(rows) as f64;
    let singular: Vec<f64> = variances.into_iter().filter(|&variance| variance > bar).map(f64::sqrt).collect();
    let sum: f64 = singular.iter().sum();
    if sum == 0.0 {
        return 0.0;
    }
    singular.iter().map(|value| -value / sum * (value / sum).ln()).sum::<f64>().exp()
}

fn distance_squared(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use relata_ops::Compute;
    use relata_testkit::hash_uniform;

    use super::{alignment, dead_dimensions, effective_rank, health, uniformity};
    use crate::{Error, Features};

    fn features(rows: &[&[f32]]) -> Features {
        Features::unlabelled(rows.concat(), rows[0].len()).unwrap()
    }

    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-6, "{got} instead of {expected}");
    }

    #[test]
    fn the_effective_rank_of_a_cross_is_that_of_its_arms() {
        // ±a along each axis: singular values in the ratio of the arms.
        near(effective_rank(&features(&[&[3.0, 0.0, 7.0], &[-3.0, 0.0, 7.0], &[0.0, 3.0, 7.0], &[0.0, -3.0, 7.0]])), 2.0);
        let p: [f64; 2] = [0.75, 0.25];
        let entropy = -p.iter().map(|p| p * p.ln()).sum::<f64>();
        near(effective_rank(&features(&[&[3.0, 0.0], &[-3.0, 0.0], &[0.0, 1.0], &[0.0, -1.0]])), entropy.exp());
        near(effective_rank(&features(&[&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0], &[0.5, 1.0, 1.5]])), 1.0);
        assert_eq!(effective_rank(&features(&[&[1.0, 2.0], &[1.0, 2.0]])), 0.0);
    }

    #[test]
    fn noise_fills_its_dimensions_and_nothing_changes_with_the_threads() {
        let values = (0..5000 * 20).map(|i| hash_uniform("noise", i) as f32).collect();
        let noise = Features::unlabelled(values, 20).unwrap();
        assert!(effective_rank(&noise) > 19.9);
        let of = |threads| health(&noise, &Compute::new(threads).unwrap());
        assert_eq!(of(1), of(3));
        assert!(of(1).warnings.is_empty());
    }

    #[test]
    fn a_dimension_that_hardly_varies_is_dead() {
        near(dead_dimensions(&features(&[&[1.0, 5.0, 0.0, 1.0], &[-1.0, 5.0, 0.0, -1.0]])), 0.5);
        near(dead_dimensions(&features(&[&[1.0, 1e-4], &[-1.0, -1e-4]])), 0.5);
        near(dead_dimensions(&features(&[&[1.0, 1e-2], &[-1.0, -1e-2]])), 0.0);
        near(dead_dimensions(&features(&[&[1.0, 2.0], &[1.0, 2.0]])), 1.0);
    }

    #[test]
    fn uniformity_is_that_of_its_formula() {
        near(uniformity(&features(&[&[1.0, 0.0], &[3.0, 0.0], &[0.5, 0.0]])), 0.0);
        near(uniformity(&features(&[&[2.0, 0.0], &[-5.0, 0.0]])), -8.0);
        // Squared distances 2, 4, 2 of three directions.
        let mean = (2.0 * (-4.0_f64).exp() + (-8.0_f64).exp()) / 3.0;
        near(uniformity(&features(&[&[1.0, 0.0], &[0.0, 2.0], &[-3.0, 0.0]])), mean.ln());
        assert_eq!(uniformity(&features(&[&[1.0, 0.0]])), 0.0);
        // Many rows: evenly spread ones stand for all. Half of the pairs are opposite, half the same.
        let rows: Vec<f32> = (0..8000).flat_map(|row| [if row % 8 < 4 { 1.0 } else { -1.0 }, 0.0]).collect();
        let same_share = 999.0 / 1999.0;
        near(uniformity(&Features::unlabelled(rows, 2).unwrap()), (same_share + (1.0 - same_share) * (-8.0_f64).exp()).ln());
    }

    #[test]
    fn alignment_is_that_of_its_formula() {
        let first = features(&[&[1.0, 0.0], &[0.0, 2.0]]);
        near(alignment(&first, &features(&[&[4.0, 0.0], &[0.0, 0.1]])).unwrap(), 0.0);
        near(alignment(&first, &features(&[&[0.0, 1.0], &[0.0, -1.0]])).unwrap(), 3.0);
        assert!(matches!(alignment(&first, &features(&[&[1.0], &[1.0]])), Err(Error::WidthDiffers { .. })));
        assert!(matches!(alignment(&first, &features(&[&[1.0, 0.0]])), Err(Error::Size { expected: 2, got: 1, .. })));
    }

    #[test]
    fn a_collapse_gives_a_warning() {
        let warning = |value: &dyn Fn(usize, usize) -> f64| {
            let values = (0..100 * 8).map(|i| value(i / 8, i % 8) as f32).collect();
            health(&Features::unlabelled(values, 8).unwrap(), &Compute::new(1).unwrap()).warnings.join("")
        };
        assert!(warning(&|_, column| column as f64).contains("all images have the same"));
        assert!(warning(&|_, column| 0.1 * column as f64 - 1e5).contains("all images have the same"));
        let line = |row: usize, column: usize| (row * column) as f64 + 1e-3 * hash_uniform("line", row * 8 + column);
        assert!(warning(&line).contains("of 8 dimensions they fill 1.0"), "{}", warning(&line));
        let dead = |row: usize, column: usize| if column < 3 { hash_uniform("dead", row * 8 + column) } else { 0.5 };
        assert!(warning(&dead).contains("62 % of the 8 feature dimensions are dead"), "{}", warning(&dead));
        assert_eq!(warning(&|row, column| hash_uniform("alive", row * 8 + column)), "");
    }
}
