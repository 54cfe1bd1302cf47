//! The factorised head's workspaces, cut into blocks of channels, and what is done with one block.

use super::kernels::{self, Affine, LANES, Lanes, Projection};
use crate::pairs::{EPS, PairHeadParams, RelationPair, RelationPairs};
use crate::{Buffer, Buffers, Isa};
use rayon::prelude::*;

/// Feature rows that one task turns back into `[N, Hd]`.
const ROWS_A_TASK: usize = 64;

/// The two projections of a batch, `[N, hidden]` each, without bias.
#[derive(Debug, Clone, Copy)]
pub(super) struct Projections<'a> {
    pub(super) left: &'a [f32],
    pub(super) right: &'a [f32],
    pub(super) hidden: usize,
    pub(super) views: usize,
    pub(super) images: usize,
    pub(super) shifts: usize,
}

/// What the logits' gradients give to the backward pass: one for each row of pairs, and their sums for each feature row.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogitGradients<'a> {
    pub(super) of_rows: &'a [f32],
    pub(super) of_left: &'a [f32],
    pub(super) of_right: &'a [f32],
}

/// Rows of [`Lanes`], which start on a cache line, so that no vector lies across two of them.
#[derive(Debug)]
pub(super) struct Rows(Buffer);

impl Rows {
    fn new(count: usize, buffers: &mut Buffers) -> Self {
        Self(buffers.zeros(count * LANES))
    }

    pub(super) fn lanes(&self) -> &[Lanes] {
        self.0.as_chunks().0
    }

    fn lanes_mut(&mut self) -> &mut [Lanes] {
        self.0.as_chunks_mut().0
    }
}

/// Eight buffers of N rows, each `[block of channels][row][LANES]`.
#[derive(Debug)]
pub(super) struct Blocks {
    pub(super) channels: Vec<Channels>,
    pub(super) left: Rows,
    pub(super) negated_right: Rows,
    standard_left: Rows,
    standard_right: Rows,
    partners_of_left: Rows,
    partners_of_right: Rows,
    open_left: Rows,
    open_right: Rows,
}

/// What one block of channels is normalised by, and the gradients of its parameters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Channels {
    /// What centring took away from both sides.
    shift: [f64; LANES],
    affine: Affine,
    /// Statistics of the batch without the linear layer's bias.
    pub(super) mean: [f64; LANES],
    pub(super) var: [f64; LANES],
    pub(super) d_weight: [f64; LANES],
    pub(super) d_bias: [f64; LANES],
    pub(super) d_w2: [f64; LANES],
}

/// One task's share of the workspaces: a block of channels of all feature rows.
pub(super) struct Block<'a> {
    first: usize,
    channels: &'a mut Channels,
    left: &'a mut [Lanes],
    negated_right: &'a mut [Lanes],
    standard_left: &'a mut [Lanes],
    standard_right: &'a mut [Lanes],
    partners_of_left: &'a mut [Lanes],
    partners_of_right: &'a mut [Lanes],
    open_left: &'a mut [Lanes],
    open_right: &'a mut [Lanes],
}

/// Rows from one block of channels to the next: an odd number, so that the blocks of one feature row do not all claim
/// the same sets of the cache.
pub(super) fn stride(rows: usize) -> usize {
    rows.next_multiple_of(8) + 5
}

/// The entry of a parameter for each channel of a block; 0 past the last.
pub(super) fn lanes_of(values: &[f32], first: usize) -> Lanes {
    std::array::from_fn(|x| values.get(first + x).copied().unwrap_or(0.0))
}

impl Blocks {
    pub(super) fn new(rows: usize, hidden: usize, buffers: &mut Buffers) -> Self {
        let blocks = hidden.div_ceil(LANES);
        let channels = buffers.vec(blocks);
        let mut lanes = || Rows::new(blocks * stride(rows), buffers);
        Self {
            channels,
            left: lanes(),
            negated_right: lanes(),
            standard_left: lanes(),
            standard_right: lanes(),
            partners_of_left: lanes(),
            partners_of_right: lanes(),
            open_left: lanes(),
            open_right: lanes(),
        }
    }

