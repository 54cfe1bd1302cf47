//! Software prefetch.
//!
//! The hardware prefetcher does not follow strided windows, so a tile that reads a new input row stalls on memory. While a tile
//! computes, it therefore prefetches (1) its share of the rows that the next output row reads first, and (2) the output lines directly
//! below. Requests are spread out: more than about 24 outstanding lines stall the multiply-adds.
//!
//! An address is only a hint, and may lie outside of all buffers. [`PrefetchPlan`] is computed once a layer for the tiles of
//! `tile.rs`; [`NextPixels`] is the same for the outer products of `outer.rs`.

use super::block::Block;
use super::geometry::{Correlation, OuterProduct, Steps};
use crate::simd::{LINE, Simd};

/// When a correlation's tiles prefetch; a number, since tiles take it as a constant.
pub(super) type PrefetchMode = u8;

/// The tiles prefetch nothing. Before a row of pixels of a 1 x 1 kernel, all that the next row reads first is prefetched at once.
pub(super) const NO_PREFETCH: PrefetchMode = 0;

/// At a tile's start: the output lines below its own, which the next row writes, and some lines of as many input pixels.
pub(super) const BY_PIXELS: PrefetchMode = 1;

/// At a tile's start the output lines below its own; with each row of its window a share of what the next row of pixels reads first.
pub(super) const BY_ROWS: PrefetchMode = 2;

/// As [`BY_ROWS`], but input and output lines are spread over the pieces of the window's rows.
pub(super) const BY_PIECES: PrefetchMode = 3;

/// When the tiles of a correlation prefetch. In windows of a few products it costs more than it saves, and a lone row has none below it.
fn prefetch_mode(block: Block, c: &Correlation) -> PrefetchMode {
    const FEW: usize = 48;
    let (window, width) = (c.rows * c.run, block.width());
    // Where several blocks write a part of each pixel, each prefetches more lines with fewer products.
    let several = c.channels_out > width;
    let long = if several { 2 * PIECE } else { 8 * PIECE };
    if c.out_h == 1 || (window < FEW && !(several && c.rows == 1)) {
        NO_PREFETCH
    } else if window * width >= long && c.run >= piece_floats(width) {
        BY_PIECES
    } else if c.rows == 1 {
        BY_PIXELS
    } else {
        BY_ROWS
    }
}

/// Products of a window's piece with a block of channels, about.
const PIECE: usize = 512;

/// Window floats of a piece.
pub(super) const fn piece_floats(width: usize) -> usize {
    if width > PIECE / 16 { 16 } else { PIECE / width }
}

/// What a correlation's tiles prefetch, computed once a layer: divisions inside a tile would delay its products.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PrefetchPlan {
    pub(super) mode: PrefetchMode,
    /// Floats from a row's first window to what is prefetched meanwhile.
    next: usize,
    /// Floats of it that are a block's share.
    pub(super) share: usize,
    /// Pieces in which a tile prefetches its share.
    pub(super) pieces: usize,
    /// Input floats that a tile prefetches with each piece, by the tile's pixels.
    pub(super) piece: [usize; MOST_PIXELS + 1],
    /// Output pixels below its own that a tile prefetches with each piece, by the tile's pixels.
    pub(super) below: [usize; MOST_PIXELS + 1],
    /// Lines of each pixel, for [`BY_PIXELS`].
    pub(super) lines: LineShare,
}

/// How blocks of channels, which all read the same pixels, share prefetching their lines: each takes some lines of every pixel or, where
/// there are more blocks than lines, one line in one of some rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LineShare {
    pixel_lines: usize,
    pub(super) lines: usize,
    pub(super) every: usize,
}

impl LineShare {
    /// Among `blocks`, of pixels of `floats` floats.
    #[inline(always)]
    fn among(blocks: usize, floats: usize) -> Self {
        let pixel_lines = floats.div_ceil(LINE).max(1);
        Self { pixel_lines, lines: pixel_lines.div_ceil(blocks), every: blocks.div_ceil(pixel_lines) }
    }

    /// Floats to the first line of block `block`, and with which of its rows it prefetches it.
    #[inline(always)]
    fn of_block(self, block: usize) -> (usize, usize) {
        let line = block * self.lines;
        (line % self.pixel_lines * LINE, line / self.pixel_lines)
    }
}

/// Pixels of the largest tile.
const MOST_PIXELS: usize = 8;

impl PrefetchPlan {
    /// For a correlation of more than a row of pixels, by tiles of `block`. A lone block prefetches what lies below the row of pixels that
    /// it computes. Several blocks go through the image one after the other, so the first would wait for all of it: each prefetches its share
    /// of the same row of the next image.
    pub(super) fn new(block: Block, c: &Correlation) -> Self {
        let (window, width, blocks) = (c.rows * c.in_row_pitch, block.width(), block.count(c.channels_out).max(1));
        let mode = prefetch_mode(block, c);
        let share = c.in_y_step.min(window).div_ceil(blocks).next_multiple_of(LINE);
        let next = if blocks > 1 { c.in_next } else { c.in_y_step.max(window) };
        let pieces = if mode == BY_PIECES { c.rows * c.run.div_ceil(piece_floats(width)) } else { c.rows };
        let pixel = share.div_ceil(c.out_w.max(1));
        let piece = std::array::from_fn(|pixels| (pixel * pixels).div_ceil(pieces.max(1)).next_multiple_of(LINE));
        let below = std::array::from_fn(|pixels| pixels.div_ceil(pieces.max(1)));
        let lines = LineShare::among(blocks, c.run.min(c.in_x_step));
        Self { mode, next, share, pieces, piece, below, lines }
    }

