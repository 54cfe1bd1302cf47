//! The two register tiles that all convolution time is spent in, compiled for each block of output channels (`block.rs`).
//!
//! [`correlate`] holds T output pixels x V vectors of output channels in registers over the whole kernel window. In NHWC
//! the window's taps of one row, and their channels, lie side by side, so the window is `rows` runs of `run` floats;
//! each float is broadcast and multiplied with V vectors of weights.
//!
//! [`accumulate_outer`] holds M window floats x V vectors of output channels in registers over many pixels: the weight
//! gradient, a sum of outer products.

// T, V and M are constants: their loops unroll, and the indices become registers.
#![allow(clippy::needless_range_loop)]

use super::ahead::{
    Asks, BY_PIECES, BY_ROWS, LINE, NOTHING, NextPixels, Share, Unseen, asks, piece_floats, prefetch, prefetch_l2,
    prefetch_pixels,
};
use super::block::Block;
#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512, Avx512Half};
use crate::simd::{Portable, Simd};
use std::mem::MaybeUninit;

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
    /// Whether the result is added to what stands in the output.
    pub(crate) accumulate: bool,
}

#[inline(always)]
unsafe fn correlate_tile<S: Simd, const T: usize, const R: usize, const V: usize, const ADD: bool, const ASKS: Asks>(
    c: &Correlation,
    input: *const f32,
    weights: *const f32,
    output: *mut f32,
    lanes: usize,
    sums: Option<(*mut f32, *mut f32)>,
    mut unseen: Share,
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
        if ASKS == BY_ROWS {
            (0..T).for_each(ask_below);
        }
        let mut piece = 0;
        let mut acc = [[S::zero(); V]; T];
        for r in 0..c.rows {
            let row = input.add(r * c.in_row_pitch);
            let mut w = weights.add(r * (c.run + c.weight_gap) * V * S::LANES);
            let mut j = 0;
            while j < c.run {
                let end = if ASKS == BY_PIECES { c.run.min(j + piece_floats(V * S::LANES)) } else { c.run };
                if ASKS != NOTHING {
                    prefetch::<S>(unseen.next_piece(), unseen.floats);
                }
                if ASKS == BY_PIECES {
                    (piece..T).step_by(unseen.pieces).for_each(ask_below);
                    piece += 1;
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
        if lanes == V * S::LANES {
            for (t, row) in acc.iter_mut().enumerate() {
                for (v, value) in row.iter_mut().enumerate() {
                    let to = pixel(t).add(v * S::LANES);
                    if ADD {
                        *value = S::add(*value, S::load(to));
                    }
                    S::store(to, *value);
                }
            }
        } else {
            let mut spill = [0.0f32; 64];
            for (t, row) in acc.iter().enumerate() {
                for (v, value) in row.iter().enumerate() {
                    S::store(spill.as_mut_ptr().add(v * S::LANES), *value);
                }
                for (lane, value) in spill[..lanes].iter().enumerate() {
                    let to = pixel(t).add(lane);
                    *to = if ADD { *to + value } else { *value };
                }
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
unsafe fn correlate_body<S: Simd, const V: usize, const ADD: bool, const ASKS: Asks>(
    c: &Correlation,
    input: *const f32,
    weights: *const f32,
    output: *mut f32,
    sums: Option<(*mut f32, *mut f32)>,
) {
    let width = V * S::LANES;
    let pieces = if ASKS == BY_PIECES { c.rows * c.run.div_ceil(piece_floats(width)) } else { c.rows };
    let blocks = c.channels_out.div_ceil(width);
    for block in 0..blocks {
        let lanes = width.min(c.channels_out - block * width);
        // SAFETY: as `correlate`: every offset below lies within the correlation.
        unsafe {
            let w = weights.add(block * c.rows * c.run * width);
            let sums = sums.map(|(s, q)| (s.add(block * width), q.add(block * width)));
            // Rows of two or three pixels are too few products at once, and are worked through in pairs.
            let paired = if (2..=3).contains(&c.out_w) { c.out_h / 2 * 2 } else { 0 };
            for y in 0..c.out_h {
                let from = input.offset(c.in_origin + (y * c.in_y_step) as isize);
                let to = output.add(c.out_origin + y * c.out_y_step + block * width);
                if y < paired {
                    match (y % 2, c.out_w) {
                        (0, 3) => correlate_tile::<S, 6, 2, V, ADD, NOTHING>(c, from, w, to, lanes, sums, Share::NONE),
                        (0, 2) => correlate_tile::<S, 4, 2, V, ADD, NOTHING>(c, from, w, to, lanes, sums, Share::NONE),
                        _ => {}
                    }
                    continue;
                }
                let mut unseen = Unseen::of(c, from, (block, blocks));
                if ASKS == NOTHING && c.rows == 1 {
                    prefetch::<S>(unseen.input, unseen.floats);
                }
                // Offsets, for a pointer past the last pixel may lie past the buffer.
                let (mut left, mut at_in, mut at_out) = (c.out_w, 0, 0);
                macro_rules! tiles {
                    ($t:literal, $while:expr) => {
                        while $while {
                            let share = if ASKS == NOTHING { Share::NONE } else { unseen.share($t, c.out_w, pieces) };
                            correlate_tile::<S, $t, 1, V, ADD, ASKS>(c, from.add(at_in), w, to.add(at_out), lanes, sums, share);
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

/// Sums of outer products, as strides in floats: for pixels (y, x) of some images, `acc[j][o] += input[n, y, x, j] · grad[n, y, x, o]`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OuterProduct {
    pub(crate) images: usize,
    pub(crate) in_image_step: usize,
    pub(crate) grad_image_step: usize,
    pub(crate) in_y_step: usize,
    pub(crate) in_x_step: usize,
    pub(crate) grad_y_step: usize,
    pub(crate) grad_x_step: usize,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    /// Window floats j.
    pub(crate) run: usize,
    /// Floats to the same pixels of the images that come next, which are asked for in advance; 0: they are not.
    pub(crate) next_input: usize,
    pub(crate) next_grad: usize,
    /// The share of the input that is asked for, `(index, of)`.
    pub(crate) input_share: (usize, usize),
    /// Valid output channels of this block; the rest of the block's lanes is left at zero.
    pub(crate) lanes: usize,
}

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

/// Copies the block of the gradient, so that its pixels lie side by side, and fills up the lanes of a block that is not
/// whole. Gives the product of the same pixels with the copy.
#[inline(always)]
unsafe fn gather<S: Simd, const V: usize>(p: &OuterProduct, grad: *const f32, gathered: *mut f32) -> OuterProduct {
    let width = V * S::LANES;
    let mut to = gathered;
    for image in 0..p.images {
        for y in 0..p.rows {
            for x in 0..p.width {
                // SAFETY: `accumulate_outer`'s promise; `gathered` holds all of these pixels.
                unsafe {
                    let from = grad.add(image * p.grad_image_step + y * p.grad_y_step + x * p.grad_x_step);
                    if p.next_grad > 0 {
                        prefetch_l2::<S>(from.wrapping_add(p.next_grad), width);
                    }
                    if p.lanes == width {
                        for v in 0..V {
                            S::store(to.add(v * S::LANES), S::load(from.add(v * S::LANES)));
                        }
                    } else {
                        for lane in 0..width {
                            *to.add(lane) = if lane < p.lanes { *from.add(lane) } else { 0.0 };
                        }
                    }
                    to = to.add(width);
                }
            }
        }
    }
    OuterProduct {
        grad_image_step: p.rows * p.width * width,
        grad_y_step: p.width * width,
        grad_x_step: width,
        next_grad: 0,
        ..*p
    }
}

#[inline(always)]
unsafe fn outer_tile<S: Simd, const M: usize, const V: usize, const ASKS: bool>(
    p: &OuterProduct,
    input: *const f32,
    grad: *const f32,
    acc_out: *mut f32,
    next: NextPixels,
) {
    // SAFETY: `accumulate_outer` was given buffers that hold all of it.
    unsafe {
        let mut acc = [[S::zero(); V]; M];
        for (m, row) in acc.iter_mut().enumerate() {
            for (v, value) in row.iter_mut().enumerate() {
                *value = S::load(acc_out.add((m * V + v) * S::LANES));
            }
        }
        for image in 0..p.images {
            for y in 0..p.rows {
                let mut from = input.add(image * p.in_image_step + y * p.in_y_step);
                let mut g = grad.add(image * p.grad_image_step + y * p.grad_y_step);
                if ASKS {
                    prefetch_pixels::<S>(from, next.input, p.in_x_step, p.run, next.input_pixels, next.into_l2);
                    prefetch_pixels::<S>(g, next.grad, p.grad_x_step, V * S::LANES, next.grad_pixels, next.into_l2);
                }
                for _ in 0..p.width {
                    let mut gv = [S::zero(); V];
                    for (v, value) in gv.iter_mut().enumerate() {
                        *value = S::load(g.add(v * S::LANES));
                    }
                    for m in 0..M {
                        let x = S::splat(*from.add(m));
                        for v in 0..V {
                            acc[m][v] = S::fma(x, gv[v], acc[m][v]);
                        }
                    }
                    // Past the end after the last pixel, where nothing is read.
                    from = from.wrapping_add(p.in_x_step);
                    g = g.wrapping_add(p.grad_x_step);
                }
            }
        }
        for (m, row) in acc.iter().enumerate() {
            for (v, value) in row.iter().enumerate() {
                S::store(acc_out.add((m * V + v) * S::LANES), *value);
            }
        }
    }
}

#[inline(always)]
unsafe fn outer_body<S: Simd, const V: usize, const ASKS: bool>(
    p: &OuterProduct,
    input: *const f32,
    grad: *const f32,
    acc: *mut f32,
) {
    let width = V * S::LANES;
    let most = outer_pixels(width);
    // Pixels of many channels lie a power of two apart and share a few sets of the cache, which hold a part of them only.
    let gathers = p.lanes < width || (p.grad_x_step >= 256 && p.run >= 64);
    let mut gathered = Gathered(MaybeUninit::uninit());
    // Some pixels of a row, or some rows of an image, few enough to stay in L1, or some images that are small.
    let columns_at_once = if gathers { most.min(p.width) } else { p.width };
    let row_floats = p.width * (p.grad_x_step + p.in_x_step);
    let rows_at_once = match gathers {
        true => most / p.width.max(1),
        false => (6144 / row_floats.max(1)).max(most.div_ceil(p.width.max(1))),
    };
    let rows_at_once = rows_at_once.min(p.rows).max(1);
    let images_at_once = if p.images > 1 { (most / (p.rows * p.width)).clamp(1, p.images) } else { 1 };
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
            let input = input.add(image * p.in_image_step + y * p.in_y_step + x * p.in_x_step);
            let mut grad = grad.add(image * p.grad_image_step + y * p.grad_y_step + x * p.grad_x_step);
            if gathers {
                part = gather::<S, V>(&part, grad, gathered.0.as_mut_ptr().cast());
                grad = gathered.0.as_ptr().cast();
            }
            let mut j = 0;
            macro_rules! tiles {
                ($m:literal, $most:expr) => {
                    let end = j + ($most / $m) * $m;
                    while j < end {
                        let next = if ASKS { NextPixels::of(&part, j, $m) } else { NextPixels::default() };
                        outer_tile::<S, $m, V, ASKS>(&part, input.add(j), grad, acc.add(j * width), next);
                        j += $m;
                    }
                };
            }
            // As many accumulators as registers hold, see `correlate_body`; a small last tile would wait on its own
            // products, so the others are made smaller, or one larger.
            if V == 4 || (V == 2 && S::LANES == 8) {
                let fives = if p.run == 9 { 5 } else { (6 - p.run % 6) % 6 * 5 };
                tiles!(5, if fives <= p.run { fives } else { 0 });
                tiles!(6, p.run - j);
            } else {
                tiles!(9, if p.run % 8 == 1 && p.run > 1 { 9 } else { 0 });
                tiles!(8, p.run - j);
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

macro_rules! compiled {
    ($name:ident, $features:literal, $simd:ty, $v:literal, $body:ident[$($form:expr),*]($($arg:ident : $ty:ty),*)) => {
        #[target_feature(enable = $features)]
        unsafe fn $name($($arg: $ty),*) {
            // SAFETY: the caller's promise is passed on.
            unsafe { $body::<$simd, $v $(, $form)*>($($arg),*) }
        }
    };
}

macro_rules! by_block {
    ($(#[$doc:meta])* $name:ident, $body:ident[$($form:expr),*]($($arg:ident : $ty:ty),*)) => {
        $(#[$doc])*
        pub(crate) unsafe fn $name(block: Block, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            compiled!(avx2x1, "avx2,fma", Avx2, 1, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(avx2x2, "avx2,fma", Avx2, 2, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(half, "avx512f,avx512vl,avx2,fma", Avx512Half, 1, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(avx512x1, "avx512f,avx512vl,avx2,fma", Avx512, 1, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(avx512x2, "avx512f,avx512vl,avx2,fma", Avx512, 2, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(avx512x4, "avx512f,avx512vl,avx2,fma", Avx512, 4, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "aarch64")]
            compiled!(neonx2, "neon", Neon, 2, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "aarch64")]
            compiled!(neonx4, "neon", Neon, 4, $body[$($form),*]($($arg: $ty),*));
            // SAFETY: a block of a kind is only picked by an `Isa` that has its instructions; buffers are the caller's promise.
            unsafe {
                match block {
                    Block::Portable => $body::<Portable, 1 $(, $form)*>($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx2x1 => avx2x1($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx2x2 => avx2x2($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx512Half => half($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx512x1 => avx512x1($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx512x2 => avx512x2($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx512x4 => avx512x4($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    Block::Neonx2 => neonx2($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    Block::Neonx4 => neonx4($($arg),*),
                }
            }
        }
    };
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
        match (c.accumulate, asks(block, c)) {
            (false, NOTHING) => writing(block, c, input, weights, output, sums),
            (false, BY_ROWS) => writing_by_rows(block, c, input, weights, output, sums),
            (false, _) => writing_by_pieces(block, c, input, weights, output, sums),
            (true, BY_PIECES) => adding_by_pieces(block, c, input, weights, output, sums),
            (true, _) => adding_by_rows(block, c, input, weights, output, sums),
        }
    }
}

macro_rules! correlations {
    ($($name:ident[$add:literal, $asks:expr])*) => {$(
        by_block!($name, correlate_body[$add, { $asks }](c: &Correlation, input: *const f32, weights: *const f32, output: *mut f32, sums: Option<(*mut f32, *mut f32)>));
    )*};
}

correlations!(
    writing[false, NOTHING] writing_by_rows[false, BY_ROWS] writing_by_pieces[false, BY_PIECES]
    adding_by_rows[true, BY_ROWS] adding_by_pieces[true, BY_PIECES]
);

/// Adds outer products of some images and one block of output channels to `acc`, `[run][block width]`.
///
/// # Safety
/// As [`correlate`].
pub(crate) unsafe fn accumulate_outer(block: Block, p: &OuterProduct, input: *const f32, grad: *const f32, acc: *mut f32) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match p.next_input | p.next_grad {
            0 => outer(block, p, input, grad, acc),
            _ => outer_asking(block, p, input, grad, acc),
        }
    }
}

by_block!(outer, outer_body[false](p: &OuterProduct, input: *const f32, grad: *const f32, acc: *mut f32));
by_block!(outer_asking, outer_body[true](p: &OuterProduct, input: *const f32, grad: *const f32, acc: *mut f32));
