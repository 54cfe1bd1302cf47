//! The four linear maps around Winograd's products, one row of tiles at a time, channels in the vectors' lanes.
//!
//! Each is separable: the same few sums along columns, then along rows. Positions of a tile's 4 x 4 transformed values
//! are numbered 4 · row + column, and lie `position` floats apart.

// Loops over constants unroll, and their indices become registers.
#![allow(clippy::needless_range_loop)]

use crate::Isa;
#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Level, Portable, Simd};

/// One function for every instruction set, out of a body that is generic over the vector.
macro_rules! by_isa {
    ($(#[$doc:meta])* $name:ident, $body:ident($($arg:ident : $ty:ty),* $(,)?)) => {
        $(#[$doc])*
        pub(super) unsafe fn $name(isa: Isa, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: the caller's promise is passed on.
                unsafe { $body::<Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: the caller's promise is passed on.
                unsafe { $body::<Avx2>($($arg),*) }
            }
            // SAFETY: an `Isa` of a level exists only where the processor has it; buffers are the caller's promise.
            unsafe {
                match isa.level() {
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => avx2($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    Level::Neon => $body::<Neon>($($arg),*),
                    Level::Portable => $body::<Portable>($($arg),*),
                }
            }
        }
    };
}

by_isa!(
    /// `V = Bᵀ d B` of a row of input tiles, 4 x 4 pixels each, two pixels apart. `rows` are the four pixel rows, each
    /// from column -1 on; columns beyond `width` (the first of the right halo) are read as that one, for nothing that
    /// is kept depends on them. The next row of tiles lies `next` floats further; its pixels are asked for in advance.
    ///
    /// # Safety
    /// Each of `rows` holds `width + 2` pixels of `channels` floats, a multiple of the vector's lanes; `out` holds 16
    /// positions of `width / 2` (rounded up) tiles.
    input_tiles, input_body(
        rows: [*const f32; 4], next: usize, width: usize, channels: usize, out: *mut f32, position: usize,
    )
);

#[inline(always)]
unsafe fn input_body<S: Simd>(rows: [*const f32; 4], next: usize, width: usize, channels: usize, out: *mut f32, position: usize) {
    for c in (0..channels).step_by(S::LANES) {
        // SAFETY: as `input_tiles`.
        unsafe {
            let column = |x: usize| {
                let d = rows.map(|row| S::load(row.add(x * channels + c)));
                [S::sub(d[0], d[2]), S::add(d[1], d[2]), S::sub(d[2], d[1]), S::sub(d[1], d[3])]
            };
            // Two columns of a tile are the next one's first two.
            let (mut d0, mut d1) = (column(0), column(1));
            for tile in 0..width.div_ceil(2) {
                let (d2, d3) = (column(2 * tile + 2), column((2 * tile + 3).min(width + 1)));
                for row in [rows[2], rows[3]] {
                    let ahead = row.wrapping_add(next + 2 * tile * channels + c);
                    S::prefetch(ahead);
                    S::prefetch(ahead.wrapping_add(channels));
                }
                let to = out.add(tile * channels + c);
                for i in 0..4 {
                    let to = to.add(4 * i * position);
                    S::store(to, S::sub(d0[i], d2[i]));
                    S::store(to.add(position), S::add(d1[i], d2[i]));
                    S::store(to.add(2 * position), S::sub(d2[i], d1[i]));
                    S::store(to.add(3 * position), S::sub(d1[i], d3[i]));
                }
                (d0, d1) = (d2, d3);
            }
        }
    }
}

/// Where a row of output tiles goes.
#[derive(Clone, Copy)]
pub(super) struct OutputRow {
    /// Pixel 0 of its upper row of pixels.
    pub(super) at: *mut f32,
    /// Floats to its lower row; `None` where an odd height left that out.
    pub(super) lower: Option<usize>,
    /// Floats between pixels.
    pub(super) x_step: usize,
    pub(super) width: usize,
    /// Whether the result is added to what stands there.
    pub(super) accumulate: bool,
}

by_isa!(
    /// `Y = Aᵀ M A` of a row of tiles, 2 x 2 pixels each. `sums`, where asked for, are two rows of `channels` floats to
    /// which the outputs and their squares are added.
    ///
    /// # Safety
    /// `tiles` holds 16 positions of `width / 2` (rounded up) tiles of `channels` floats, a multiple of the vector's
    /// lanes; the output row's pixels lie in a buffer of the caller's alone.
    output_tiles, output_body(
        tiles: *const f32, position: usize, channels: usize, row: OutputRow, sums: Option<(*mut f32, *mut f32)>,
    )
);

#[inline(always)]
unsafe fn output_body<S: Simd>(
    tiles: *const f32,
    position: usize,
    channels: usize,
    row: OutputRow,
    sums: Option<(*mut f32, *mut f32)>,
) {
    for c in (0..channels).step_by(S::LANES) {
        // SAFETY: as `output_tiles`.
        unsafe {
            let (mut sum, mut square) = (S::zero(), S::zero());
            let mut keep = |y: S::V, to: *mut f32| {
                S::store(to, if row.accumulate { S::add(y, S::load(to)) } else { y });
                sum = S::add(sum, y);
                square = S::fma(y, y, square);
            };
            for tile in 0..row.width.div_ceil(2) {
                let from = tiles.add(tile * channels + c);
                let (mut upper, mut lower) = ([S::zero(); 4], [S::zero(); 4]);
                for j in 0..4 {
                    let m = [0, 1, 2, 3].map(|i| S::load(from.add((4 * i + j) * position)));
                    upper[j] = S::add(S::add(m[0], m[1]), m[2]);
                    lower[j] = S::sub(S::sub(m[1], m[2]), m[3]);
                }
                let pair = |r: [S::V; 4]| (S::add(S::add(r[0], r[1]), r[2]), S::sub(S::sub(r[1], r[2]), r[3]));
                let (upper, lower) = (pair(upper), pair(lower));
                let whole = 2 * tile + 1 < row.width;
                let to = row.at.add(2 * tile * row.x_step + c);
                keep(upper.0, to);
                if whole {
                    keep(upper.1, to.add(row.x_step));
                }
                if let Some(down) = row.lower {
                    keep(lower.0, to.add(down));
                    if whole {
                        keep(lower.1, to.add(down + row.x_step));
                    }
                }
            }
            if let Some((to_sum, to_square)) = sums {
                let (to_sum, to_square) = (to_sum.add(c), to_square.add(c));
                S::store(to_sum, S::add(S::load(to_sum), sum));
                S::store(to_square, S::add(S::load(to_square), square));
            }
        }
    }
}

by_isa!(
    /// `A dY Aᵀ` of a row of output gradients, 2 x 2 pixels a tile: what the products' gradients are. `lower` is `None`
    /// where an odd height left that row out; pixels left out count as zero.
    ///
    /// # Safety
    /// `upper` and `lower` hold `width` pixels, `x_step` floats apart, of which the first `channels` (a multiple of the
    /// vector's lanes) are taken; `out` holds 16 positions of `width / 2` (rounded up) tiles.
    gradient_tiles, gradient_body(
        upper: *const f32, lower: Option<*const f32>, width: usize, x_step: usize, channels: usize, out: *mut f32, position: usize,
    )
);

#[inline(always)]
unsafe fn gradient_body<S: Simd>(
    upper: *const f32,
    lower: Option<*const f32>,
    width: usize,
    x_step: usize,
    channels: usize,
    out: *mut f32,
    position: usize,
) {
    for c in (0..channels).step_by(S::LANES) {
        for tile in 0..width.div_ceil(2) {
            // SAFETY: as `gradient_tiles`.
            unsafe {
                let left = 2 * tile * x_step + c;
                let pair = |row: *const f32| {
                    let right = if 2 * tile + 1 < width { S::load(row.add(left + x_step)) } else { S::zero() };
                    (S::load(row.add(left)), right)
                };
                let zero = S::zero();
                let (u, l) = (pair(upper), lower.map_or((zero, zero), pair));
                let rows = [
                    u,
                    (S::add(u.0, l.0), S::add(u.1, l.1)),
                    (S::sub(u.0, l.0), S::sub(u.1, l.1)),
                    (S::sub(zero, l.0), S::sub(zero, l.1)),
                ];
                let to = out.add(tile * channels + c);
                for (i, (a, b)) in rows.into_iter().enumerate() {
                    let to = to.add(4 * i * position);
                    S::store(to, a);
                    S::store(to.add(position), S::add(a, b));
                    S::store(to.add(2 * position), S::sub(a, b));
                    S::store(to.add(3 * position), S::sub(zero, b));
                }
            }
        }
    }
}

by_isa!(
    /// `U = G g Gᵀ` of `lanes` filters at once: `taps` are the nine weights of a filter, row by row.
    ///
    /// # Safety
    /// Each tap holds `lanes` floats, a multiple of the vector's; `out` holds 16 positions.
    filter_tiles, filter_body(taps: [*const f32; 9], lanes: usize, out: *mut f32, position: usize)
);

#[inline(always)]
unsafe fn filter_body<S: Simd>(taps: [*const f32; 9], lanes: usize, out: *mut f32, position: usize) {
    for c in (0..lanes).step_by(S::LANES) {
        // SAFETY: as `filter_tiles`.
        unsafe {
            let mut columns = [[S::zero(); 4]; 3];
            for x in 0..3 {
                let [upper, middle, lower] = [taps[x], taps[3 + x], taps[6 + x]];
                columns[x] = four_of::<S>(S::load(upper.add(c)), S::load(middle.add(c)), S::load(lower.add(c)));
            }
            for i in 0..4 {
                let row = four_of::<S>(columns[0][i], columns[1][i], columns[2][i]);
                for j in 0..4 {
                    S::store(out.add((4 * i + j) * position + c), row[j]);
                }
            }
        }
    }
}

/// `G` times three values.
#[inline(always)]
unsafe fn four_of<S: Simd>(g0: S::V, g1: S::V, g2: S::V) -> [S::V; 4] {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let (half, ends) = (S::splat(0.5), S::add(g0, g2));
        [g0, S::mul(half, S::add(ends, g1)), S::mul(half, S::sub(ends, g1)), g2]
    }
}

by_isa!(
    /// `dg = Gᵀ dU G` of `lanes` filters at once, the way back from [`filter_tiles`].
    ///
    /// # Safety
    /// As [`filter_tiles`], with `taps` written and the positions read.
    filter_gradients, filter_gradient_body(tiles: *const f32, position: usize, lanes: usize, taps: [*mut f32; 9])
);

#[inline(always)]
unsafe fn filter_gradient_body<S: Simd>(tiles: *const f32, position: usize, lanes: usize, taps: [*mut f32; 9]) {
    for c in (0..lanes).step_by(S::LANES) {
        // SAFETY: as `filter_gradients`.
        unsafe {
            let mut columns = [[S::zero(); 3]; 4];
            for j in 0..4 {
                let mut u = [S::zero(); 4];
                for i in 0..4 {
                    u[i] = S::load(tiles.add((4 * i + j) * position + c));
                }
                columns[j] = three_of::<S>(u);
            }
            for y in 0..3 {
                let row = three_of::<S>([columns[0][y], columns[1][y], columns[2][y], columns[3][y]]);
                for x in 0..3 {
                    S::store(taps[3 * y + x].add(c), row[x]);
                }
            }
        }
    }
}

/// `Gᵀ` times four values.
#[inline(always)]
unsafe fn three_of<S: Simd>(u: [S::V; 4]) -> [S::V; 3] {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let half = S::splat(0.5);
        let (sum, difference) = (S::mul(half, S::add(u[1], u[2])), S::mul(half, S::sub(u[1], u[2])));
        [S::add(u[0], sum), difference, S::add(sum, u[3])]
    }
}
