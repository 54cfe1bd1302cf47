//! Rows divided by their length, as PyTorch's `normalize` and `cosine_similarity` do it, and the way back:
//!
//! `u = x / max(|x|, shortest)`, `d_x = (d_u − u · (u·d_u)) / max(|x|, shortest)`
//!
//! where a row shorter than the shortest is only scaled, so that `u·d_u` is left out. Lengths and products are in f64.

#[cfg(test)]
mod tests;

/// Division of rows `[N, D]` by their length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct L2Normalise {
    /// D.
    pub width: usize,
    /// Shorter rows count as this long. PyTorch's `normalize` has 1e-12, its `cosine_similarity` 1e-8.
    pub shortest: f64,
}

impl L2Normalise {
    /// Writes the rows of `x`, divided by their length, to `u`, and the lengths, `[N]`, to `lengths` for the way back.
    pub fn forward(&self, x: &[f32], u: &mut [f32], lengths: &mut [f64]) {
        for ((x, u), length) in x.chunks_exact(self.width).zip(u.chunks_exact_mut(self.width)).zip(lengths) {
            *length = self.length(x);
            let scale = 1.0 / length.max(self.shortest);
            u.iter_mut().zip(x).for_each(|(u, x)| *u = (f64::from(*x) * scale) as f32);
        }
    }

    /// Divides the rows of `x` by their length, in their place.
    pub fn in_place(&self, x: &mut [f32]) {
        for x in x.chunks_exact_mut(self.width) {
            let scale = 1.0 / self.length(x).max(self.shortest);
            x.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
        }
    }

    /// Turns `d`, the gradient of `u` up to the factor `slope`, into that of the rows themselves, in its place; `u` and `lengths` are what
    /// [`L2Normalise::forward`] wrote.
    pub fn backward(&self, u: &[f32], lengths: &[f64], slope: f64, d: &mut [f32]) {
        for ((u, d), length) in u.chunks_exact(self.width).zip(d.chunks_exact_mut(self.width)).zip(lengths) {
            let along: f64 = u.iter().zip(&*d).map(|(u, d)| f64::from(*u) * f64::from(*d)).sum();
            // A row shorter than the shortest is only scaled, so that its length counts too.
            let along = if *length < self.shortest { 0.0 } else { along };
            let scale = slope / length.max(self.shortest);
            d.iter_mut().zip(u).for_each(|(d, u)| *d = (scale * (f64::from(*d) - f64::from(*u) * along)) as f32);
        }
    }

    fn length(&self, x: &[f32]) -> f64 {
        x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
    }
}
