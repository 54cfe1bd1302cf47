//! What the tiles ask memory for in advance, while they multiply: the processor does not guess rows of pixels by itself, and a tile that
//! waits for its input, or for the line that it writes to, multiplies nothing.
//!
//! A few lines at a time: of more than some two dozen at once the processor waits for the first before it takes the next.
//! An address is only a hint, and may lie outside of all buffers.

use super::block::Block;
use super::outer::OuterProduct;
use super::tile::Correlation;
use crate::simd::Simd;

/// When a correlation's tiles ask.
pub(super) type Asks = u8;

/// Before a row of pixels, if at all: for all that the next row will be the first to read.
pub(super) const NOTHING: Asks = 0;

/// At a tile's start for the pixels below its own, which the next row will write; with each row of its window for a share of what the
/// next row of pixels will be the first to read.
pub(super) const BY_ROWS: Asks = 1;

/// For the same, some of it with each piece of a window's row.
pub(super) const BY_PIECES: Asks = 2;

/// When the tiles of a correlation ask: in windows of a few products it costs more than it saves, and a lone row has none below it.
pub(super) fn asks(block: Block, c: &Correlation) -> Asks {
    const FEW: usize = 48;
    let (window, width) = (c.rows * c.run, block.width());
    // Where several blocks write a part of each pixel, each asks for more lines with fewer products.
    let several = c.channels_out > width;
    let long = if several { 2 * PIECE } else { 8 * PIECE };
    if c.out_h == 1 || (window < FEW && !(several && c.rows == 1)) {
        NOTHING
    } else if window * width >= long && c.run >= piece_floats(width) {
        BY_PIECES
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

/// What the next row of pixels will be the first to read.
pub(super) struct Unseen {
    pub(super) input: *const f32,
    pub(super) floats: usize,
}

/// A tile's share of [`Unseen`], in pieces.
#[derive(Clone, Copy)]
pub(super) struct Share {
    input: *const f32,
    /// Floats of a piece.
    pub(super) floats: usize,
    pub(super) pieces: usize,
}

impl Unseen {
    /// What block `block` of `blocks` asks for with the row of pixels whose first window begins at `from`. A lone block asks for what
    /// lies below that row. Of several, which go through the image one after the other, the first would wait for all of it: each asks for
    /// its share of the same row of the next image.
    #[inline(always)]
    pub(super) fn of(c: &Correlation, from: *const f32, (block, blocks): (usize, usize)) -> Self {
        let window = c.rows * c.in_row_pitch;
        let share = c.in_y_step.min(window).div_ceil(blocks).next_multiple_of(LINE);
        let ahead = if blocks > 1 { c.in_next } else { c.in_y_step.max(window) };
        Self { input: from.wrapping_add(ahead + block * share), floats: share }
    }

    /// The share of the next tile, `pixels` out of a row's `width`.
    #[inline(always)]
    pub(super) fn share(&mut self, pixels: usize, width: usize, pieces: usize) -> Share {
        let floats = (self.floats.div_ceil(width) * pixels).div_ceil(pieces.max(1)).next_multiple_of(LINE);
        let share = Share { input: self.input, floats, pieces };
        self.input = self.input.wrapping_add(floats * pieces);
        share
    }
}

impl Share {
    pub(super) const NONE: Self = Self { input: std::ptr::null(), floats: 0, pieces: 0 };

    #[inline(always)]
    pub(super) fn next_piece(&mut self) -> *const f32 {
        let piece = self.input;
        self.input = piece.wrapping_add(self.floats);
        piece
    }
}

/// The pixels of each row that a tile of an outer product asks for in the images that come next, and the floats to them.
#[derive(Clone, Copy, Default)]
pub(super) struct NextPixels {
    pub(super) input: usize,
    pub(super) input_pixels: (usize, usize),
    pub(super) grad: usize,
    pub(super) grad_pixels: (usize, usize),
    /// Not into L1.
    pub(super) into_l2: bool,
}

impl NextPixels {
    /// Of the tile of `m` window floats from `j` on, whose input begins at the first of them.
    #[inline(always)]
    pub(super) fn of(p: &OuterProduct, j: usize, m: usize) -> Self {
        let pixels = |(index, of): (usize, usize)| {
            let until = |j: usize| (index * p.run + j) * p.width / (of * p.run);
            (until(j), until(j + m))
        };
        // Until they are wanted L1 is gone through, and more, and lines there are only in the way. But gradients of many channels, which
        // share a few sets of L1, then come from L2 for every tile.
        let mut next = Self { into_l2: p.grad.x < 128, ..Self::default() };
        if p.next_input > 0 {
            (next.input, next.input_pixels) = (p.next_input - j, pixels(p.input_share));
        }
        if p.next_grad > 0 {
            (next.grad, next.grad_pixels) = (p.next_grad, pixels((0, 1)));
        }
        next
    }
}

/// Floats of a line of the cache.
pub(super) const LINE: usize = 16;

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

/// Asks for some pixels of the row that lies `next` floats further, `floats` of each; for none where `next` is 0.
///
/// # Safety
/// As [`prefetch`].
#[inline(always)]
pub(super) unsafe fn prefetch_pixels<S: Simd>(
    row: *const f32,
    next: usize,
    step: usize,
    floats: usize,
    (first, end): (usize, usize),
    into_l2: bool,
) {
    if next == 0 {
        return;
    }
    let first_pixel = row.wrapping_add(next + first * step);
    // Pixels side by side are one run.
    let (pixels, floats) = if step <= floats { (1, (end - first) * step) } else { (end - first, floats) };
    for x in 0..pixels {
        let pixel = first_pixel.wrapping_add(x * step);
        // SAFETY: the caller's promise.
        unsafe { if into_l2 { prefetch_l2::<S>(pixel, floats) } else { prefetch::<S>(pixel, floats) } }
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
