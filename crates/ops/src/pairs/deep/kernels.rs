//! The inner loops of [`super::DeepPairHead`] apart from its matrix products: over whole rows, channels innermost.

use crate::pairs::{SLOPE, leaky};
use crate::simd::multiversion;

multiversion! {
    /// Overwrites `sums [2][Hd]` with those of `h − origin` and of its square.
    pub(super) fn moments(isa, h: &[f32], origin: &[f32], sums: &mut [f64]) {
        sums.fill(0.0);
        let (sum, squares) = sums.split_at_mut(origin.len());
        for h in h.chunks_exact(origin.len()) {
            for (((h, origin), sum), square) in h.iter().zip(origin).zip(&mut *sum).zip(&mut *squares) {
                let x = f64::from(*h) - f64::from(*origin);
                *sum += x;
                *square += x * x;
            }
        }
    }
}

multiversion! {
    /// `x̂ = (h − mean) · inv_std` in the place of h.
    pub(super) fn standardise(isa, mean: &[f64], inv_std: &[f64], h: &mut [f32]) {
        for h in h.chunks_exact_mut(mean.len()) {
            for ((h, mean), inv_std) in h.iter_mut().zip(mean).zip(inv_std) {
                *h = ((f64::from(*h) - mean) * inv_std) as f32;
            }
        }
    }
}

multiversion! {
    /// `y = LeakyReLU(gamma · x̂ + beta)`.
    pub(super) fn activate(isa, x: &[f32], gamma: &[f32], beta: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks_exact(gamma.len()).zip(y.chunks_exact_mut(gamma.len())) {
            for (((x, gamma), beta), y) in x.iter().zip(gamma).zip(beta).zip(y) {
                *y = leaky(gamma * x + beta);
            }
        }
    }
}

multiversion! {
    /// From the gradient of y in `d` to that of `u = gamma · x̂ + beta`; overwrites `sums [2][Hd]` with `Σ d_u` and `Σ d_u · x̂`.
    pub(super) fn activation_gradient(isa, x: &[f32], gamma: &[f32], beta: &[f32], d: &mut [f32], sums: &mut [f64]) {
        sums.fill(0.0);
        let (sum, products) = sums.split_at_mut(gamma.len());
        for (x, d) in x.chunks_exact(gamma.len()).zip(d.chunks_exact_mut(gamma.len())) {
            let affine = gamma.iter().zip(beta);
            let totals = sum.iter_mut().zip(&mut *products);
            for (((x, (gamma, beta)), d), (sum, product)) in x.iter().zip(affine).zip(d).zip(totals) {
                *d *= if gamma * x + beta > 0.0 { 1.0 } else { SLOPE };
                *sum += f64::from(*d);
                *product += f64::from(*d) * f64::from(*x);
            }
        }
    }
}

multiversion! {
    /// From the gradient of u in `d` to that of h: `gamma · inv_std · (d_u − mean of d_u − x̂ · mean of d_u · x̂)`, the means over
    /// the rows in `means [2][Hd]`.
    pub(super) fn norm_gradient(isa, x: &[f32], gamma: &[f32], inv_std: &[f64], means: &[f64], d: &mut [f32]) {
        let (mean, of_product) = means.split_at(gamma.len());
        for (x, d) in x.chunks_exact(gamma.len()).zip(d.chunks_exact_mut(gamma.len())) {
            let scales = gamma.iter().zip(inv_std);
            let means = mean.iter().zip(of_product);
            for (((x, (gamma, inv_std)), (mean, of_product)), d) in x.iter().zip(scales).zip(means).zip(d) {
                *d = (f64::from(*gamma) * inv_std * (f64::from(*d) - mean - f64::from(*x) * of_product)) as f32;
            }
        }
    }
}
