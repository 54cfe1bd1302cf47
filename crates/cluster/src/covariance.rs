use rayon::prelude::*;

/// Pieces that rows are cut into, by their number alone.
const PIECES: usize = 16;

/// First and second moments of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    /// `[D]`.
    pub mean: Vec<f64>,
    /// `[D, D]`, of which the lower triangle is filled: mean products of the rows less their mean (over n, not n − 1).
    pub lower: Vec<f64>,
}

/// Bytes that [`covariance`] takes of rows of `width` at its most: a matrix a piece.
#[must_use]
pub fn covariance_bytes(width: usize) -> usize {
    PIECES * width * width * size_of::<f64>()
}

/// Mean and covariance of the rows `[n, width]`, in f64, joined in the order of the rows; zeros where there are none.
#[must_use]
pub fn covariance(values: &[f32], width: usize) -> Covariance {
    let rows = values.len() / width.max(1);
    let mut mean = vec![0.0; width];
    if rows == 0 {
        return Covariance { mean, lower: vec![0.0; width * width] };
    }
    for row in values.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    mean.iter_mut().for_each(|sum| *sum /= rows as f64);
    let piece = |values: &[f32]| {
        let mut sums = vec![0.0; width * width];
        let mut centred = vec![0.0; width];
        for row in values.chunks_exact(width) {
            centred.iter_mut().zip(row.iter().zip(&mean)).for_each(|(to, (&value, mean))| *to = f64::from(value) - mean);
            for (i, &value) in centred.iter().enumerate() {
                sums[i * width..=i * width + i].iter_mut().zip(&centred).for_each(|(sum, other)| *sum += value * other);
            }
        }
        sums
    };
    let pieces: Vec<Vec<f64>> = values.par_chunks(rows.div_ceil(PIECES) * width).map(piece).collect();
    let mut pieces = pieces.into_iter();
    let mut lower = pieces.next().unwrap_or_default();
    for piece in pieces {
        lower.iter_mut().zip(piece).for_each(|(sum, part)| *sum += part);
    }
    lower.iter_mut().for_each(|sum| *sum /= rows as f64);
    Covariance { mean, lower }
}
