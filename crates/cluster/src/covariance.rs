use rayon::prelude::*;

/// Pieces that rows are cut into, by their number alone, whose sums are joined in their order.
const PIECES: usize = 16;
/// Rows of the matrix that one task fills.
const BLOCK: usize = 32;

/// First and second moments of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    /// `[D]`.
    pub mean: Vec<f64>,
    /// `[D, D]`, of which the lower triangle is filled: mean products of the rows less their mean (over n, not n − 1).
    pub lower: Vec<f64>,
}

/// Bytes that [`covariance`] takes of rows of `width` at its most: the matrix, and as much again where each of its blocks has a thread.
#[must_use]
pub fn covariance_bytes(width: usize) -> usize {
    2 * width * width * size_of::<f64>()
}

/// Mean and covariance of the rows `[n, width]`, in f64, joined in the order of the rows; zeros where there are none.
#[must_use]
pub fn covariance(values: &[f32], width: usize) -> Covariance {
    let rows = values.len().checked_div(width).unwrap_or(0);
    let mut mean = vec![0.0; width];
    let mut lower = vec![0.0; width * width];
    if rows == 0 {
        return Covariance { mean, lower };
    }
    for row in values.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    mean.iter_mut().for_each(|sum| *sum /= rows as f64);
    let blocks: Vec<_> = lower.chunks_mut(BLOCK * width).enumerate().collect();
    // The last blocks are the longest: they are begun first.
    blocks.into_par_iter().rev().for_each(|(block, lower)| {
        let first = block * BLOCK;
        let columns = first + lower.len() / width;
        let (mut sums, mut centred) = (vec![0.0; lower.len()], vec![0.0; columns]);
        for piece in values.chunks(rows.div_ceil(PIECES) * width) {
            sums.fill(0.0);
            for row in piece.chunks_exact(width) {
                centred.iter_mut().zip(row.iter().zip(&mean)).for_each(|(to, (&value, mean))| *to = f64::from(value) - mean);
                for (i, sums) in (first..).zip(sums.chunks_exact_mut(width)) {
                    let value = centred[i];
                    sums.iter_mut().zip(&centred[..=i]).for_each(|(sum, other)| *sum += value * other);
                }
            }
            lower.iter_mut().zip(&sums).for_each(|(sum, part)| *sum += part);
        }
        lower.iter_mut().for_each(|sum| *sum /= rows as f64);
    });
    Covariance { mean, lower }
}

#[cfg(test)]
mod tests {
    use relata_testkit::hash_uniforms;

    use super::*;

    /// All of the matrix for each piece, one piece after another.
    fn by_pieces(values: &[f32], width: usize) -> Covariance {
        let rows = values.len() / width;
        let mut mean = vec![0.0; width];
        for row in values.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        mean.iter_mut().for_each(|sum| *sum /= rows as f64);
        let mut lower = vec![0.0; width * width];
        for piece in values.chunks(rows.div_ceil(PIECES) * width) {
            let mut sums = vec![0.0; width * width];
            for row in piece.chunks_exact(width) {
                let centred: Vec<f64> = row.iter().zip(&mean).map(|(&value, mean)| f64::from(value) - mean).collect();
                for i in 0..width {
                    (0..=i).for_each(|j| sums[i * width + j] += centred[i] * centred[j]);
                }
            }
            lower.iter_mut().zip(sums).for_each(|(sum, part)| *sum += part);
        }
        lower.iter_mut().for_each(|sum| *sum /= rows as f64);
        Covariance { mean, lower }
    }

    #[test]
    fn blocks_of_the_matrix_have_the_bits_of_the_whole() {
        for (rows, width) in [(1, 1), (5, 3), (40, BLOCK), (33, BLOCK + 1), (130, 3 * BLOCK + 7)] {
            let values: Vec<f32> = hash_uniforms("rows", rows * width).into_iter().map(|value| value as f32 + 3.0).collect();
            assert_eq!(covariance(&values, width), by_pieces(&values, width), "{rows} x {width}");
        }
    }

    #[test]
    fn rows_without_width_have_no_moments() {
        assert_eq!(covariance(&[1.0, 2.0], 0), Covariance { mean: vec![], lower: vec![] });
        assert_eq!(covariance(&[], 2), Covariance { mean: vec![0.0; 2], lower: vec![0.0; 4] });
    }
}
