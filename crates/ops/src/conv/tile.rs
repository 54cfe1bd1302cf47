//! The register tile of forward passes and data gradients, compiled for each block of output channels (`block.rs`).
//!
//! [`correlate`] holds T output pixels x V vectors of output channels in registers over the whole kernel window. In NHWC
//! the window's taps of one row, and their channels, lie side by side, so the window is `rows` runs of `run` floats;
//! each float is broadcast and multiplied with V vectors of weights.

// T and V are constants: their loops unroll, and the indices become registers.
#![allow(clippy::needless_range_loop)]

use super::ahead::{Ahead, Asks, BY_PIECES, BY_PIXELS, BY_ROWS, NOTHING, piece_floats, prefetch};
use super::block::{Block, by_block};
use crate::simd::{LINE, Simd};

/// What is done with results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Store {
    /// They are written over what stands there.
    #[default]
    Over,
    /// They are added to it.
    Add,
    /// They are written past the caches, in whole blocks of channels, each of which begins and ends on a line's border.
    Past,
}

/// [`Store`] as a constant.
type Stores = u8;
const OVER: Stores = 0;
const ADD: Stores = 1;
const PAST: Stores = 2;

/// One correlation of an image with a bank of filters, as strides in floats. Forward passes and data gradients are both
/// this, with other strides.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Correlation {
    /// Offset in the input image of the first tap of output pixel (0, 0).
    pub(crate) in_origin: isize,
    pub(crate) in_y_step: usize,
    pub(crate) in_x_step: usize,
    /// Floats to the same pixels of the image that comes next, where there is more than a row of pixels.
    pub(crate) in_next: usize,
    /// Floats between the window's rows.
    pub(crate) in_row_pitch: usize,
    /// Rows of the window.
    pub(crate) rows: usize,
    /// Floats of one window row: taps x input channels.
    pub(crate) run: usize,
    /// Window floats of the packed weights that are passed over from row to row, where the window is a part of theirs.
    pub(crate) weight_gap: usize,
    pub(crate) out_origin: usize,
    pub(crate) out_y_step: usize,
    pub(crate) out_x_step: usize,
    pub(crate) out_h: usize,
    pub(crate) out_w: usize,
    pub(crate) channels_out: usize,
    pub(crate) store: Store,
    /// What its tiles ask memory for in advance.
    pub(crate) ahead: Ahead,
}

impl Correlation {
    /// The same, whose tiles, of `block`, ask memory in advance.
    pub(super) fn asking(self, block: Block) -> Self {
        Self { ahead: Ahead::of(block, &self), ..self }
    }
}

/// The first `lanes` channels of a pixel. Apart, for tiles of whole blocks to keep their registers.
#[cold]
#[inline(never)]
unsafe fn store_some<S: Simd, const V: usize>(pixel: [S::V; V], to: *mut f32, lanes: usize, add: bool) {
    // SAFETY: a pixel is V vectors of floats; the caller's buffer holds `lanes`.
    unsafe {
        let from = pixel.as_ptr().cast::<f32>();
        for lane in 0..lanes {
            let (value, to) = (*from.add(lane), to.add(lane));
            *to = if add { *to + value } else { value };
        }
    }
}

