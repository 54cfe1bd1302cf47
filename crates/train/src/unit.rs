//! Vectors divided by their norms, and the way back: `u = z / |z|`, `d_z = (d_u − u · (u·d_u)) / |z|`.

/// Norms below it count as it, as in PyTorch's `cosine_similarity`.
const SMALLEST_NORM: f64 = 1e-8;

/// Every row of `z`, `[rows, width]`, divided by its norm; the norms are kept for the way back.
pub(crate) fn unit_rows(z: &[f32], width: usize, u: &mut [f32], norms: &mut [f64]) {
    for ((z, u), norm) in z.chunks_exact(width).zip(u.chunks_exact_mut(width)).zip(norms) {
        *norm = z.iter().map(|z| f64::from(*z).powi(2)).sum::<f64>().sqrt();
        let scale = 1.0 / norm.max(SMALLEST_NORM);
        u.iter_mut().zip(z).for_each(|(u, z)| *u = (f64::from(*z) * scale) as f32);
    }
}

/// Turns the gradient by the unit rows, up to the factor `slope`, into that by the rows themselves, in its place.
pub(crate) fn back_through_unit(u: &[f32], width: usize, norms: &[f64], slope: f64, d: &mut [f32]) {
    for ((u, d), norm) in u.chunks_exact(width).zip(d.chunks_exact_mut(width)).zip(norms) {
        let along: f64 = u.iter().zip(&*d).map(|(u, d)| f64::from(*u) * f64::from(*d)).sum();
        // A vector shorter than the smallest norm is only scaled, so that its length counts too.
        let along = if *norm < SMALLEST_NORM { 0.0 } else { along };
        let scale = slope / norm.max(SMALLEST_NORM);
        d.iter_mut().zip(u).for_each(|(d, u)| *d = (scale * (f64::from(*d) - f64::from(*u) * along)) as f32);
    }
}
