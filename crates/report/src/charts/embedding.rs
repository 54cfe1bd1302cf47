//! Features to points in the plane: t-SNE, started from the two main axes (PCA), the same points every time.

use bhtsne::tSNE;
use relata_ops::symmetric_eigenvectors;

/// More points would neither be drawn apart nor be computed in a second or two.
pub(crate) const MAX_POINTS: usize = 900;
/// Below this t-SNE has no neighbourhoods to keep.
const MIN_TSNE_POINTS: usize = 30;
const PERPLEXITY: f32 = 30.0;
const EPOCHS: usize = 750;
/// Barnes-Hut's accuracy, the usual compromise.
const THETA: f32 = 0.5;
/// Spread of the starting points, as in the original implementation.
const START_SPREAD: f32 = 1e-4;

/// How the points came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    Tsne,
    Pca,
}

/// Points `[n]` for rows of `features [n, dim]`; `None` where all rows are the same, but for rounding, or not finite.
pub(crate) fn embed(features: &[f32], dim: usize) -> Option<(Placement, Vec<[f32; 2]>)> {
    let axes = pca(features, dim)?;
    let n = axes.len();
    if n >= MIN_TSNE_POINTS {
        let tsne = tsne(features, dim, &axes);
        if tsne.iter().flatten().all(|value| value.is_finite()) {
            return Some((Placement::Tsne, tsne));
        }
    }
    Some((Placement::Pca, axes))
}

/// Projection on the first two principal axes.
fn pca(features: &[f32], dim: usize) -> Option<Vec<[f32; 2]>> {
    if dim == 0 || features.is_empty() || features.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let centred = centred(features, dim);
    let total: f64 = centred.iter().map(|value| value * value).sum();
    let squares: f64 = features.iter().map(|&value| f64::from(value).powi(2)).sum();
    // Half a digit of f32 on every value is as much.
    if total <= f64::from(f32::EPSILON).powi(2) / 4.0 * squares {
        return None;
    }
    let rows: Vec<&[f64]> = centred.chunks_exact(dim).collect();
    let n = rows.len();
    let mut points = vec![[0.0_f32; 2]; n];
    // The products of rows with each other have the same eigenvalues as the scatter matrix; the smaller matrix is taken.
    let (variances, vectors) = if n < dim {
        symmetric_eigenvectors(&mut products(&rows), n)
    } else {
        let columns: Vec<Vec<f64>> = (0..dim).map(|column| rows.iter().map(|row| row[column]).collect()).collect();
        symmetric_eigenvectors(&mut products(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>()), dim)
    };
    let axes = variances.iter().zip(vectors.chunks_exact(variances.len()));
    for (component, (&variance, vector)) in axes.take(2).enumerate().filter(|(_, (variance, _))| **variance > 1e-12 * total) {
        for (row, (point, features)) in points.iter_mut().zip(&rows).enumerate() {
            point[component] = if n < dim { variance.sqrt() * vector[row] } else { dot(features, vector) } as f32;
        }
    }
    Some(points)
}