#[inline(always)]
unsafe fn correlate_tile<S: Simd, const T: usize, const R: usize, const V: usize, const STORE: Stores, const ASKS: Asks>(
    c: &Correlation,
    input: *const f32,
    weights: *const f32,
    output: *mut f32,
    lanes: usize,
    sums: Option<(*mut f32, *mut f32)>,
    (mut unseen, lines): (*const f32, usize),
) {
    // SAFETY: `correlate` was given buffers that hold the whole correlation, and walks within it.
    unsafe {
        let pixel = |t: usize| output.add(t / (T / R) * c.out_y_step + t % (T / R) * c.out_x_step);
        let ask_below = |t: usize| {
            // Unless the pixel before lies in the same line.
            if V * S::LANES >= LINE || c.out_x_step >= LINE || t.is_multiple_of(2) {
                prefetch::<S>(output.wrapping_add(c.out_y_step + t * c.out_x_step), V * S::LANES);
            }
        };
        // Lines that are written past the caches are not wanted there.
        let asks_below = STORE != PAST;
        if (ASKS == BY_ROWS || ASKS == BY_PIXELS) && asks_below {
            (0..T).for_each(ask_below);
        }
        if ASKS == BY_PIXELS {
            for line in 0..lines {
                (0..T).for_each(|t| S::prefetch(unseen.wrapping_add(t * c.in_x_step + line * LINE)));
            }
        }
        let mut below = 0;
        let mut acc = [[S::zero(); V]; T];
        for r in 0..c.rows {
            let row = input.add(r * c.in_row_pitch);
            let mut w = weights.add(r * (c.run + c.weight_gap) * V * S::LANES);
            let mut j = 0;
            while j < c.run {
                let end = if ASKS == BY_PIECES { c.run.min(j + piece_floats(V * S::LANES)) } else { c.run };
                if ASKS == BY_ROWS || ASKS == BY_PIECES {
                    prefetch::<S>(unseen, c.ahead.piece[T]);
                    unseen = unseen.wrapping_add(c.ahead.piece[T]);
                }
                if ASKS == BY_PIECES && asks_below {
                    let end = T.min(below + c.ahead.below[T]);
                    (below..end).for_each(ask_below);
                    below = end;
                }
                while j < end {
                    let mut wv = [S::zero(); V];
                    for v in 0..V {
                        wv[v] = S::load(w.add(v * S::LANES));
                    }
                    w = w.add(V * S::LANES);
                    let at = row.add(j);
                    for t in 0..T {
                        let x = S::splat(*at.add(t / (T / R) * c.in_y_step + t % (T / R) * c.in_x_step));
                        for v in 0..V {
                            acc[t][v] = S::fma(x, wv[v], acc[t][v]);
                        }
                    }
                    j += 1;
                }
            }
        }
        if STORE == PAST {
            for (t, row) in acc.iter().enumerate() {
                for (v, value) in row.iter().enumerate() {
                    S::stream(pixel(t).add(v * S::LANES), *value);
                }
            }
        } else if lanes == V * S::LANES {
            for (t, row) in acc.iter_mut().enumerate() {
                for (v, value) in row.iter_mut().enumerate() {
                    let to = pixel(t).add(v * S::LANES);
                    if STORE == ADD {
                        *value = S::add(*value, S::load(to));
                    }
                    S::store(to, *value);
                }
            }
        } else {
            for (t, row) in acc.iter().enumerate() {
                store_some::<S, V>(*row, pixel(t), lanes, STORE == ADD);
            }
        }
        if let Some((sum, square)) = sums {
            for v in 0..V {
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
unsafe fn correlate_body<S: Simd, const V: usize, const STORE: Stores, const ASKS: Asks>(
    c: &Correlation,
    input: *const f32,
    weights: *const f32,
    output: *mut f32,
    sums: Option<(*mut f32, *mut f32)>,
) {
    let width = V * S::LANES;
    let blocks = c.channels_out.div_ceil(width);
    for block in 0..blocks {
        let lanes = width.min(c.channels_out - block * width);
        // SAFETY: as `correlate`: every offset below lies within the correlation.
        unsafe {
            let w = weights.add(block * c.rows * c.run * width);
            let sums = sums.map(|(s, q)| (s.add(block * width), q.add(block * width)));
            let (next, mut asking_row) = c.ahead.unseen(ASKS, block);
            // Rows of two or three pixels are too few products at once, and are worked through in pairs.
            let paired = if (2..=3).contains(&c.out_w) { c.out_h / 2 * 2 } else { 0 };
            for y in 0..c.out_h {
                let from = input.offset(c.in_origin + (y * c.in_y_step) as isize);
                let to = output.add(c.out_origin + y * c.out_y_step + block * width);
                if y < paired {
                    match (y % 2, c.out_w) {
                        (0, 3) => correlate_tile::<S, 6, 2, V, STORE, NOTHING>(c, from, w, to, lanes, sums, (from, 0)),
                        (0, 2) => correlate_tile::<S, 4, 2, V, STORE, NOTHING>(c, from, w, to, lanes, sums, (from, 0)),
                        _ => {}
                    }
                    continue;
                }
                let mut unseen = from.wrapping_add(next);
                let lines = if ASKS == BY_PIXELS && y == asking_row { c.ahead.lines.lines } else { 0 };
                asking_row += if y == asking_row { c.ahead.lines.every } else { 0 };
                if ASKS == NOTHING && c.rows == 1 {
                    prefetch::<S>(unseen, c.ahead.share);
                }
                // Offsets, for a pointer past the last pixel may lie past the buffer.
                let (mut left, mut at_in, mut at_out) = (c.out_w, 0, 0);
                macro_rules! tiles {
                    ($t:literal, $while:expr) => {
                        while $while {
                            correlate_tile::<S, $t, 1, V, STORE, ASKS>(
                                c,
                                from.add(at_in),
                                w,
                                to.add(at_out),
                                lanes,
                                sums,
                                (unseen, lines),
                            );
                            unseen = unseen.wrapping_add(if ASKS == BY_PIXELS {
                                $t * c.in_x_step
                            } else {
                                c.ahead.piece[$t] * c.ahead.pieces
                            });
                            at_in += $t * c.in_x_step;
                            at_out += $t * c.out_x_step;
                            left -= $t;
                        }
                    };
                }
                if V == 4 || (V == 2 && S::LANES == 8) {
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

/// Correlates one image. `weights` are packed `[block][rows][run][block width]`; `sums`, where asked for, are two rows
/// of `blocks x width` floats to which the outputs and their squares are added.
///
/// # Safety
/// `block` was picked by an [`crate::Isa`]; every offset that `c` reaches lies within the buffers.
pub(crate) unsafe fn correlate(
    block: Block,
    c: &Correlation,
    input: *const f32,
    weights: *const f32,
    output: *mut f32,
    sums: Option<(*mut f32, *mut f32)>,
) {
    // Compiled apart: each has other use for the registers.
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match (c.store, c.ahead.asks) {
            (Store::Over, NOTHING) => writing(block, c, input, weights, output, sums),
            (Store::Over, BY_PIXELS) => writing_by_pixels(block, c, input, weights, output, sums),
            (Store::Over, BY_ROWS) => writing_by_rows(block, c, input, weights, output, sums),
            (Store::Over, _) => writing_by_pieces(block, c, input, weights, output, sums),
            (Store::Add, NOTHING | BY_ROWS) => adding_by_rows(block, c, input, weights, output, sums),
            (Store::Add, BY_PIXELS) => adding_by_pixels(block, c, input, weights, output, sums),
            (Store::Add, _) => adding_by_pieces(block, c, input, weights, output, sums),
            (Store::Past, NOTHING) => streaming(block, c, input, weights, output, sums),
            (Store::Past, BY_PIXELS) => streaming_by_pixels(block, c, input, weights, output, sums),
            (Store::Past, BY_ROWS) => streaming_by_rows(block, c, input, weights, output, sums),
            (Store::Past, _) => streaming_by_pieces(block, c, input, weights, output, sums),
        }
    }
}

macro_rules! correlations {
    ($($name:ident[$store:expr, $asks:expr])*) => {$(
        by_block!($name, correlate_body[{ $store }, { $asks }](c: &Correlation, input: *const f32, weights: *const f32, output: *mut f32, sums: Option<(*mut f32, *mut f32)>));
    )*};
}

correlations!(
    writing[OVER, NOTHING] writing_by_pixels[OVER, BY_PIXELS] writing_by_rows[OVER, BY_ROWS] writing_by_pieces[OVER, BY_PIECES]
    adding_by_pixels[ADD, BY_PIXELS] adding_by_rows[ADD, BY_ROWS] adding_by_pieces[ADD, BY_PIECES]
    streaming[PAST, NOTHING] streaming_by_pixels[PAST, BY_PIXELS] streaming_by_rows[PAST, BY_ROWS] streaming_by_pieces[PAST, BY_PIECES]
);