    /// Every block of a batch of `n` feature rows.
    pub(super) fn each(&mut self, n: usize) -> impl ParallelIterator<Item = Block<'_>> {
        let stride = stride(n);
        let sides = self.left.lanes_mut().par_chunks_mut(stride).zip(self.negated_right.lanes_mut().par_chunks_mut(stride));
        let standards =
            self.standard_left.lanes_mut().par_chunks_mut(stride).zip(self.standard_right.lanes_mut().par_chunks_mut(stride));
        let partners = self
            .partners_of_left
            .lanes_mut()
            .par_chunks_mut(stride)
            .zip(self.partners_of_right.lanes_mut().par_chunks_mut(stride));
        let open = self.open_left.lanes_mut().par_chunks_mut(stride).zip(self.open_right.lanes_mut().par_chunks_mut(stride));
        let blocks = self.channels.par_iter_mut().zip(sides).zip(standards).zip(partners).zip(open).enumerate();
        blocks.map(move |(index, ((((channels, sides), standards), partners), open))| Block {
            first: index * LANES,
            channels,
            left: &mut sides.0[..n],
            negated_right: &mut sides.1[..n],
            standard_left: &mut standards.0[..n],
            standard_right: &mut standards.1[..n],
            partners_of_left: &mut partners.0[..n],
            partners_of_right: &mut partners.1[..n],
            open_left: &mut open.0[..n],
            open_right: &mut open.1[..n],
        })
    }

    /// What [`Block::backward`] left, as `[n, hidden]`.
    pub(super) fn write_gradients(&self, n: usize, hidden: usize, d_left: &mut [f32], d_right: &mut [f32]) {
        let stride = stride(n);
        let write = |blocks: &[Lanes], first_row: usize, to: &mut [f32]| {
            for (row, to) in to.chunks_exact_mut(hidden).enumerate() {
                for (block, to) in to.chunks_mut(LANES).enumerate() {
                    let from = &blocks[block * stride + first_row + row];
                    match to.first_chunk_mut::<LANES>() {
                        Some(whole) => *whole = *from,
                        None => to.copy_from_slice(&from[..to.len()]),
                    }
                }
            }
        };
        let piece = ROWS_A_TASK * hidden;
        let pieces = d_left.par_chunks_mut(piece).zip(d_right.par_chunks_mut(piece)).enumerate();
        pieces.for_each(|(index, (left, right))| {
            write(self.open_left.lanes(), index * ROWS_A_TASK, left);
            write(self.open_right.lanes(), index * ROWS_A_TASK, right);
        });
    }
}