/// The rows less their mean.
fn centred(features: &[f32], dim: usize) -> Vec<f64> {
    let n = features.len() / dim;
    let mut mean = vec![0.0_f64; dim];
    for row in features.chunks_exact(dim) {
        mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    mean.iter_mut().for_each(|sum| *sum /= n as f64);
    let rows = features.chunks_exact(dim);
    rows.flat_map(|row| row.iter().zip(&mean).map(|(&value, mean)| f64::from(value) - mean).collect::<Vec<_>>()).collect()
}

/// The lower triangle of `[n, n]`: each vector's product with each of those before it, and with itself.
fn products(vectors: &[&[f64]]) -> Vec<f64> {
    let n = vectors.len();
    let mut matrix = vec![0.0; n * n];
    for row in 0..n {
        for column in 0..=row {
            matrix[row * n + column] = dot(vectors[row], vectors[column]);
        }
    }
    matrix
}

fn tsne(features: &[f32], dim: usize, start: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let rows: Vec<&[f32]> = features.chunks_exact(dim).collect();
    let spread = start.iter().map(|point| point[0] * point[0]).sum::<f32>() / start.len() as f32;
    let scale = START_SPREAD / spread.sqrt().max(f32::MIN_POSITIVE);
    let start: Vec<f32> = start.iter().flatten().map(|value| value * scale).collect();
    let perplexity = PERPLEXITY.min((rows.len() as f32 - 1.0) / 4.0);
    let fit = || {
        let mut tsne = tSNE::<f32, &[f32], 2>::new(&rows);
        tsne.perplexity(perplexity).epochs(EPOCHS).initial_embedding(start);
        tsne.barnes_hut(THETA, |a, b| a.iter().zip(*b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt());
        tsne.embedding()
    };
    // Sums over several threads would be joined in another order each time, and t-SNE magnifies the last bit.
    let flat = match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(fit),
        Err(_) => return vec![[f32::NAN; 2]; rows.len()], // no thread to be had: the caller falls back to PCA
    };
    flat.as_chunks::<2>().0.to_vec()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two groups of points around (±4, 0, 0, ...) with a fixed scatter.
    fn two_groups(n: usize, dim: usize) -> Vec<f32> {
        let scatter = |row: usize, axis: usize| ((row * 7 + axis * 13) as f32 * 0.37).sin();
        let value = |row: usize, axis: usize| {
            let centre = if axis > 0 {
                0.0
            } else if row.is_multiple_of(2) {
                4.0
            } else {
                -4.0
            };
            centre + 0.5 * scatter(row, axis)
        };
        (0..n).flat_map(|row| (0..dim).map(move |axis| value(row, axis))).collect()
    }

    #[test]
    fn the_same_features_give_the_same_bits() {
        let features = two_groups(120, 8);
        let (first, again) = (embed(&features, 8).unwrap(), embed(&features, 8).unwrap());
        assert_eq!(first.0, Placement::Tsne);
        let bits = |points: &[[f32; 2]]| points.iter().flatten().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&first.1), bits(&again.1));
    }

    #[test]
    fn neighbours_stay_neighbours() {
        let features = two_groups(120, 8);
        let (_, points) = embed(&features, 8).unwrap();
        let same_group = (0..points.len()).filter(|&row| {
            let distance = |other: &usize| {
                let [x, y] = points[*other];
                (x - points[row][0]).powi(2) + (y - points[row][1]).powi(2)
            };
            let others = (0..points.len()).filter(|&other| other != row);
            let nearest = others.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap();
            nearest % 2 == row % 2
        });
        assert_eq!(same_group.count(), points.len());
    }

    #[test]
    fn pca_finds_the_axis_of_the_largest_spread() {
        let points = pca(&two_groups(50, 5), 5).unwrap();
        assert!(points.iter().enumerate().all(|(row, p)| (p[0] > 0.0) == (points[0][0] > 0.0) || row % 2 == 1));
        assert!(points.iter().all(|point| point[0].abs() > 3.0 && point[1].abs() < 2.0));
    }

    #[test]
    fn more_dimensions_than_points_are_placed_alike() {
        // The same points, once more with dimensions that do not vary.
        let (few, n) = (two_groups(20, 5), 20);
        let many: Vec<f32> = few.chunks_exact(5).flat_map(|row| row.iter().copied().chain([0.25; 25])).collect();
        let (few, many) = (pca(&few, 5).unwrap(), pca(&many, 30).unwrap());
        for axis in 0..2 {
            let same_sign = few[0][axis] * many[0][axis] > 0.0;
            let sign = if same_sign { 1.0 } else { -1.0 };
            assert!((0..n).all(|row| (few[row][axis] - sign * many[row][axis]).abs() < 1e-5), "axis {axis}");
        }
    }

    #[test]
    fn a_few_points_are_placed_by_pca() {
        assert_eq!(embed(&two_groups(5, 4), 4).unwrap().0, Placement::Pca);
        assert_eq!(embed(&[1.0, 2.0, 3.0], 1).unwrap().1.len(), 3);
    }

    #[test]
    fn features_that_are_all_the_same_have_no_picture() {
        assert!(embed(&[], 4).is_none());
        assert!([1.0, 0.1, 12_345_679.0, 1e-20].iter().all(|&value| embed(&[value; 400], 4).is_none()));
        assert!(embed(&[f32::NAN; 400], 4).is_none());
    }

    #[test]
    fn small_features_are_placed_as_large_ones_are() {
        for scale in [1e-12, 1e12] {
            let features: Vec<f32> = two_groups(40, 4).iter().map(|value| value * scale).collect();
            let (_, points) = embed(&features, 4).unwrap();
            assert!(points.iter().flatten().all(|value| value.is_finite()));
            assert!(points.iter().any(|point| point != &points[0]), "{scale}");
        }
    }

    #[test]
    fn a_crowd_of_equal_rows_among_others_is_no_trouble() {
        let mut features = two_groups(80, 4);
        features[..200].fill(0.0);
        let (_, points) = embed(&features, 4).unwrap();
        assert!(points.iter().flatten().all(|value| value.is_finite()));
    }
}