    /// Floats from a row's first window to what block `block` prefetches, and for [`BY_PIXELS`] the first row with which it does.
    #[inline(always)]
    pub(super) fn start(&self, mode: PrefetchMode, block: usize) -> (usize, usize) {
        if mode != BY_PIXELS {
            return (self.next + block * self.share, 0);
        }
        let (first, row) = self.lines.of_block(block);
        (self.next + first, row)
    }
}

/// The lines, of as many pixels of the next images, that the tiles of an outer product prefetch: each tile one line with every pixel, of
/// some rows or of all.
#[derive(Clone, Copy)]
pub(super) struct NextPixels {
    grad: *const f32,
    grad_lines: usize,
    input: *const f32,
    input_lines: usize,
    /// Rows with which the input is prefetched, where other blocks do so with the others.
    input_rows: (usize, usize),
    /// Tiles that share a line.
    tiles: usize,
    /// Those of them that have prefetched their share.
    done: usize,
    /// Whether there are more lines than tiles, which are better smaller then.
    pub(super) crowded: bool,
}

/// What one tile prefetches: pixel (0, 0) of it and the way to the others, and the rows with which it does so.
#[derive(Clone, Copy)]
pub(super) struct NextLine {
    pub(super) from: *const f32,
    pub(super) steps: Steps,
    pub(super) rows: (usize, usize),
}

impl NextPixels {
    pub(super) const NONE: Self = Self {
        grad: std::ptr::null(),
        grad_lines: 0,
        input: std::ptr::null(),
        input_lines: 0,
        input_rows: (0, 0),
        tiles: 1,
        done: 0,
        crowded: false,
    };

    /// Of a block of `width` channels, whose input and gradients begin as given, by tiles of `window` floats.
    #[inline(always)]
    pub(super) fn new(p: &OuterProduct, (window, width): (usize, usize), input: *const f32, grad: *const f32) -> Self {
        let (block, blocks) = p.input_share;
        let share = LineShare::among(blocks.max(1), p.run.min(p.input.x));
        let (first, phase) = share.of_block(block);
        let input_lines = if p.next_input == 0 { 0 } else { share.lines };
        let grad_lines = if p.next_grad == 0 { 0 } else { width.div_ceil(LINE) };
        Self {
            grad: grad.wrapping_add(p.next_grad),
            grad_lines,
            input: input.wrapping_add(p.next_input + first),
            input_lines,
            input_rows: (phase * p.rows / share.every, (phase + 1) * p.rows / share.every),
            tiles: (p.run / window / (grad_lines + input_lines).max(1)).max(1),
            done: 0,
            crowded: grad_lines + input_lines > p.run / window,
        }
    }

    /// The share of the next tile.
    #[inline(always)]
    pub(super) fn line(&mut self, p: &OuterProduct) -> NextLine {
        let (of_grad, share) = (self.grad_lines > 0, self.done);
        let (from, steps, (first, end)) = match (of_grad, self.input_lines) {
            (true, _) => (self.grad, p.grad, (0, p.rows)),
            (false, 0) => (self.input, p.input, (0, 0)),
            (false, _) => (self.input, p.input, self.input_rows),
        };
        self.done += 1;
        if self.done == self.tiles {
            self.done = 0;
            match of_grad {
                true => (self.grad, self.grad_lines) = (from.wrapping_add(LINE), self.grad_lines - 1),
                false => (self.input, self.input_lines) = (from.wrapping_add(LINE), self.input_lines.saturating_sub(1)),
            }
        }
        let row = |share: usize| first + (end - first) * share / self.tiles;
        NextLine { from, steps, rows: (row(share), row(share + 1)) }
    }
}

/// Prefetches `floats` floats.
///
/// # Safety
/// The processor has the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn prefetch<S: Simd>(from: *const f32, floats: usize) {
    for line in (0..floats).step_by(LINE) {
        // SAFETY: the caller's promise; an address is only a hint.
        unsafe { S::prefetch(from.wrapping_add(line)) };
    }
}

/// As [`prefetch`], into L2 alone: for what is read only after more than L1 holds.
///
/// # Safety
/// As [`prefetch`].
#[inline(always)]
pub(super) unsafe fn prefetch_l2<S: Simd>(from: *const f32, floats: usize) {
    for line in (0..floats).step_by(LINE) {
        // SAFETY: the caller's promise; an address is only a hint.
        unsafe { S::prefetch_l2(from.wrapping_add(line)) };
    }
}
