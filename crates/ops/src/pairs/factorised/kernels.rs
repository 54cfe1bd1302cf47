//! The inner loops of the factorised head. All but the logits work on 16 channels at a time, of all rows.
//!
//! Feature rows lie as `[view][image]` of [`Lanes`]; sums run in f32 over the images of a view and in f64 from there on.

use crate::pairs::{RelationPair, SLOPE, leaky};
use crate::simd::multiversion;

/// Channels a block.
pub(super) const LANES: usize = 16;

/// One value for each channel of a block.
pub(super) type Lanes = [f32; LANES];

/// The channels of a block of one row; those past the last are zero.
#[inline(always)]
fn channels_of(row: &[f32], first: usize) -> Lanes {
    let row = &row[first..];
    match row.first_chunk::<LANES>() {
        Some(whole) => *whole,
        None => {
            let mut lanes = [0.0; LANES];
            lanes[..row.len()].copy_from_slice(row);
            lanes
        }
    }
}

/// By value, so that the compiler sees that nothing overlaps, and uses whole vectors.
#[inline(always)]
fn sum(mut a: Lanes, b: Lanes) -> Lanes {
    for x in 0..LANES {
        a[x] += b[x];
    }
    a
}

/// Keeps the compiler from vectorising across rows, with gathers and scatters, a loop whose body is whole vectors. Costs
/// no instruction; without it the AVX-512 form of such loops takes five times as long.
#[inline(always)]
fn row_by_row() {
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}

#[inline(always)]
fn add_f64(to: &mut [f64; LANES], from: &Lanes, weight: f64) {
    for x in 0..LANES {
        to[x] += weight * f64::from(from[x]);
    }
}

multiversion! {
    /// Copies a block of channels out of `rows [N, hidden]` and takes its mean over all rows away, which is returned.
    pub(super) fn centre(isa, rows: &[f32], hidden: usize, first: usize, images: usize, to: &mut [Lanes]) -> Lanes {
        let mut total = [0.0; LANES];
        for (rows, to) in rows.chunks_exact(images * hidden).zip(to.chunks_exact_mut(images)) {
            let mut sum = [0.0; LANES];
            for (row, to) in rows.chunks_exact(hidden).zip(to) {
                *to = channels_of(row, first);
                for x in 0..LANES {
                    sum[x] += to[x];
                }
                row_by_row();
            }
            add_f64(&mut total, &sum, 1.0);
        }
        let mean = total.map(|t| (t / to.len() as f64) as f32);
        for to in to {
            for x in 0..LANES {
                to[x] -= mean[x];
            }
            row_by_row();
        }
        mean
    }
}

multiversion! {
    /// For every left row the sum of the right rows it meets, and the other way round.
    pub(super) fn sum_partners(
        isa, views: usize, shifts: usize, pairs: &[RelationPair], left: &[Lanes], right: &[Lanes],
        of_left: &mut [Lanes], of_right: &mut [Lanes],
    ) {
        let images = left.len() / views;
        // Positives: image b of view i meets image b of every later view.
        let n = left.len();
        of_left[n - images..].fill([0.0; LANES]);
        for row in (0..n - images).rev() {
            of_left[row] = sum(of_left[row + images], right[row + images]);
            row_by_row();
        }
        of_right[..images].fill([0.0; LANES]);
        for row in images..n {
            of_right[row] = sum(of_right[row - images], left[row - images]);
            row_by_row();
        }
        if shifts > 1 {
            let times = shifts as f32;
            for partners in of_left.iter_mut().chain(of_right.iter_mut()) {
                partners.iter_mut().for_each(|partner| *partner *= times);
                row_by_row();
            }
        }
        for pair in pairs {
            let (i, j) = (pair.first * images, pair.second * images);
            for (a, c) in pair.negative_runs() {
                let lefts = left[i..][a.clone()].iter().zip(&mut of_left[i..][a]);
                let rights = right[j..][c.clone()].iter().zip(&mut of_right[j..][c]);
                for ((l, of_l), (r, of_r)) in lefts.zip(rights) {
                    (*of_l, *of_r) = (sum(*of_l, *r), sum(*of_r, *l));
                    row_by_row();
                }
            }
        }
    }
}

/// Rows of pairs that hold a left row, and a right row, of view `view`.
fn meetings(views: usize, shifts: usize, view: usize) -> (f64, f64) {
    ((2 * shifts * (views - 1 - view)) as f64, (2 * shifts * view) as f64)
}

