//! The register tile of forward passes and data gradients, compiled for each block of output channels (`block.rs`).
//!
//! As in BLIS, a tile is MR x NR: MR output pixels and NR output channels, which stay in registers over the whole depth, the kernel
//! window. NR is NR_REGS vectors. In NHWC the window's taps of one row, and their channels, lie side by side, so the depth is `rows`
//! runs of `run` floats; each float is broadcast and multiplied with NR_REGS vectors of weights.

// MR and NR_REGS are constants: their loops unroll, and the indices become registers.
#![allow(clippy::needless_range_loop)]

use super::block::{Block, by_block};
use super::geometry::{Correlation, Store};
use super::prefetch::{BY_PIECES, BY_PIXELS, BY_ROWS, NO_PREFETCH, PrefetchMode, PrefetchPlan, piece_floats, prefetch};
use crate::simd::{LINE, Simd};

/// [`Store`] as a constant.
type StoreMode = u8;
const OVERWRITE: StoreMode = 0;
const ACCUMULATE: StoreMode = 1;
const NON_TEMPORAL: StoreMode = 2;

/// What the tiles of one layer work by: which floats they multiply, and beside that what they prefetch meanwhile.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TilePlan {
    pub(crate) geometry: Correlation,
    prefetch: PrefetchPlan,
}

impl TilePlan {
    /// For tiles of `block` that prefetch.
    pub(super) fn with_prefetch(block: Block, geometry: Correlation) -> Self {
        Self { geometry, prefetch: PrefetchPlan::new(block, &geometry) }
    }

    /// The same with another [`Store`].
    pub(super) fn storing(self, store: Store) -> Self {
        Self { geometry: Correlation { store, ..self.geometry }, ..self }
    }
}

/// Tiles that prefetch nothing.
impl From<Correlation> for TilePlan {
    fn from(geometry: Correlation) -> Self {
        Self { geometry, prefetch: PrefetchPlan::default() }
    }
}

/// The first `lanes` channels of a pixel. Apart, for tiles of whole blocks to keep their registers.
#[cold]
#[inline(never)]
unsafe fn store_some<S: Simd, const NR_REGS: usize>(pixel: [S::V; NR_REGS], to: *mut f32, lanes: usize, add: bool) {
    // SAFETY: a pixel is NR_REGS vectors of floats; the caller's buffer holds `lanes`.
    unsafe {
        let from = pixel.as_ptr().cast::<f32>();
        for lane in 0..lanes {
            let (value, to) = (*from.add(lane), to.add(lane));
            *to = if add { *to + value } else { value };
        }
    }
}

/// One tile of MR x NR: MR output pixels, MR / ROWS side by side on each of ROWS output rows, and NR_REGS vectors of output channels, of
/// which the first `lanes` channels are stored. Its sums run over the whole depth, `rows · run` window floats.
///
/// `prefetch_from` is the input that is prefetched meanwhile, `lines` the lines of each of its pixels ([`BY_PIXELS`]).
///
/// # Safety
/// As [`correlate`].
#[inline(always)]
unsafe fn correlate_tile<
    S: Simd,
    const MR: usize,
    const ROWS: usize,
    const NR_REGS: usize,
    const STORE: StoreMode,
    const PREFETCH: PrefetchMode,
