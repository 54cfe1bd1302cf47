//! Matrix products for linear layers, without bias: rows x weights, and both gradients.
//!
//! `out[r, o] = Σ_i in[r, i] · w[o, i]` for weights `[out, in]` as PyTorch's `Linear` keeps them. The inner loops are
//! the convolution's: a linear layer is a 1 x 1 convolution over a row of pixels.

mod mat_ref;
#[cfg(test)]
mod tests;

pub use mat_ref::MatRef;

use crate::conv::block::{Block, pack_columns, pack_rows, unpack_columns};
use crate::conv::geometry::{Correlation, OuterProduct, Store};
use crate::conv::outer::accumulate_outer;
use crate::conv::sum_pieces;
use crate::conv::tile;
use crate::layout::holds;
use crate::{Isa, scratch};
use rayon::prelude::*;

/// Rows that one task takes; fixed, so that results do not depend on the number of threads.
const TASK_ROWS: usize = 64;

/// `out[r, o] = Σ_i a[r, i] · b[i, o]`, or added to `out` where `accumulate`.
///
/// # Panics
/// Where the matrices do not fit together, or `out` is shorter than `[a.rows, b.columns]`.
pub fn matmul(isa: Isa, a: MatRef<'_>, b: MatRef<'_>, out: &mut [f32], accumulate: bool) {
    check(a.columns == b.rows, a.rows, b.columns, out);
    product(isa, a, b.columns, out, accumulate, |width, packed| pack_columns(b.data, b.columns, width, packed));
}

/// As [`matmul`] with the second matrix transposed, `out[r, o] = Σ_i a[r, i] · b[o, i]`: a linear layer's forward pass.
///
/// # Panics
/// As [`matmul`]; `out` is `[a.rows, b.rows]`.
pub fn matmul_transposed(isa: Isa, a: MatRef<'_>, b: MatRef<'_>, out: &mut [f32], accumulate: bool) {
    check(a.columns == b.columns, a.rows, b.rows, out);
    product(isa, a, b.rows, out, accumulate, |width, packed| pack_rows(b.data, b.columns, width, packed));
}

fn check(fits: bool, rows: usize, columns: usize, out: &[f32]) {
    assert!(fits && holds(out, rows, columns), "matrices of a product do not fit together");
}

/// Floats of scratch that a thread uses for a linear layer of at most `rows` rows, all three of its products, see
/// [`crate::reserve_scratch`].
#[must_use]
pub fn linear_scratch_len(isa: Isa, rows: usize, inputs: usize, outputs: usize) -> usize {
    let padded = |columns: usize| {
        let block = Block::pick(isa, columns);
        block.count(columns) * block.width()
    };
    (padded(outputs) * inputs).max(pieces(rows) * padded(inputs) * outputs)
}

/// Pieces of rows that a weight gradient is summed up in.
fn pieces(rows: usize) -> usize {
    rows.div_ceil(512).clamp(1, 8)
}

/// Whether there is nothing to multiply; `out` is then finished.
fn is_empty(inner: usize, out: &mut [f32], accumulate: bool) -> bool {
    if inner == 0 && !accumulate {
        out.fill(0.0);
    }
    inner == 0 || out.is_empty()
}

/// The product of `a` with a matrix of `columns` columns, which `pack` writes in blocks of a width.
fn product(isa: Isa, a: MatRef<'_>, columns: usize, out: &mut [f32], accumulate: bool, pack: impl FnOnce(usize, &mut [f32])) {
    let MatRef { data: a, rows, columns: inner } = a;
    let out = &mut out[..rows * columns];
    if is_empty(inner, out, accumulate) {
        return;
    }
    let block = Block::pick(isa, columns);
    let store = if accumulate { Store::Accumulate } else { Store::Overwrite };
    scratch::with(block.count(columns) * block.width() * inner, |packed| {
        pack(block.width(), packed);
        out.par_chunks_mut(TASK_ROWS * columns).enumerate().for_each(|(task, out)| {
            let c = Correlation { store, ..Correlation::of_rows(out.len() / columns, inner, columns) };
            let from = &a[task * TASK_ROWS * inner..];
            // SAFETY: `out_w` rows of `inner` floats are left in `a` from this task's first; `packed` is [block][inner][width].
            unsafe { tile::correlate(block, &c.into(), from.as_ptr(), packed.as_ptr(), out.as_mut_ptr(), None) };
        });
    });
}

/// `out[i, o] = Σ_r a[r, i] · b[r, o]`, overwritten: with `a = d_out` and `b = input`, the gradient of a linear layer's
/// weights `[out, in]`.
///
/// # Panics
/// As [`matmul`]; `out` is `[a.columns, b.columns]`.
pub fn matmul_of_transposed(isa: Isa, a: MatRef<'_>, b: MatRef<'_>, out: &mut [f32]) {
    check(a.rows == b.rows, a.columns, b.columns, out);
    let (MatRef { data: a, rows, columns: m }, MatRef { data: b, columns, .. }) = (a, b);
    if is_empty(rows, &mut out[..m * columns], false) {
        return;
    }
    let block = Block::pick(isa, columns);
    let (width, blocks) = (block.width(), block.count(columns));
    // Pieces of rows, by their number alone; each piece and block is one task.
    let pieces = pieces(rows);
    let piece_rows = rows.div_ceil(pieces).max(1);
    let len = blocks * m * width;
    scratch::with(pieces * len, |sums| {
        sums.fill(0.0);
        sums.par_chunks_mut(m * width).enumerate().for_each(|(task, acc)| {
            let (piece, part) = (task / blocks, task % blocks);
            let first = (piece * piece_rows).min(rows);
            let count = piece_rows.min(rows - first);
            let p = OuterProduct::of_rows(count, m, columns, width.min(columns - part * width));
            if p.width > 0 {
                // SAFETY: `first + width <= rows`, and the block starts within a row of `b`.
                unsafe {
                    accumulate_outer(
                        block,
                        &p,
                        a.as_ptr().add(first * m),
                        b.as_ptr().add(first * columns + part * width),
                        acc.as_mut_ptr(),
                    );
                }
            }
        });
        sum_pieces(sums, len);
        unpack_columns(&sums[..len], columns, width, &mut out[..m * columns]);
    });
}
