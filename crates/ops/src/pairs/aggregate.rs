//! How two feature rows become one row of the head.

use crate::simd::multiversion;

/// How two feature rows become one row of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairAggregation {
    /// `[f_a; f_c]`.
    Cat,
    /// `f_a + f_c`.
    Sum,
    /// `(f_a + f_c) / 2`.
    Mean,
    /// The larger of each component; `f_a` takes the gradient where both are equal.
    Max,
}

multiversion! {
    pub(in crate::pairs) fn maximum(isa, a: &[f32], b: &[f32], to: &mut [f32]) {
        for ((a, b), to) in a.iter().zip(b).zip(to) {
            *to = if *a >= *b { *a } else { *b };
        }
    }
}

multiversion! {
    /// Adds the gradient of [`maximum`] to that of the larger; the first, where both are equal.
    pub(in crate::pairs) fn maximum_gradient(isa, a: &[f32], b: &[f32], d: &[f32], d_a: &mut [f32], d_b: &mut [f32]) {
        for ((((a, b), d), d_a), d_b) in a.iter().zip(b).zip(d).zip(d_a).zip(d_b) {
            let (to_a, to_b) = if *a >= *b { (*d, 0.0) } else { (0.0, *d) };
            *d_a += to_a;
            *d_b += to_b;
        }
    }
}