>(
    plan: &TilePlan,
    input: *const f32,
    weights: *const f32,
    output: *mut f32,
    lanes: usize,
    sums: Option<(*mut f32, *mut f32)>,
    (mut prefetch_from, lines): (*const f32, usize),
) {
    let TilePlan { geometry: c, prefetch: prefetch_plan } = plan;
    // SAFETY: `correlate` was given buffers that hold the whole correlation, and walks within it.
    unsafe {
        let pixel = |t: usize| output.add(t / (MR / ROWS) * c.out_y_step + t % (MR / ROWS) * c.out_x_step);
        let prefetch_below = |t: usize| {
            // Unless the pixel before lies in the same line.
            if NR_REGS * S::LANES >= LINE || c.out_x_step >= LINE || t.is_multiple_of(2) {
                prefetch::<S>(output.wrapping_add(c.out_y_step + t * c.out_x_step), NR_REGS * S::LANES);
            }
        };
        // Lines that bypass the caches are not wanted in them.
        let prefetches_below = STORE != NON_TEMPORAL;
        if (PREFETCH == BY_ROWS || PREFETCH == BY_PIXELS) && prefetches_below {
            (0..MR).for_each(prefetch_below);
        }
        if PREFETCH == BY_PIXELS {
            for line in 0..lines {
                (0..MR).for_each(|t| S::prefetch(prefetch_from.wrapping_add(t * c.in_x_step + line * LINE)));
            }
        }
        let mut below = 0;
        let mut acc = [[S::zero(); NR_REGS]; MR];
        for r in 0..c.rows {
            let row = input.add(r * c.in_row_pitch);
            let mut w = weights.add(r * (c.run + c.weight_gap) * NR_REGS * S::LANES);
            let mut j = 0;
            while j < c.run {
                let end = if PREFETCH == BY_PIECES { c.run.min(j + piece_floats(NR_REGS * S::LANES)) } else { c.run };
                if PREFETCH == BY_ROWS || PREFETCH == BY_PIECES {
                    prefetch::<S>(prefetch_from, prefetch_plan.piece[MR]);
                    prefetch_from = prefetch_from.wrapping_add(prefetch_plan.piece[MR]);
                }
                if PREFETCH == BY_PIECES && prefetches_below {
                    let end = MR.min(below + prefetch_plan.below[MR]);
                    (below..end).for_each(prefetch_below);
                    below = end;
                }
                while j < end {
                    let mut wv = [S::zero(); NR_REGS];
                    for v in 0..NR_REGS {
                        wv[v] = S::load(w.add(v * S::LANES));
                    }
                    w = w.add(NR_REGS * S::LANES);
                    let at = row.add(j);
                    for t in 0..MR {
                        let x = S::splat(*at.add(t / (MR / ROWS) * c.in_y_step + t % (MR / ROWS) * c.in_x_step));
                        for v in 0..NR_REGS {
                            acc[t][v] = S::fma(x, wv[v], acc[t][v]);
                        }
                    }
                    j += 1;
                }
            }
        }
        if STORE == NON_TEMPORAL {
            for (t, row) in acc.iter().enumerate() {
                for (v, value) in row.iter().enumerate() {
                    S::stream(pixel(t).add(v * S::LANES), *value);
                }
            }
        } else if lanes == NR_REGS * S::LANES {
            for (t, row) in acc.iter_mut().enumerate() {
                for (v, value) in row.iter_mut().enumerate() {
                    let to = pixel(t).add(v * S::LANES);
                    if STORE == ACCUMULATE {
                        *value = S::add(*value, S::load(to));
                    }
                    S::store(to, *value);
                }
            }
        } else {
            for (t, row) in acc.iter().enumerate() {
                store_some::<S, NR_REGS>(*row, pixel(t), lanes, STORE == ACCUMULATE);
            }
        }
        if let Some((sum, square)) = sums {
            for v in 0..NR_REGS {
                let mut s = S::load(sum.add(v * S::LANES));
                let mut q = S::load(square.add(v * S::LANES));
                for row in &acc {
                    s = S::add(s, row[v]);
                    q = S::fma(row[v], row[v], q);
                }
                S::store(sum.add(v * S::LANES), s);
                S::store(square.add(v * S::LANES), q);
            }
        }
    }
}

#[inline(always)]
unsafe fn correlate_body<S: Simd, const NR_REGS: usize, const STORE: StoreMode, const PREFETCH: PrefetchMode>(
    plan: &TilePlan,
    input: *const f32,
    weights: *const f32,
    output: *mut f32,
    sums: Option<(*mut f32, *mut f32)>,
) {
    let TilePlan { geometry: c, prefetch: prefetch_plan } = plan;
    let width = NR_REGS * S::LANES;
    let blocks = c.channels_out.div_ceil(width);
    for block in 0..blocks {
        let lanes = width.min(c.channels_out - block * width);
        // SAFETY: as `correlate`: every offset below lies within the correlation.
        unsafe {
            let w = weights.add(block * c.rows * c.run * width);
            let sums = sums.map(|(s, q)| (s.add(block * width), q.add(block * width)));
            let (next, mut prefetching_row) = prefetch_plan.start(PREFETCH, block);
            // Rows of two or three pixels are too few products at once, and are worked through in pairs.
            let paired = if (2..=3).contains(&c.out_w) { c.out_h / 2 * 2 } else { 0 };
            for y in 0..c.out_h {
                let from = input.offset(c.in_origin + (y * c.in_y_step) as isize);
                let to = output.add(c.out_origin + y * c.out_y_step + block * width);
                if y < paired {
                    match (y % 2, c.out_w) {
                        (0, 3) => {
                            correlate_tile::<S, 6, 2, NR_REGS, STORE, NO_PREFETCH>(plan, from, w, to, lanes, sums, (from, 0))
                        }
                        (0, 2) => {
                            correlate_tile::<S, 4, 2, NR_REGS, STORE, NO_PREFETCH>(plan, from, w, to, lanes, sums, (from, 0))
                        }
                        _ => {}
                    }
                    continue;
                }
                let mut prefetch_from = from.wrapping_add(next);
                let lines = if PREFETCH == BY_PIXELS && y == prefetching_row { prefetch_plan.lines.lines } else { 0 };
                prefetching_row += if y == prefetching_row { prefetch_plan.lines.every } else { 0 };
                if PREFETCH == NO_PREFETCH && c.rows == 1 {
                    prefetch::<S>(prefetch_from, prefetch_plan.share);
                }
                // Offsets, for a pointer past the last pixel may lie past the buffer.
                let (mut left, mut at_in, mut at_out) = (c.out_w, 0, 0);
                macro_rules! tiles {
                    ($t:literal, $while:expr) => {
                        while $while {
                            let (input, output, next) = (from.add(at_in), to.add(at_out), (prefetch_from, lines));
                            correlate_tile::<S, $t, 1, NR_REGS, STORE, PREFETCH>(plan, input, w, output, lanes, sums, next);
                            prefetch_from = prefetch_from.wrapping_add(if PREFETCH == BY_PIXELS {
                                $t * c.in_x_step
                            } else {
                                prefetch_plan.piece[$t] * prefetch_plan.pieces
                            });
                            at_in += $t * c.in_x_step;
                            at_out += $t * c.out_x_step;
                            left -= $t;
                        }
                    };
                }
                if NR_REGS == 4 || (NR_REGS == 2 && S::LANES == 8) {
                    // 24 of AVX-512's 32 registers, or 12 of AVX2's 16, beside the weights. Seven and eight pixels are
                    // better cut in the middle.
                    tiles!(6, left >= 6 && left != 7 && left != 8);
                } else {
                    tiles!(8, left >= 8);
                }
                tiles!(4, left >= 4);
                tiles!(3, left >= 3);
                tiles!(2, left >= 2);
                tiles!(1, left >= 1);
            }
        }
    }
}

