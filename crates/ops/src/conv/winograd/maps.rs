//! The one-dimensional maps of minimal filtering F(M, 3): M outputs out of N = M + 2 inputs and three taps in N products,
//! `y = Aᵀ [(G g) ⊙ (Bᵀ d)]`. They evaluate polynomials at N points, infinity among them, multiply there and interpolate (Toom, Cook).
//!
//! F(2, 3) has the points 0, ±1: sums alone. F(4, 3) has 0, ±√½, ±√2: an even and an odd part each, and about half
//! of the rounding error of the usual points 0, ±1, ±2 (docs/NUMERICS.md).

use crate::simd::Simd;
use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

/// How many outputs a tile has along a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tile {
    Two,
    Four,
}

/// The most of these.
pub(super) const LARGEST: usize = 4;

impl Tile {
    pub(super) fn side(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Pixels of its input, as many as it has transformed values.
    pub(super) fn positions(self) -> usize {
        (self.side() + 2).pow(2)
    }
}

/// The maps of F(M, 3), of vectors of values.
pub(super) trait Maps<const M: usize, const N: usize> {
    /// `Bᵀ d`.
    unsafe fn input<S: Simd>(d: [S::V; N]) -> [S::V; N];
    /// `Aᵀ m`.
    unsafe fn output<S: Simd>(m: [S::V; N]) -> [S::V; M];
    /// `A y`: the way of gradients through [`Maps::output`].
    unsafe fn gradient<S: Simd>(y: [S::V; M]) -> [S::V; N];
    /// `G g`.
    unsafe fn filter<S: Simd>(g: [S::V; 3]) -> [S::V; N];
    /// `Gᵀ u`: the way of gradients through [`Maps::filter`].
    unsafe fn filter_gradient<S: Simd>(u: [S::V; N]) -> [S::V; 3];
}

/// F(2, 3).
pub(super) struct OfTwo;

/// F(4, 3).
pub(super) struct OfFour;

// SAFETY (all blocks): the caller of a map has the instruction set.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Maps<2, 4> for OfTwo {
    #[inline(always)]
    unsafe fn input<S: Simd>(d: [S::V; 4]) -> [S::V; 4] {
        unsafe { [S::sub(d[0], d[2]), S::add(d[1], d[2]), S::sub(d[2], d[1]), S::sub(d[1], d[3])] }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; 4]) -> [S::V; 2] {
        unsafe { [S::add(S::add(m[0], m[1]), m[2]), S::sub(S::sub(m[1], m[2]), m[3])] }
    }

    #[inline(always)]
    unsafe fn gradient<S: Simd>(y: [S::V; 2]) -> [S::V; 4] {
        unsafe { [y[0], S::add(y[0], y[1]), S::sub(y[0], y[1]), S::sub(S::zero(), y[1])] }
    }

    #[inline(always)]
    unsafe fn filter<S: Simd>(g: [S::V; 3]) -> [S::V; 4] {
        unsafe {
            let (half, ends) = (S::splat(0.5), S::add(g[0], g[2]));
            [g[0], S::mul(half, S::add(ends, g[1])), S::mul(half, S::sub(ends, g[1])), g[2]]
        }
    }

    #[inline(always)]
    unsafe fn filter_gradient<S: Simd>(u: [S::V; 4]) -> [S::V; 3] {
        unsafe {
            let half = S::splat(0.5);
            let (sum, difference) = (S::mul(half, S::add(u[1], u[2])), S::mul(half, S::sub(u[1], u[2])));
            [S::add(u[0], sum), difference, S::add(sum, u[3])]
        }
    }
}

/// `even + p · odd` and `even - p · odd`: a polynomial at p and -p.
#[inline(always)]
unsafe fn at_both<S: Simd>(p: f32, even: S::V, odd: S::V) -> [S::V; 2] {
    // SAFETY: the caller has the instruction set.
    unsafe { [plus::<S>(p, odd, even), plus::<S>(-p, odd, even)] }
}