multiversion! {
    /// Sum and sum of squares of `left[a] + right[c]` over all rows of pairs.
    pub(super) fn moments(
        isa, views: usize, shifts: usize, left: &[Lanes], right: &[Lanes], of_left: &[Lanes],
    ) -> [[f64; LANES]; 2] {
        let images = left.len() / views;
        let (mut sum, mut square) = ([0.0; LANES], [0.0; LANES]);
        for view in 0..views {
            let (lefts, rights) = meetings(views, shifts, view);
            let range = view * images..(view + 1) * images;
            let [mut l1, mut l2, mut r1, mut r2, mut product] = [[0.0; LANES]; 5];
            for ((l, r), of_l) in left[range.clone()].iter().zip(&right[range.clone()]).zip(&of_left[range]) {
                for x in 0..LANES {
                    l1[x] += l[x];
                    l2[x] += l[x] * l[x];
                    r1[x] += r[x];
                    r2[x] += r[x] * r[x];
                    product[x] += l[x] * of_l[x];
                }
                row_by_row();
            }
            add_f64(&mut sum, &l1, lefts);
            add_f64(&mut sum, &r1, rights);
            add_f64(&mut square, &l2, lefts);
            add_f64(&mut square, &r2, rights);
            add_f64(&mut square, &product, 2.0);
        }
        [sum, square]
    }
}

/// BatchNorm over one block of channels, whose `x̂` is `(left − mean + right) · inv_std`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Affine {
    pub(super) mean: Lanes,
    pub(super) inv_std: Lanes,
    pub(super) weight: Lanes,
    pub(super) bias: Lanes,
}

multiversion! {
    /// Splits `x̂` into a left and a right part, and leaves in `left` and `right` BatchNorm's output as a difference of two:
    /// `weight · x̂_left + bias` and `−weight · x̂_right`.
    pub(super) fn normalise(
        isa, by: &Affine, left: &mut [Lanes], right: &mut [Lanes], standard_left: &mut [Lanes], standard_right: &mut [Lanes],
    ) {
        let Affine { mean, inv_std, weight, bias } = *by;
        let standards = standard_left.iter_mut().zip(standard_right);
        for ((l, r), (standard_l, standard_r)) in left.iter_mut().zip(right).zip(standards) {
            let (mut x_l, mut x_r) = (*l, *r);
            for x in 0..LANES {
                x_l[x] = (x_l[x] - mean[x]) * inv_std[x];
            }
            for x in 0..LANES {
                x_r[x] *= inv_std[x];
            }
            (*standard_l, *standard_r) = (x_l, x_r);
            for x in 0..LANES {
                x_l[x] = x_l[x] * weight[x] + bias[x];
            }
            for x in 0..LANES {
                x_r[x] *= -weight[x];
            }
            (*l, *r) = (x_l, x_r);
            row_by_row();
        }
    }
}

