use rayon::prelude::*;
use relata_ops::{Isa, MatRef, matmul_transposed, symmetric_eigenvectors};

use crate::covariance;

/// PCA whitening of the rows `[n, width]`: `y_k = v_k · (x − mean) / sqrt(lambda_k)`, with the `components` largest eigenvalues lambda
/// (over n − 1, as scikit-learn's `PCA(whiten=True)`) of the covariance and their eigenvectors v, largest first; the result
/// is `[n, components]`. A direction in which the rows do not vary, its eigenvalue being no more than rounding leaves, is 0.
///
/// Eigenvectors are those of [`symmetric_eigenvectors`]: in f64, their signs fixed. At most `width` components are made.
#[must_use]
pub fn whiten(values: &[f32], width: usize, components: usize, isa: Isa) -> Vec<f32> {
    let rows = values.len() / width.max(1);
    let components = components.min(width);
    if rows == 0 || components == 0 {
        return Vec::new();
    }
    let mut moments = covariance(values, width);
    let (variances, vectors) = symmetric_eigenvectors(&mut moments.lower, width);
    // Features are f32: below this share of the largest variance a direction holds their rounding and nothing else.
    let bar = variances[0].max(0.0) * f64::from(f32::EPSILON).powi(2) * width as f64;
    let unbiased = rows as f64 / (rows as f64 - 1.0).max(1.0);
    let mut scaled = Vec::with_capacity(components * width);
    for (vector, &variance) in vectors.chunks_exact(width).zip(&variances).take(components) {
        let scale = if variance > bar { 1.0 / (variance * unbiased).sqrt() } else { 0.0 };
        scaled.extend(vector.iter().map(|v| (v * scale) as f32));
    }
    let mut centred = values.to_vec();
    centred.par_chunks_exact_mut(width).for_each(|row| {
        row.iter_mut().zip(&moments.mean).for_each(|(x, mean)| *x = (f64::from(*x) - mean) as f32);
    });
    let mut white = vec![0.0; rows * components];
    matmul_transposed(isa, MatRef::new(&centred, rows, width), MatRef::new(&scaled, components, width), &mut white, false);
    white
}