/// `to + times · x`.
#[inline(always)]
unsafe fn plus<S: Simd>(times: f32, x: S::V, to: S::V) -> S::V {
    // SAFETY: the caller has the instruction set.
    unsafe { S::fma(S::splat(times), x, to) }
}

/// `times · x`.
#[inline(always)]
unsafe fn scale<S: Simd>(times: f32, x: S::V) -> S::V {
    // SAFETY: the caller has the instruction set.
    unsafe { S::mul(S::splat(times), x) }
}

// With the points 0, a, -a, b, -b, ∞, where a² = 1/2 and b² = 2: Π (x - p) = x⁵ - 5/2 x³ + x, and a row of Bᵀ is that product
// without its point. A row of G is (1, p, p²) by the derivative of the product at p: -3/2 at ±a, 6 at ±b.
// SAFETY (all blocks): the caller of a map has the instruction set.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Maps<4, 6> for OfFour {
    #[inline(always)]
    unsafe fn input<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
        unsafe {
            let [v1, v2] = at_both::<S>(A, plus::<S>(-2.0, d[2], d[4]), plus::<S>(-2.0, d[1], d[3]));
            let [v3, v4] = at_both::<S>(B, plus::<S>(-0.5, d[2], d[4]), plus::<S>(-0.5, d[1], d[3]));
            let (first, last) = (S::add(d[0], d[4]), S::add(d[1], d[5]));
            [plus::<S>(-2.5, d[2], first), v1, v2, v3, v4, plus::<S>(-2.5, d[3], last)]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
        unsafe {
            let (even_a, odd_a) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (even_b, odd_b) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            [
                S::add(m[0], S::add(even_a, even_b)),
                plus::<S>(B, odd_b, scale::<S>(A, odd_a)),
                plus::<S>(2.0, even_b, scale::<S>(0.5, even_a)),
                plus::<S>(2.0 * B, odd_b, plus::<S>(0.5 * A, odd_a, m[5])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn gradient<S: Simd>(y: [S::V; 4]) -> [S::V; 6] {
        unsafe {
            let [m1, m2] = at_both::<S>(A, plus::<S>(0.5, y[2], y[0]), plus::<S>(0.5, y[3], y[1]));
            let [m3, m4] = at_both::<S>(B, plus::<S>(2.0, y[2], y[0]), plus::<S>(2.0, y[3], y[1]));
            [y[0], m1, m2, m3, m4, y[3]]
        }
    }

    #[inline(always)]
    unsafe fn filter<S: Simd>(g: [S::V; 3]) -> [S::V; 6] {
        unsafe {
            let [u1, u2] = at_both::<S>(A, plus::<S>(0.5, g[2], g[0]), g[1]);
            let [u3, u4] = at_both::<S>(B, plus::<S>(2.0, g[2], g[0]), g[1]);
            [
                g[0],
                scale::<S>(1.0 / -1.5, u1),
                scale::<S>(1.0 / -1.5, u2),
                scale::<S>(1.0 / 6.0, u3),
                scale::<S>(1.0 / 6.0, u4),
                g[2],
            ]
        }
    }

    #[inline(always)]
    unsafe fn filter_gradient<S: Simd>(u: [S::V; 6]) -> [S::V; 3] {
        unsafe {
            let (even_a, odd_a) = (scale::<S>(1.0 / -1.5, S::add(u[1], u[2])), scale::<S>(1.0 / -1.5, S::sub(u[1], u[2])));
            let (even_b, odd_b) = (scale::<S>(1.0 / 6.0, S::add(u[3], u[4])), scale::<S>(1.0 / 6.0, S::sub(u[3], u[4])));
            [
                S::add(u[0], S::add(even_a, even_b)),
                plus::<S>(B, odd_b, scale::<S>(A, odd_a)),
                plus::<S>(2.0, even_b, plus::<S>(0.5, even_a, u[5])),
            ]
        }
    }
}
