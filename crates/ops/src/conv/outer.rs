//! The register tile of the weight gradient, a sum of outer products over pixels. A tile is MR x NR: MR window floats and NR output
//! channels, NR being NR_REGS vectors, which stay in registers over the whole depth, many pixels. Compiled for each block of output
//! channels (`block.rs`), as the tile of `tile.rs` is.
//!
//! Pixels of many channels lie a power of two apart, share a few sets of L1, and would come from L2 again for every tile. So a
//! block of their gradient is gathered first, and the input, which all blocks read, before the first of them ([`gather_input`]).

// MR and NR_REGS are constants: their loops unroll, and the indices become registers.
#![allow(clippy::needless_range_loop)]

use super::block::{Block, by_block};
use super::geometry::{OuterProduct, Steps};
use super::prefetch::{NextLine, NextPixels, prefetch_l2};
use crate::simd::Simd;
use std::mem::MaybeUninit;

/// Pixels at once, about, that make loading and storing [`accumulate_outer`]'s sums little beside the products; of
/// narrow blocks more, whose gradients stay in L1 all the same.
pub(crate) fn outer_pixels(width: usize) -> usize {
    (GATHERED / width).min(128)
}

/// Floats of gradient that are gathered at once.
const GATHERED: usize = 4096;

/// Room for gathered gradients, on a cache line's border.
#[repr(align(64))]
struct Gathered(MaybeUninit<[f32; GATHERED]>);

/// Copies the pixels of `p` that lie as `steps` say, `floats` of each, `pitch` floats apart, and fills each up with zeros to `filled`
/// floats. Prefetches the same pixels `next` floats further, where that is not 0.
///
/// # Safety
/// As [`accumulate_outer`]; `to` holds all of it.
#[inline(always)]
unsafe fn gather<S: Simd>(
    p: &OuterProduct,
    (steps, next): (Steps, usize),
    (floats, filled, pitch): (usize, usize, usize),
    from: *const f32,
    mut to: *mut f32,
) {
    let vectors = floats / S::LANES * S::LANES;
    for image in 0..p.images {
        for y in 0..p.rows {
            for x in 0..p.width {
                // SAFETY: the caller's promise.
                unsafe {
                    let from = from.add(steps.to(image, y, x));
                    if next > 0 {
                        prefetch_l2::<S>(from.wrapping_add(next), floats);
                    }
                    for at in (0..vectors).step_by(S::LANES) {
                        S::store(to.add(at), S::load(from.add(at)));
                    }
                    for at in vectors..filled {
                        *to.add(at) = if at < floats { *from.add(at) } else { 0.0 };
                    }
                    // Past the end after the last pixel, where nothing is written.
                    to = to.wrapping_add(pitch);
                }
            }
        }
    }
}

/// One tile: adds to MR x NR sums, `[MR][NR]` at `acc_out`, what all pixels of `p` give; meanwhile it prefetches `next`.
///
/// # Safety
/// As [`accumulate_outer`].
#[inline(always)]
unsafe fn outer_tile<S: Simd, const MR: usize, const NR_REGS: usize, const PREFETCH: bool>(
    p: &OuterProduct,
    input: *const f32,
    grad: *const f32,
    acc_out: *mut f32,
    next: NextLine,
) {
    // SAFETY: `accumulate_outer` was given buffers that hold all of it.
    unsafe {
        let mut acc = [[S::zero(); NR_REGS]; MR];
        for (m, row) in acc.iter_mut().enumerate() {
            for (v, value) in row.iter_mut().enumerate() {
                *value = S::load(acc_out.add((m * NR_REGS + v) * S::LANES));
            }
        }
        for image in 0..p.images {
            for y in 0..p.rows {
                let mut from = input.add(p.input.to(image, y, 0));
                let mut g = grad.add(p.grad.to(image, y, 0));
                // A tile without a share prefetches what it has.
                let (mut prefetched, step) = match next.rows {
                    (first, end) if first <= y && y < end => (next.from.wrapping_add(next.steps.to(image, y, 0)), next.steps.x),
                    _ => (g, p.grad.x),
                };
                for _ in 0..p.width {
                    if PREFETCH {
                        S::prefetch_l2(prefetched);
                    }
                    prefetched = prefetched.wrapping_add(step);
                    let mut gv = [S::zero(); NR_REGS];
                    for (v, value) in gv.iter_mut().enumerate() {
                        *value = S::load(g.add(v * S::LANES));
                    }
                    for m in 0..MR {
                        let x = S::splat(*from.add(m));
                        for v in 0..NR_REGS {
                            acc[m][v] = S::fma(x, gv[v], acc[m][v]);
                        }
                    }
                    // Past the end after the last pixel, where nothing is read.
                    from = from.wrapping_add(p.input.x);
                    g = g.wrapping_add(p.grad.x);
                }
            }
        }
        for (m, row) in acc.iter().enumerate() {
            for (v, value) in row.iter().enumerate() {
                S::store(acc_out.add((m * NR_REGS + v) * S::LANES), *value);
            }
        }
    }
}