/// The sum of all lanes, always in the same order.
#[inline(always)]
fn across(lanes: &Lanes) -> f32 {
    let mut eight = [0.0; 8];
    for x in 0..8 {
        eight[x] = lanes[x] + lanes[x + 8];
    }
    let mut four = [0.0; 4];
    for x in 0..4 {
        four[x] = eight[x] + eight[x + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
}

multiversion! {
    /// Logits of one pair's rows. `left` and `negated_right` are blocks of `stride` rows as [`normalise`] leaves them.
    pub(super) fn logits(
        isa, pair: &RelationPair, stride: usize, left: &[Lanes], negated_right: &[Lanes], w2: &[Lanes], b2: f32,
        positives: &mut [f32], negatives: &mut [f32],
    ) {
        let images = pair.images;
        let (i, j) = (pair.first * images, pair.second * images);
        for (b, (positive, negative)) in positives.iter_mut().zip(negatives).enumerate() {
            let (a, c, rolled) = (i + b, j + b, j + pair.rolled(b));
            let (mut same, mut other) = ([0.0; LANES], [0.0; LANES]);
            for ((l, r), w) in left.chunks_exact(stride).zip(negated_right.chunks_exact(stride)).zip(w2) {
                let (l, r_same, r_other) = (&l[a], &r[c], &r[rolled]);
                for x in 0..LANES {
                    same[x] += leaky(l[x] - r_same[x]) * w[x];
                    other[x] += leaky(l[x] - r_other[x]) * w[x];
                }
            }
            *positive = across(&same) + b2;
            *negative = across(&other) + b2;
        }
    }
}

#[inline(always)]
fn add_open<'a>(
    lefts: impl Iterator<Item = (&'a Lanes, &'a mut Lanes)>,
    rights: impl Iterator<Item = (&'a Lanes, &'a mut Lanes)>,
    d_logits: &[f32],
) {
    for (((l, open_l), (r, open_r)), d) in lefts.zip(rights).zip(d_logits) {
        let (l, r, d, mut open) = (*l, *r, *d, [0.0; LANES]);
        for x in 0..LANES {
            open[x] = if l[x] > r[x] { d } else { 0.0 };
        }
        // Both loads before either store: the two rows often lie at the same offset in their pages, and would wait.
        (*open_l, *open_r) = (sum(*open_l, open), sum(*open_r, open));
        row_by_row();
    }
}

multiversion! {
    /// For every feature row and channel, the sum of its rows' logit gradients where BatchNorm's output is above zero.
    /// `d_logits` are those of all rows, in the rows' order.
    pub(super) fn sum_open(
        isa, pairs: &[RelationPair], left: &[Lanes], negated_right: &[Lanes], d_logits: &[f32],
        open_left: &mut [Lanes], open_right: &mut [Lanes],
    ) {
        open_left.fill([0.0; LANES]);
        open_right.fill([0.0; LANES]);
        let images = pairs[0].images;
        for (pair, d_logits) in pairs.iter().zip(d_logits.chunks_exact(2 * images)) {
            let (i, j) = (pair.first * images, pair.second * images);
            let (positives, negatives) = d_logits.split_at(images);
            let rows = |to: usize| to..to + images;
            add_open(
                left[rows(i)].iter().zip(&mut open_left[rows(i)]),
                negated_right[rows(j)].iter().zip(&mut open_right[rows(j)]),
                positives,
            );
            for (a, c) in pair.negative_runs() {
                add_open(
                    left[i..][a.clone()].iter().zip(&mut open_left[i..][a.clone()]),
                    negated_right[j..][c.clone()].iter().zip(&mut open_right[j..][c]),
                    &negatives[a],
                );
            }
        }
    }
}

multiversion! {
    /// Turns [`sum_open`]'s sums into those of `dz · LeakyReLU'(u)`, with `d_rows` the sums of dz of each feature row, and
    /// adds up over all rows: these sums, and their products with this side's part of `x̂`.
    pub(super) fn reduce(isa, views: usize, d_rows: &[f32], standard: &[Lanes], open: &mut [Lanes]) -> [[f64; LANES]; 2] {
        let images = open.len() / views;
        let mut totals = [[0.0; LANES]; 2];
        let sides = standard.chunks_exact(images).zip(d_rows.chunks_exact(images));
        for (open, (standard, d_rows)) in open.chunks_exact_mut(images).zip(sides) {
            let (mut slopes, mut products) = ([0.0; LANES], [0.0; LANES]);
            for ((open, standard), d) in open.iter_mut().zip(standard).zip(d_rows) {
                let (standard, d, mut slope) = (*standard, *d, *open);
                for slope in &mut slope {
                    *slope = SLOPE * d + (1.0 - SLOPE) * *slope;
                }
                *open = slope;
                slopes = sum(slopes, slope);
                for x in 0..LANES {
                    products[x] += slope[x] * standard[x];
                }
                row_by_row();
            }
            add_f64(&mut totals[0], &slopes, 1.0);
            add_f64(&mut totals[1], &products, 1.0);
        }
        totals
    }
}

/// `d_projection = gain · slope − constant · n − standard · (n · x̂ part + inv_std · partners)`, n rows of pairs a feature
/// row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Projection {
    pub(super) gain: Lanes,
    pub(super) constant: Lanes,
    pub(super) standard: Lanes,
    pub(super) inv_std: Lanes,
}

multiversion! {
    /// The gradient of one side's projection, in place of what [`reduce`] left in `slope`.
    pub(super) fn project(
        isa, views: usize, shifts: usize, is_left: bool, by: &Projection, standard: &[Lanes], partners: &[Lanes],
        slope: &mut [Lanes],
    ) {
        let by = *by;
        let images = slope.len() / views;
        let sides = standard.chunks_exact(images).zip(partners.chunks_exact(images));
        for (view, (slope, (standard, partners))) in slope.chunks_exact_mut(images).zip(sides).enumerate() {
            let (lefts, rights) = meetings(views, shifts, view);
            let n = if is_left { lefts } else { rights } as f32;
            for ((slope, standard), partners) in slope.iter_mut().zip(standard).zip(partners) {
                let (standard, partners, mut value) = (*standard, *partners, *slope);
                for x in 0..LANES {
                    let whole = n * standard[x] + by.inv_std[x] * partners[x];
                    value[x] = by.gain[x] * value[x] - by.constant[x] * n - by.standard[x] * whole;
                }
                *slope = value;
                row_by_row();
            }
        }
    }
}
