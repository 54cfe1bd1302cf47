//! What the tiles ask memory for in advance, while they multiply: the processor does not guess rows of pixels by itself, and a tile that
//! waits for its input, or for the line that it writes to, multiplies nothing.
//!
//! A few lines at a time: of more than some two dozen at once the processor waits for the first before it takes the next.
//! An address is only a hint, and may lie outside of all buffers.

use super::block::Block;
use super::outer::{OuterProduct, Steps};
use super::tile::Correlation;
use crate::simd::{LINE, Simd};

/// When a correlation's tiles ask.
pub(super) type Asks = u8;

/// Before a row of pixels, if at all: for all that the next row will be the first to read.
pub(super) const NOTHING: Asks = 0;

/// At a tile's start, for the pixels below its own, which the next row will write, and for some lines of as many pixels that will be read.
pub(super) const BY_PIXELS: Asks = 1;

/// At a tile's start for the pixels below its own; with each row of its window for a share of what the next row of pixels will be the
/// first to read.
pub(super) const BY_ROWS: Asks = 2;

/// For the same, some of it with each piece of a window's row.
pub(super) const BY_PIECES: Asks = 3;

/// When the tiles of a correlation ask: in windows of a few products it costs more than it saves, and a lone row has none below it.
fn asks(block: Block, c: &Correlation) -> Asks {
    const FEW: usize = 48;
    let (window, width) = (c.rows * c.run, block.width());
    // Where several blocks write a part of each pixel, each asks for more lines with fewer products.
    let several = c.channels_out > width;
    let long = if several { 2 * PIECE } else { 8 * PIECE };
    if c.out_h == 1 || (window < FEW && !(several && c.rows == 1)) {
        NOTHING
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

/// What a correlation's tiles ask for, worked out once: divisions in a tile's way hold up its products.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ahead {
    pub(super) asks: Asks,
    /// Floats from a row's first window to what is asked for meanwhile.
    next: usize,
    /// Floats of it that are a block's share.
    pub(super) share: usize,
    /// Pieces in which a tile asks for its share, and floats of one by the tile's pixels.
    pub(super) pieces: usize,
    pub(super) piece: [usize; MOST_PIXELS + 1],
    /// Of the pixels below it, those of a piece.
    pub(super) below: [usize; MOST_PIXELS + 1],
    /// By pixels.
    pub(super) lines: LineShare,
}

/// How blocks of channels, which all read the same pixels, share asking for their lines: each asks for some lines of every pixel or, where
/// blocks are more than lines, for one in one of some rows.
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

    /// Floats to the first line of block `block`, and which of its rows it asks with.
    #[inline(always)]
    fn of(self, block: usize) -> (usize, usize) {
        let line = block * self.lines;
        (line % self.pixel_lines * LINE, line / self.pixel_lines)
    }
}

/// Pixels of the largest tile.
const MOST_PIXELS: usize = 8;

impl Ahead {
    /// For a correlation of more than a row of pixels, by tiles of `block`. A lone block asks for what lies below the row of pixels that it
    /// works out. Of several, which go through the image one after the other, the first would wait for all of it: each asks for its share of
    /// the same row of the next image.
    pub(super) fn of(block: Block, c: &Correlation) -> Self {
        let (window, width, blocks) = (c.rows * c.in_row_pitch, block.width(), block.count(c.channels_out).max(1));
        let asks = asks(block, c);
        let share = c.in_y_step.min(window).div_ceil(blocks).next_multiple_of(LINE);
        let next = if blocks > 1 { c.in_next } else { c.in_y_step.max(window) };
        let pieces = if asks == BY_PIECES { c.rows * c.run.div_ceil(piece_floats(width)) } else { c.rows };
        let pixel = share.div_ceil(c.out_w.max(1));
        let piece = std::array::from_fn(|pixels| (pixel * pixels).div_ceil(pieces.max(1)).next_multiple_of(LINE));
        let below = std::array::from_fn(|pixels| pixels.div_ceil(pieces.max(1)));
        let lines = LineShare::among(blocks, c.run.min(c.in_x_step));
        Self { asks, next, share, pieces, piece, below, lines }
    }

    /// Floats from a row's first window to what block `block` asks for, and by pixels the first row with which it does.
    #[inline(always)]
    pub(super) fn unseen(&self, asks: Asks, block: usize) -> (usize, usize) {
        if asks != BY_PIXELS {
            return (self.next + block * self.share, 0);
        }
        let (first, row) = self.lines.of(block);
        (self.next + first, row)
    }
}

/// The lines, of as many pixels of the images that come next, that the tiles of an outer product ask for: each tile one line with every
/// pixel, of some rows or of all.
#[derive(Clone, Copy)]
pub(super) struct NextPixels {
    grad: *const f32,
    grad_lines: usize,
    input: *const f32,
    input_lines: usize,
    /// Rows with which the input is asked for, where other blocks do so with the others.
    input_rows: (usize, usize),
    /// Tiles that share a line, and those of them that have asked.
    tiles: usize,
    asked: usize,
    /// Whether there are more lines than tiles, which had better be smaller.
    pub(super) crowded: bool,
}

/// What one tile asks for: pixel (0, 0) of it and the way to the others, and the rows that it does so with.
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
        asked: 0,
        crowded: false,
    };

    /// Of a block of `width` channels, whose input and gradients begin as given, by tiles of `window` floats.
    #[inline(always)]
    pub(super) fn of(p: &OuterProduct, (window, width): (usize, usize), input: *const f32, grad: *const f32) -> Self {
        let (block, blocks) = p.input_share;
        let share = LineShare::among(blocks.max(1), p.run.min(p.input.x));
        let (first, phase) = share.of(block);
        let input_lines = if p.next_input == 0 { 0 } else { share.lines };
        let grad_lines = if p.next_grad == 0 { 0 } else { width.div_ceil(LINE) };
        Self {
            grad: grad.wrapping_add(p.next_grad),
            grad_lines,
            input: input.wrapping_add(p.next_input + first),
            input_lines,
            input_rows: (phase * p.rows / share.every, (phase + 1) * p.rows / share.every),
            tiles: (p.run / window / (grad_lines + input_lines).max(1)).max(1),
            asked: 0,
            crowded: grad_lines + input_lines > p.run / window,
        }
    }

    /// The share of the next tile.
    #[inline(always)]
    pub(super) fn line(&mut self, p: &OuterProduct) -> NextLine {
        let (of_grad, share) = (self.grad_lines > 0, self.asked);
        let (from, steps, (first, end)) = match (of_grad, self.input_lines) {
            (true, _) => (self.grad, p.grad, (0, p.rows)),
            (false, 0) => (self.input, p.input, (0, 0)),
            (false, _) => (self.input, p.input, self.input_rows),
        };
        self.asked += 1;
        if self.asked == self.tiles {
            self.asked = 0;
            match of_grad {
                true => (self.grad, self.grad_lines) = (from.wrapping_add(LINE), self.grad_lines - 1),
                false => (self.input, self.input_lines) = (from.wrapping_add(LINE), self.input_lines.saturating_sub(1)),
            }
        }
        let row = |share: usize| first + (end - first) * share / self.tiles;
        NextLine { from, steps, rows: (row(share), row(share + 1)) }
    }
}

/// Asks for `floats` floats.
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

/// [`prefetch`] for what is wanted only after more than L1 holds.
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