/// Columns, rows and images that go through the tiles together: some pixels of a row, or some rows of an image, few enough to stay in L1,
/// or some images that are small. `most` is the most pixels that are gathered.
#[inline(always)]
fn at_once(p: &OuterProduct, most: usize, gathers: bool) -> (usize, usize, usize) {
    let columns = if gathers { most.min(p.width) } else { p.width };
    let row_floats = p.width * (p.grad.x + p.input.x);
    let rows = match gathers {
        true => most / p.width.max(1),
        false => (6144 / row_floats.max(1)).max(most.div_ceil(p.width.max(1))),
    };
    let images = if p.images > 1 { (most / (p.rows * p.width)).clamp(1, p.images) } else { 1 };
    (columns, rows.min(p.rows).max(1), images)
}

#[inline(always)]
unsafe fn outer_body<S: Simd, const NR_REGS: usize, const PREFETCH: bool>(
    p: &OuterProduct,
    input: *const f32,
    grad: *const f32,
    acc: *mut f32,
) {
    let width = NR_REGS * S::LANES;
    // As many window floats as registers hold sums of, see `correlate_body`.
    let sixes = NR_REGS == 4 || (NR_REGS == 2 && S::LANES == 8);
    let window = if sixes { 6 } else { 8 };
    let most = outer_pixels(width);
    // Of several lines a pixel L1's sets hold so few pixels that copying the block costs less than L2 for every tile; where a block is
    // narrow, and tiles are many, of fewer lines too.
    let share_sets = (p.grad.x >= 256 && p.run >= 64) || (p.grad.x >= 128 && p.run >= 128 && width <= 16);
    let gathers = p.lanes < width || share_sets;
    let mut gathered = Gathered(MaybeUninit::uninit());
    let (columns_at_once, rows_at_once, images_at_once) = at_once(p, most, gathers);
    // Not `step_by`, which divides: for a band of tiles that is a twentieth of the time.
    let (mut image, mut y, mut x) = (0, 0, 0);
    while image < p.images && p.rows * p.width > 0 {
        let mut part = OuterProduct {
            images: images_at_once.min(p.images - image),
            rows: rows_at_once.min(p.rows - y),
            width: columns_at_once.min(p.width - x),
            ..*p
        };
        // SAFETY: as `accumulate_outer`; a part that is gathered has `most` pixels at the most.
        unsafe {
            let input = input.add(p.input.to(image, y, x));
            let mut grad = grad.add(p.grad.to(image, y, x));
            if gathers {
                gather::<S>(&part, (p.grad, p.next_grad), (p.lanes, width, width), grad, gathered.0.as_mut_ptr().cast());
                grad = gathered.0.as_ptr().cast();
                (part.grad, part.next_grad) = (Steps::dense(part.rows, part.width, width), 0);
                // Where the input was gathered too, both lie as one row.
                if part.input == Steps::dense(part.rows, part.width, part.input.x) {
                    (part.images, part.rows, part.width) = (1, 1, part.images * part.rows * part.width);
                }
            }
            let mut next = if PREFETCH { NextPixels::new(&part, (window, width), input, grad) } else { NextPixels::NONE };
            let mut j = 0;
            macro_rules! tiles {
                ($m:literal, $most:expr) => {
                    let end = j + ($most / $m) * $m;
                    while j < end {
                        outer_tile::<S, $m, NR_REGS, PREFETCH>(&part, input.add(j), grad, acc.add(j * width), next.line(&part));
                        j += $m;
                    }
                };
            }
            // A small last tile would wait on its own products, so the others are made smaller, or one larger.
            if sixes {
                let fives = if p.run == 9 { 5 } else { (6 - p.run % 6) % 6 * 5 };
                tiles!(5, if fives <= p.run { fives } else { 0 });
                tiles!(6, p.run - j);
            } else {
                tiles!(9, if p.run % 8 == 1 && p.run > 1 { 9 } else { 0 });
                tiles!(8, if next.crowded { 0 } else { p.run - j });
            }
            tiles!(4, p.run - j);
            tiles!(2, p.run - j);
            tiles!(1, p.run - j);
        }
        x += columns_at_once;
        if x >= p.width {
            (x, y) = (0, y + rows_at_once);
        }
        if y >= p.rows {
            (y, image) = (0, image + images_at_once);
        }
    }
}

/// Adds outer products of some images and one block of output channels to `acc`, `[run][block width]`.
///
/// # Safety
/// `block` was picked by an [`crate::Isa`]; every pixel that `p` reaches lies within the buffers.
pub(crate) unsafe fn accumulate_outer(block: Block, p: &OuterProduct, input: *const f32, grad: *const f32, acc: *mut f32) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match p.next_input | p.next_grad {
            0 => outer(block, p, input, grad, acc),
            _ => outer_prefetching(block, p, input, grad, acc),
        }
    }
}

by_block!(outer, outer_body[false](p: &OuterProduct, input: *const f32, grad: *const f32, acc: *mut f32));
by_block!(outer_prefetching, outer_body[true](p: &OuterProduct, input: *const f32, grad: *const f32, acc: *mut f32));

#[inline(always)]
unsafe fn gather_input_body<S: Simd, const NR_REGS: usize>(p: &OuterProduct, pitch: usize, from: *const f32, to: *mut f32) {
    // SAFETY: the caller's promise is passed on.
    unsafe { gather::<S>(p, (p.input, p.next_input), (p.run, p.run, pitch), from, to) };
}

by_block!(
    /// Copies the pixels of an outer product's input `pitch` floats apart, and prefetches those that come next.
    ///
    /// # Safety
    /// As [`accumulate_outer`]; `to` holds all of its pixels.
    gather_input,
    gather_input_body[](p: &OuterProduct, pitch: usize, from: *const f32, to: *mut f32)
);