impl Block<'_> {
    /// Normalises by the batch's own statistics.
    pub(super) fn normalise_by_batch(
        mut self,
        isa: Isa,
        from: Projections<'_>,
        pairs: &[RelationPair],
        params: PairHeadParams<'_>,
    ) {
        self.centre(isa, from);
        let Self { first, channels, left, negated_right: right, partners_of_left, partners_of_right, .. } = &mut self;
        kernels::sum_partners(isa, from.views, from.shifts, pairs, left, right, partners_of_left, partners_of_right);
        let [sum, square] = kernels::moments(isa, from.views, from.shifts, left, right, partners_of_left);
        let rows = RelationPairs::rows(from.views, from.images, from.shifts) as f64;
        for x in 0..LANES {
            let mean = sum[x] / rows;
            let var = (square[x] / rows - mean * mean).max(0.0);
            channels.mean[x] = channels.shift[x] + mean;
            channels.var[x] = var;
            channels.affine.set(x, *first, mean, var, params);
        }
        self.normalise(isa);
    }

    /// Normalises by running statistics, which count the linear layer's bias in.
    pub(super) fn normalise_by_running(
        mut self,
        isa: Isa,
        from: Projections<'_>,
        mean: &[f32],
        var: &[f32],
        params: PairHeadParams<'_>,
    ) {
        self.centre(isa, from);
        let [mean, var, bias] = [mean, var, params.bias].map(|values| lanes_of(values, self.first).map(f64::from));
        for x in 0..LANES {
            self.channels.affine.set(x, self.first, mean[x] - bias[x] - self.channels.shift[x], var[x], params);
        }
        self.normalise(isa);
    }

    fn centre(&mut self, isa: Isa, from: Projections<'_>) {
        let Projections { left, right, hidden, images, .. } = from;
        let left_mean = kernels::centre(isa, left, hidden, self.first, images, self.left);
        let right_mean = kernels::centre(isa, right, hidden, self.first, images, self.negated_right);
        self.channels.shift = std::array::from_fn(|x| f64::from(left_mean[x]) + f64::from(right_mean[x]));
    }

    fn normalise(self, isa: Isa) {
        let affine = &self.channels.affine;
        kernels::normalise(isa, affine, self.left, self.negated_right, self.standard_left, self.standard_right);
    }

    /// Leaves the gradients of the projections in `open_left` and `open_right`, those of the parameters in `channels`.
    pub(super) fn backward(
        self,
        isa: Isa,
        (views, shifts): (usize, usize),
        pairs: &[RelationPair],
        d_logits: LogitGradients<'_>,
        params: PairHeadParams<'_>,
    ) {
        let Block { first, channels, open_left, open_right, .. } = self;
        kernels::sum_open(isa, pairs, self.left, self.negated_right, d_logits.of_rows, open_left, open_right);
        let [sum, left_product] = kernels::reduce(isa, views, d_logits.of_left, self.standard_left, open_left);
        let [_, right_product] = kernels::reduce(isa, views, d_logits.of_right, self.standard_right, open_right);

        let w2 = lanes_of(params.w2, first);
        let rows = d_logits.of_rows.len() as f64;
        let Affine { mean, inv_std, weight, bias } = channels.affine;
        let mut by_left = Projection { inv_std, ..Projection::default() };
        let mut right_constant = [0.0; LANES];
        for x in 0..LANES {
            let [w2, mean, inv_std, weight, bias] = [w2[x], mean[x], inv_std[x], weight[x], bias[x]].map(f64::from);
            let product = left_product[x] + right_product[x];
            channels.d_weight[x] = w2 * product;
            channels.d_bias[x] = w2 * sum[x];
            // Σ dz · LeakyReLU(u) = Σ dz · LeakyReLU'(u) · u, and u = weight · x̂ + bias.
            channels.d_w2[x] = weight * product + bias * sum[x];
            let scale = weight * inv_std;
            let constant = scale * channels.d_bias[x] / rows;
            let standard = scale * channels.d_weight[x] / rows;
            by_left.gain[x] = (scale * w2) as f32;
            by_left.constant[x] = constant as f32;
            by_left.standard[x] = standard as f32;
            // The partners of a right row are left rows, from which the mean is not yet taken away.
            right_constant[x] = (constant - standard * inv_std * mean) as f32;
        }
        let by_right = Projection { constant: right_constant, ..by_left };
        kernels::project(isa, views, shifts, true, &by_left, self.standard_left, self.partners_of_left, open_left);
        kernels::project(isa, views, shifts, false, &by_right, self.standard_right, self.partners_of_right, open_right);
    }
}

impl Affine {
    /// Channel x of the block that starts at channel `first`.
    fn set(&mut self, x: usize, first: usize, mean: f64, var: f64, params: PairHeadParams<'_>) {
        let of = |values: &[f32]| values.get(first + x).copied().unwrap_or(0.0);
        self.mean[x] = mean as f32;
        self.inv_std[x] = (1.0 / (var + EPS).sqrt()) as f32;
        self.weight[x] = of(params.bn_weight);
        self.bias[x] = of(params.bn_bias);
    }
}
