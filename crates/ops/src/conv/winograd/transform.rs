//! The linear maps around Winograd's products, one row of tiles at a time, channels in the vectors' lanes.
//!
//! Each is separable: the same few sums (`maps.rs`) along columns, then along rows. Positions of a tile's N x N transformed values
//! are numbered N · row + column, and lie `position` floats apart.

// Loops over constants unroll, and their indices become registers.
#![allow(clippy::needless_range_loop)]

use super::maps::{LARGEST, Maps, OfFour, OfTwo, Tile};
use crate::Isa;
use crate::conv::geometry::Store;
#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{LINE, Level, Portable, Simd};

/// One function for every instruction set and tile, out of a body that is generic over the vector and the tile's maps.
macro_rules! by_isa {
    ($(#[$doc:meta])* $name:ident, $body:ident($($arg:ident : $ty:ty),* $(,)?)) => {
        $(#[$doc])*
        pub(super) unsafe fn $name((isa, tile): (Isa, Tile), $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
            unsafe fn avx512<T: Maps<M, N>, const M: usize, const N: usize>($($arg: $ty),*) {
                // SAFETY: the caller's promise is passed on.
                unsafe { $body::<Avx512, T, M, N>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2<T: Maps<M, N>, const M: usize, const N: usize>($($arg: $ty),*) {
                // SAFETY: the caller's promise is passed on.
                unsafe { $body::<Avx2, T, M, N>($($arg),*) }
            }
            // SAFETY: an `Isa` of a level exists only where the processor has it; buffers are the caller's promise.
            unsafe {
                match (isa.level(), tile) {
                    #[cfg(target_arch = "x86_64")]
                    (Level::Avx512, Tile::Two) => avx512::<OfTwo, 2, 4>($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    (Level::Avx512, Tile::Four) => avx512::<OfFour, 4, 6>($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    (Level::Avx2, Tile::Two) => avx2::<OfTwo, 2, 4>($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    (Level::Avx2, Tile::Four) => avx2::<OfFour, 4, 6>($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    (Level::Neon, Tile::Two) => $body::<Neon, OfTwo, 2, 4>($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    (Level::Neon, Tile::Four) => $body::<Neon, OfFour, 4, 6>($($arg),*),
                    (Level::Portable, Tile::Two) => $body::<Portable, OfTwo, 2, 4>($($arg),*),
                    (Level::Portable, Tile::Four) => $body::<Portable, OfFour, 4, 6>($($arg),*),
                }
            }
        }
    };
}

by_isa!(
    /// `V = Bᵀ d B` of a row of input tiles, N x N pixels each, M pixels apart. `rows` are the N pixel rows, each
    /// from column -1 on; columns beyond `width` (the first of the right halo) are read as that one, for nothing that
    /// is kept depends on them. The next row of tiles lies `next` floats further; its pixels are prefetched.
    ///
    /// # Safety
    /// Each of the first N `rows` holds `width + 2` pixels of `channels` floats, a multiple of the vector's lanes; `out` holds N·N
    /// positions of `width / M` (rounded up) tiles.
    input_tiles, input_body(
        rows: [*const f32; LARGEST + 2], next: usize, width: usize, channels: usize, out: *mut f32, position: usize,
    )
);

/// A column of a tile, through the first of its maps.
#[inline(always)]
unsafe fn input_column<S: Simd, T: Maps<M, N>, const M: usize, const N: usize>(
    rows: &[*const f32; LARGEST + 2],
    at: usize,
) -> [S::V; N] {
    // SAFETY: as `input_tiles`.
    unsafe {
        let mut d = [S::zero(); N];
        for i in 0..N {
            d[i] = S::load(rows[i].add(at));
        }
        T::input::<S>(d)
    }
}

#[inline(always)]
unsafe fn input_body<S: Simd, T: Maps<M, N>, const M: usize, const N: usize>(
    rows: [*const f32; LARGEST + 2],
    next: usize,
    width: usize,
    channels: usize,
    out: *mut f32,
    position: usize,
) {
    for c in (0..channels).step_by(S::LANES) {
        // SAFETY: as `input_tiles`.
        unsafe {
            // Two columns of a tile are the next one's first two.
            let mut columns = [[S::zero(); N]; N];
            for x in 0..2 {
                columns[x] = input_column::<S, T, M, N>(&rows, x * channels + c);
            }
            for tile in 0..width.div_ceil(M) {
                for x in 2..N {
                    columns[x] = input_column::<S, T, M, N>(&rows, (M * tile + x).min(width + 1) * channels + c);
                }
                for row in &rows[2..N] {
                    for x in 0..M {
                        S::prefetch(row.wrapping_add(next + (M * tile + x) * channels + c));
                    }
                }
                let to = out.add(tile * channels + c);
                for i in 0..N {
                    let mut d = [S::zero(); N];
                    for x in 0..N {
                        d[x] = columns[x][i];
                    }
                    let values = T::input::<S>(d);
                    for j in 0..N {
                        S::store(to.add((N * i + j) * position), values[j]);
                    }
                }
                (columns[0], columns[1]) = (columns[M], columns[M + 1]);
            }
        }
    }
}

/// Where a row of output tiles goes.
#[derive(Clone, Copy)]
pub(super) struct OutputRow {
    /// Pixel 0 of its first row of pixels.
    pub(super) at: *mut f32,
    /// Rows of pixels; fewer than a tile's at the lower border.
    pub(super) rows: usize,
    /// Floats between rows and between pixels.
    pub(super) y_step: usize,
    pub(super) x_step: usize,
    pub(super) width: usize,
    pub(super) store: Store,
}

by_isa!(
    /// `Y = Aᵀ M A` of a row of tiles, M x M pixels each. `sums`, where given, are two rows of `channels` floats to
    /// which the outputs and their squares are added.
    ///
    /// # Safety
    /// `tiles` holds N·N positions of `width / M` (rounded up) tiles of `channels` floats, a multiple of the vector's
    /// lanes; the output row's pixels lie in a buffer of the caller's alone.
    output_tiles, output_body(
        tiles: *const f32, position: usize, channels: usize, row: OutputRow, sums: Option<(*mut f32, *mut f32)>,
    )
);

#[inline(always)]
unsafe fn output_body<S: Simd, T: Maps<M, N>, const M: usize, const N: usize>(
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
            for tile in 0..row.width.div_ceil(M) {
                let from = tiles.add(tile * channels + c);
                let mut rows = [[S::zero(); N]; M];
                for j in 0..N {
                    let mut m = [S::zero(); N];
                    for i in 0..N {
                        m[i] = S::load(from.add((N * i + j) * position));
                    }
                    let column = T::output::<S>(m);
                    for y in 0..M {
                        rows[y][j] = column[y];
                    }
                }
                let to = row.at.add(M * tile * row.x_step + c);
                for y in 0..M.min(row.rows) {
                    let pixels = T::output::<S>(rows[y]);
                    for x in 0..M.min(row.width - M * tile) {
                        let (value, to) = (pixels[x], to.add(y * row.y_step + x * row.x_step));
                        match row.store {
                            // A non-temporal store of a part of a line is slower than an ordinary one.
                            Store::NonTemporal if S::LANES == LINE => S::stream(to, value),
                            Store::Accumulate => S::store(to, S::add(value, S::load(to))),
                            _ => S::store(to, value),
                        }
                        sum = S::add(sum, value);
                        square = S::fma(value, value, square);
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
    /// `A dY Aᵀ` of a row of output gradients, M x M pixels a tile: what the products' gradients are. Of `rows` the first `count`
    /// are there, fewer than M at the lower border; pixels left out count as zero.
    ///
    /// # Safety
    /// Each of `rows` that is there holds `width` pixels, `x_step` floats apart, of which the first `channels` (a multiple of the
    /// vector's lanes) are taken; `out` holds N·N positions of `width / M` (rounded up) tiles.
    gradient_tiles, gradient_body(
        rows: [*const f32; LARGEST], count: usize, width: usize, x_step: usize, channels: usize, out: *mut f32, position: usize,
    )
);

#[inline(always)]
unsafe fn gradient_body<S: Simd, T: Maps<M, N>, const M: usize, const N: usize>(
    rows: [*const f32; LARGEST],
    count: usize,
    width: usize,
    x_step: usize,
    channels: usize,
    out: *mut f32,
    position: usize,
) {
    for c in (0..channels).step_by(S::LANES) {
        for tile in 0..width.div_ceil(M) {
            // SAFETY: as `gradient_tiles`.
            unsafe {
                let mut columns = [[S::zero(); N]; M];
                for x in 0..M {
                    let mut d = [S::zero(); M];
                    if M * tile + x < width {
                        for y in 0..M {
                            if y < count {
                                d[y] = S::load(rows[y].add((M * tile + x) * x_step + c));
                            }
                        }
                    }
                    columns[x] = T::gradient::<S>(d);
                }
                let to = out.add(tile * channels + c);
                for i in 0..N {
                    let mut d = [S::zero(); M];
                    for x in 0..M {
                        d[x] = columns[x][i];
                    }
                    let values = T::gradient::<S>(d);
                    for j in 0..N {
                        S::store(to.add((N * i + j) * position), values[j]);
                    }
                }
            }
        }
    }
}

by_isa!(
    /// `U = G g Gᵀ` of `lanes` filters at once: `taps` are the nine weights of a filter, row by row.
    ///
    /// # Safety
    /// Each tap holds `lanes` floats, a multiple of the vector's; `out` holds N·N positions.
    filter_tiles, filter_body(taps: [*const f32; 9], lanes: usize, out: *mut f32, position: usize)
);

#[inline(always)]
unsafe fn filter_body<S: Simd, T: Maps<M, N>, const M: usize, const N: usize>(
    taps: [*const f32; 9],
    lanes: usize,
    out: *mut f32,
    position: usize,
) {
    for c in (0..lanes).step_by(S::LANES) {
        // SAFETY: as `filter_tiles`.
        unsafe {
            let mut columns = [[S::zero(); N]; 3];
            for x in 0..3 {
                let [upper, middle, lower] = [taps[x], taps[3 + x], taps[6 + x]];
                columns[x] = T::filter::<S>([S::load(upper.add(c)), S::load(middle.add(c)), S::load(lower.add(c))]);
            }
            for i in 0..N {
                let row = T::filter::<S>([columns[0][i], columns[1][i], columns[2][i]]);
                for j in 0..N {
                    S::store(out.add((N * i + j) * position + c), row[j]);
                }
            }
        }
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
unsafe fn filter_gradient_body<S: Simd, T: Maps<M, N>, const M: usize, const N: usize>(
    tiles: *const f32,
    position: usize,
    lanes: usize,
    taps: [*mut f32; 9],
) {
    for c in (0..lanes).step_by(S::LANES) {
        // SAFETY: as `filter_gradients`.
        unsafe {
            let mut columns = [[S::zero(); 3]; N];
            for j in 0..N {
                let mut u = [S::zero(); N];
                for i in 0..N {
                    u[i] = S::load(tiles.add((N * i + j) * position + c));
                }
                columns[j] = T::filter_gradient::<S>(u);
            }
            for y in 0..3 {
                let mut u = [S::zero(); N];
                for j in 0..N {
                    u[j] = columns[j][y];
                }
                let row = T::filter_gradient::<S>(u);
                for x in 0..3 {
                    S::store(taps[3 * y + x].add(c), row[x]);
                }
            }
        }
    }
}