/// Correlates one image. `weights` are packed `[block][rows][run][block width]`; `sums`, where given, are two rows
/// of `blocks x width` floats to which the outputs and their squares are added.
///
/// # Safety
/// `block` was picked by an [`crate::Isa`]; every offset that the plan's geometry reaches lies within the buffers.
pub(crate) unsafe fn correlate(
    block: Block,
    plan: &TilePlan,
    input: *const f32,
    weights: *const f32,
    output: *mut f32,
    sums: Option<(*mut f32, *mut f32)>,
) {
    // Compiled apart: each has other use for the registers.
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match (plan.geometry.store, plan.prefetch.mode) {
            (Store::Overwrite, NO_PREFETCH) => overwrite(block, plan, input, weights, output, sums),
            (Store::Overwrite, BY_PIXELS) => overwrite_by_pixels(block, plan, input, weights, output, sums),
            (Store::Overwrite, BY_ROWS) => overwrite_by_rows(block, plan, input, weights, output, sums),
            (Store::Overwrite, _) => overwrite_by_pieces(block, plan, input, weights, output, sums),
            (Store::Accumulate, NO_PREFETCH | BY_ROWS) => accumulate_by_rows(block, plan, input, weights, output, sums),
            (Store::Accumulate, BY_PIXELS) => accumulate_by_pixels(block, plan, input, weights, output, sums),
            (Store::Accumulate, _) => accumulate_by_pieces(block, plan, input, weights, output, sums),
            (Store::NonTemporal, NO_PREFETCH) => non_temporal(block, plan, input, weights, output, sums),
            (Store::NonTemporal, BY_PIXELS) => non_temporal_by_pixels(block, plan, input, weights, output, sums),
            (Store::NonTemporal, BY_ROWS) => non_temporal_by_rows(block, plan, input, weights, output, sums),
            (Store::NonTemporal, _) => non_temporal_by_pieces(block, plan, input, weights, output, sums),
        }
    }
}

macro_rules! correlations {
    ($($name:ident[$store:expr, $prefetch:expr])*) => {$(
        by_block!($name, correlate_body[{ $store }, { $prefetch }](plan: &TilePlan, input: *const f32, weights: *const f32, output: *mut f32, sums: Option<(*mut f32, *mut f32)>));
    )*};
}

correlations!(
    overwrite[OVERWRITE, NO_PREFETCH]
    overwrite_by_pixels[OVERWRITE, BY_PIXELS]
    overwrite_by_rows[OVERWRITE, BY_ROWS]
    overwrite_by_pieces[OVERWRITE, BY_PIECES]
    accumulate_by_pixels[ACCUMULATE, BY_PIXELS]
    accumulate_by_rows[ACCUMULATE, BY_ROWS]
    accumulate_by_pieces[ACCUMULATE, BY_PIECES]
    non_temporal[NON_TEMPORAL, NO_PREFETCH]
    non_temporal_by_pixels[NON_TEMPORAL, BY_PIXELS]
    non_temporal_by_rows[NON_TEMPORAL, BY_ROWS]
    non_temporal_by_pieces[NON_TEMPORAL, BY_PIECES]
);
