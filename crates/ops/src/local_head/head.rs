use super::kernels::{first_layer, into_first_layer, into_second_layer, logits};
use super::{LocalBatch, LocalHeadGrads, LocalHeadParams, LocalHeadShape, LocalOutcome};
use crate::conv::block::{Block, pack_columns, pack_rows, unpack_columns};
use crate::conv::geometry::{Correlation, OuterProduct};
use crate::conv::outer::accumulate_outer;
use crate::conv::sum_pieces;
use crate::conv::tile;
use crate::layout::addressable;
use crate::linear::{MatRef, matmul, matmul_of_transposed, matmul_transposed};
use crate::loss::PairLoss;
use crate::{Buffer, Buffers, Error, Isa, Result, chunk_count, chunk_count_at_most, chunk_images, scratch};
use rayon::prelude::*;

/// Places that go through all layers and back at once: three hidden layers of twice as many rows, at H = 256 384 kB, stay in a
/// core's cache beside the weights.
const POSITIONS: usize = 64;

/// The discriminator for batches of up to a number of images, with every gradient; see the module for what it computes.
///
/// Images are cut into pieces by their number alone, and sums join in the pieces' order: the same bits at any number of threads.
#[derive(Debug)]
pub struct LocalHead {
    isa: Isa,
    shape: LocalHeadShape,
    max_rows: usize,
    weights: Weights,
    /// `[N, H]`: features projected, b1 added.
    projected: Buffer,
    /// `[N, H]`: gradients of the first layer summed over a map's positions, beside its own features and beside the other's; then, in the
    /// first, that of `projected`.
    d_own: Buffer,
    d_other: Buffer,
    /// A piece of images each: gradients of W2 and of W_map, packed.
    sums: Buffer,
    /// A piece each: gradients of w3 and b2, of b3, the loss, rows classified correctly.
    totals: Vec<f64>,
    /// `[C, H]` or `[H, D]`, whichever is larger.
    spare: Buffer,
}

/// The weights as the products read them, taken apart again each step.
#[derive(Debug)]
struct Weights {
    /// Tiles of products whose result has H columns, and of one of C.
    wide: Block,
    narrow: Block,
    /// `[H, C]` and `[H, D]`.
    map: Buffer,
    features: Buffer,
    map_forward: Buffer,
    map_backward: Buffer,
    middle_forward: Buffer,
    middle_backward: Buffer,
}

impl LocalHead {
    /// For batches of up to `max_rows` images. With counted `buffers` it says what it would take, and cannot be run. Beside them each thread
    /// takes some hundred kB.
    ///
    /// # Errors
    /// [`Error::Shape`] where a size is 0 or they are more than can be addressed.
    pub fn new(isa: Isa, shape: LocalHeadShape, max_rows: usize, buffers: &mut Buffers) -> Result<Self> {
        let LocalHeadShape { channels, width, hidden } = shape;
        if [channels, width, hidden, max_rows].contains(&0) {
            return Err(error(format!("{shape:?} for {max_rows} images, expected 1 or more of each")));
        }
        let weights = || hidden.checked_mul(channels.checked_add(width)?.checked_add(hidden)?).and_then(addressable);
        if weights().is_none() || max_rows.checked_mul(hidden).and_then(addressable).is_none() {
            return Err(error(format!("{shape:?} for {max_rows} images is more than can be addressed")));
        }
        let (wide, narrow) = (Block::pick(isa, hidden), Block::pick(isa, channels));
        let packed = |block: Block, columns: usize, inner: usize| block.count(columns) * block.width() * inner;
        let pieces = chunk_count_at_most(max_rows);
        Ok(Self {
            isa,
            shape,
            max_rows,
            weights: Weights {
                wide,
                narrow,
                map: buffers.zeros(hidden * channels),
                features: buffers.zeros(hidden * width),
                map_forward: buffers.zeros(packed(wide, hidden, channels)),
                map_backward: buffers.zeros(packed(narrow, channels, hidden)),
                middle_forward: buffers.zeros(packed(wide, hidden, hidden)),
                middle_backward: buffers.zeros(packed(wide, hidden, hidden)),
            },
            projected: buffers.zeros(max_rows * hidden),
            d_own: buffers.zeros(max_rows * hidden),
            d_other: buffers.zeros(max_rows * hidden),
            sums: buffers.zeros(pieces * piece_len(wide, shape)),
            totals: buffers.vec(pieces * totals_len(shape)),
            spare: buffers.zeros(hidden * channels.max(width)),
        })
    }

    /// Loss and all gradients of a batch.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are more images than the head is for, a map's foreign row is its own or none of the batch,
    /// or a position is not on the map.
    ///
    /// # Panics
    /// Where map, features, parameters or gradients are not of the shape's sizes.
    pub fn step(
        &mut self,
        batch: LocalBatch<'_>,
        weight: f32,
        params: LocalHeadParams<'_>,
        grads: LocalHeadGrads<'_>,
    ) -> Result<LocalOutcome> {
        self.check(batch, params, &grads)?;
        let LocalHeadShape { channels, width, hidden } = self.shape;
        let (n, positions) = (batch.foreign.len(), batch.position_count());
        let map_len = batch.layout.pixels() * channels;
        self.weights.take(params, self.shape);
        let Self { isa, weights, projected, d_own, d_other, sums, totals, .. } = self;
        let projected = &mut projected[..n * hidden];
        matmul_transposed(
            *isa,
            MatRef::new(batch.features, n, width),
            MatRef::new(&weights.features, hidden, width),
            projected,
            false,
        );
        for row in projected.chunks_exact_mut(hidden) {
            row.iter_mut().zip(params.b1).for_each(|(q, b)| *q += b);
        }
        let pass = Pass {
            isa: *isa,
            shape: self.shape,
            batch,
            weights,
            projected,
            params,
            scale: (f64::from(weight) / (n * positions) as f64) as f32,
        };
        let (d_own, d_other) = (&mut d_own[..n * hidden], &mut d_other[..n * hidden]);
        let (chunk, pieces) = (chunk_images(n), chunk_count(n));
        let (sums_len, totals_len) = (piece_len(weights.wide, self.shape), totals_len(self.shape));
        let sums = &mut sums[..pieces * sums_len];
        let totals = &mut totals[..pieces * totals_len];
        d_own
            .par_chunks_mut(chunk * hidden)
            .zip(d_other.par_chunks_mut(chunk * hidden))
            .zip(grads.map.par_chunks_mut(chunk * map_len))
            .zip(sums.par_chunks_mut(sums_len).zip(totals.par_chunks_mut(totals_len)))
            .enumerate()
            .for_each(|(piece, (((d_own, d_other), d_map), (sums, totals)))| {
                sums.fill(0.0);
                totals.fill(0.0);
                let each = d_own.chunks_exact_mut(hidden).zip(d_other.chunks_exact_mut(hidden));
                for (image, ((d_own, d_other), d_map)) in each.zip(d_map.chunks_exact_mut(map_len)).enumerate() {
                    pass.image(piece * chunk + image, d_own, d_other, d_map, sums, totals);
                }
            });
        let total = |at: usize| totals.iter().skip(at).step_by(totals_len).sum::<f64>();
        let outcome = LocalOutcome {
            loss: f64::from(weight) * total(2 * hidden + 1) / (n * positions) as f64,
            correct: total(2 * hidden + 2) as usize,
            rows: 2 * n * positions,
        };
        self.write_gradients(batch, grads);
        Ok(outcome)
    }

    /// All gradients but the map's, out of what the pass over the images left in `sums`, `totals`, `d_own` and `d_other`.
    fn write_gradients(&mut self, batch: LocalBatch<'_>, grads: LocalHeadGrads<'_>) {
        let LocalHeadShape { channels, width, hidden } = self.shape;
        let n = batch.foreign.len();
        let Self { isa, weights, d_own, d_other, sums, totals, spare, .. } = self;
        let (sums_len, totals_len) = (piece_len(weights.wide, self.shape), totals_len(self.shape));
        let sums = &mut sums[..chunk_count(n) * sums_len];
        sum_pieces(sums, sums_len);
        let totals = &totals[..chunk_count(n) * totals_len];
        let total = |at: usize| totals.iter().skip(at).step_by(totals_len).sum::<f64>();
        for c in 0..hidden {
            grads.w3[c] = total(c) as f32;
            grads.b2[c] = total(hidden + c) as f32;
        }
        grads.b3[0] = total(2 * hidden) as f32;
        let (d_own, d_other) = (&mut d_own[..n * hidden], &d_other[..n * hidden]);
        for (from, &row) in d_other.chunks_exact(hidden).zip(batch.foreign) {
            d_own[row * hidden..][..hidden].iter_mut().zip(from).for_each(|(to, d)| *to += d);
        }
        for (c, d) in grads.b1.iter_mut().enumerate() {
            *d = d_own.iter().skip(c).step_by(hidden).map(|d| f64::from(*d)).sum::<f64>() as f32;
        }
        matmul(*isa, MatRef::new(d_own, n, hidden), MatRef::new(&weights.features, hidden, width), grads.features, false);
        let (middle, map) = sums[..sums_len].split_at(weights.wide.count(hidden) * weights.wide.width() * hidden);
        unpack_columns(middle, hidden, weights.wide.width(), grads.w2);
        let inputs = channels + width;
        let d_map_weights = &mut spare[..channels * hidden];
        unpack_columns(map, hidden, weights.wide.width(), d_map_weights);
        for (o, to) in grads.w1.chunks_exact_mut(inputs).enumerate() {
            to[..channels].iter_mut().enumerate().for_each(|(c, to)| *to = d_map_weights[c * hidden + o]);
        }
        let d_feature_weights = &mut spare[..hidden * width];
        matmul_of_transposed(*isa, MatRef::new(d_own, n, hidden), MatRef::new(batch.features, n, width), d_feature_weights);
        for (to, from) in grads.w1.chunks_exact_mut(inputs).zip(d_feature_weights.chunks_exact(width)) {
            to[channels..].copy_from_slice(from);
        }
    }

    fn check(&self, batch: LocalBatch<'_>, params: LocalHeadParams<'_>, grads: &LocalHeadGrads<'_>) -> Result<()> {
        let LocalHeadShape { channels, width, .. } = self.shape;
        let (n, pixels, expected) = (batch.foreign.len(), batch.layout.pixels(), self.shape.parameter_lengths());
        let LocalHeadParams { w1, b1, w2, b2, w3, b3 } = params;
        assert_eq!([w1, b1, w2, b2, w3, b3].map(<[f32]>::len), expected, "parameters of a local discriminator");
        let gradients = [&grads.w1, &grads.b1, &grads.w2, &grads.b2, &grads.w3, &grads.b3].map(|d| d.len());
        assert_eq!(gradients, expected, "gradients of a local discriminator");
        assert_eq!(batch.layout.channels, channels, "channels of a map of positions");
        let (map, d_map) = (n * batch.layout.image_len(), n * pixels * channels);
        assert_eq!((batch.map.len(), grads.map.len()), (map, d_map), "maps of positions and their gradient");
        assert_eq!((batch.features.len(), grads.features.len()), (n * width, n * width), "features and their gradient");
        if n < 2 || n > self.max_rows {
            return Err(error(format!("{n} images, expected 2 to {}", self.max_rows)));
        }
        if let Some((map, row)) = batch.foreign.iter().enumerate().find(|&(map, &row)| row >= n || row == map) {
            return Err(error(format!("map {map} is set against row {row}, expected another of the {n}")));
        }
        let wrong = batch.positions.and_then(|positions| positions.iter().find(|position| **position >= pixels));
        if batch.position_count() == 0 || wrong.is_some() {
            let found = wrong.map_or("no position".to_owned(), |position| format!("position {position}"));
            return Err(error(format!("{found}, expected one or more of {pixels}")));
        }
        Ok(())
    }
}

fn error(what: String) -> Error {
    Error::Shape { operator: "local discriminator", what }
}

fn piece_len(wide: Block, shape: LocalHeadShape) -> usize {
    wide.count(shape.hidden) * wide.width() * (shape.hidden + shape.channels)
}

fn totals_len(shape: LocalHeadShape) -> usize {
    2 * shape.hidden + 3
}

impl Weights {
    fn take(&mut self, params: LocalHeadParams<'_>, shape: LocalHeadShape) {
        let LocalHeadShape { channels, width, hidden } = shape;
        let rows = self.map.chunks_exact_mut(channels).zip(self.features.chunks_exact_mut(width));
        for ((map, features), from) in rows.zip(params.w1.chunks_exact(channels + width)) {
            map.copy_from_slice(&from[..channels]);
            features.copy_from_slice(&from[channels..]);
        }
        pack_rows(&self.map, channels, self.wide.width(), &mut self.map_forward);
        pack_columns(&self.map, channels, self.narrow.width(), &mut self.map_backward);
        pack_rows(params.w2, hidden, self.wide.width(), &mut self.middle_forward);
        pack_columns(params.w2, hidden, self.wide.width(), &mut self.middle_backward);
    }
}

/// One step's pass over the images.
struct Pass<'a> {
    isa: Isa,
    shape: LocalHeadShape,
    batch: LocalBatch<'a>,
    weights: &'a Weights,
    projected: &'a [f32],
    params: LocalHeadParams<'a>,
    /// Of each row's loss in the whole.
    scale: f32,
}

impl Pass<'_> {
    /// All positions of one image's map, there and back. Adds to `sums` and `totals`, overwrites the rest.
    fn image(
        &self,
        image: usize,
        d_own: &mut [f32],
        d_other: &mut [f32],
        d_map: &mut [f32],
        sums: &mut [f32],
        totals: &mut [f64],
    ) {
        let LocalHeadShape { channels, hidden, .. } = self.shape;
        let len = self.batch.layout.image_len();
        let map = &self.batch.map[image * len..][..len];
        d_own.fill(0.0);
        d_other.fill(0.0);
        let rows_len = 2 * POSITIONS * hidden;
        scratch::with(3 * rows_len + POSITIONS * channels + 4 * POSITIONS + 4 * hidden, |floats| {
            let (h1, floats) = floats.split_at_mut(rows_len);
            let (h2, floats) = floats.split_at_mut(rows_len);
            let (d_h1, floats) = floats.split_at_mut(rows_len);
            let (block, floats) = floats.split_at_mut(POSITIONS * channels);
            let (logits_and_gradients, parts) = floats.split_at_mut(4 * POSITIONS);
            d_map.fill(0.0);
            for first in (0..self.batch.position_count()).step_by(POSITIONS) {
                let positions = first..self.batch.position_count().min(first + POSITIONS);
                let len = 2 * positions.len() * hidden;
                let block = &mut block[..positions.len() * channels];
                for (number, to) in positions.clone().zip(block.chunks_exact_mut(channels)) {
                    to.copy_from_slice(&map[self.batch.position(number, false)..][..channels]);
                }
                let (h1, h2, d_h1) = (&mut h1[..len], &mut h2[..len], &mut d_h1[..len]);
                parts.fill(0.0);
                self.block(image, block, [h1, h2, d_h1], logits_and_gradients, parts, sums, totals);
                for (sum, part) in [&mut *d_own, &mut *d_other].into_iter().zip(parts.chunks_exact(hidden)) {
                    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                }
                totals.iter_mut().zip(&parts[2 * hidden..]).for_each(|(total, part)| *total += f64::from(*part));
                multiply(self.weights.narrow, &self.weights.map_backward, hidden, channels, &d_h1[..len / 2], block);
                for (number, from) in positions.zip(block.chunks_exact(channels)) {
                    let to = &mut d_map[self.batch.position(number, true)..][..channels];
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                }
            }
        });
    }

    /// A block of positions `[P, C]`: both of its rows through the three layers and back. `parts` are sums `[4, H]` over the block: gradients
    /// of both images' projected features, of w3 and of b2. Leaves the projected positions' gradient in the first half of `d_h1`.
    fn block(
        &self,
        image: usize,
        block: &[f32],
        [h1, h2, d_h1]: [&mut [f32]; 3],
        logits_and_gradients: &mut [f32],
        parts: &mut [f32],
        sums: &mut [f32],
        totals: &mut [f64],
    ) {
        let LocalHeadShape { channels, hidden, .. } = self.shape;
        let (isa, weights, params) = (self.isa, self.weights, self.params);
        let (half, positions) = (h1.len() / 2, block.len() / channels);
        let of = |row: usize| &self.projected[row * hidden..][..hidden];
        multiply(weights.wide, &weights.map_forward, channels, hidden, block, &mut h1[..half]);
        first_layer(isa, of(image), of(self.batch.foreign[image]), h1);
        multiply(weights.wide, &weights.middle_forward, hidden, hidden, h1, h2);

        let (z, d_z) = logits_and_gradients.split_at_mut(2 * POSITIONS);
        let (z, d_z) = (&mut z[..2 * positions], &mut d_z[..2 * positions]);
        logits(isa, params.b2, params.w3, params.b3[0], h2, z);
        let [d_b3, loss, correct] = &mut totals[2 * hidden..] else { unreachable!("three sums follow the two of H") };
        let halves = z.chunks_exact(positions).zip(d_z.chunks_exact_mut(positions));
        for ((z, d_z), positive) in halves.zip([true, false]) {
            *loss += PairLoss::Bce.rows(isa, positive, self.scale, z, d_z);
            *correct += z.iter().filter(|z| (**z > 0.0) == positive).count() as f64;
        }
        *d_b3 += d_z.iter().map(|d| f64::from(*d)).sum::<f64>();

        let (d_features, d_layer) = parts.split_at_mut(2 * hidden);
        let (d_w3, d_b2) = d_layer.split_at_mut(hidden);
        into_second_layer(isa, d_z, params.w3, h2, d_w3, d_b2);
        let (d_middle, d_map_weights) = sums.split_at_mut(weights.wide.count(hidden) * weights.wide.width() * hidden);
        for (d, h) in h2.chunks_exact(half).zip(h1.chunks_exact(half)) {
            add_outer(weights.wide, hidden, hidden, d, h, d_middle);
        }
        multiply(weights.wide, &weights.middle_backward, hidden, hidden, h2, d_h1);
        let (d_own, d_other) = d_features.split_at_mut(hidden);
        into_first_layer(isa, h1, d_h1, d_own, d_other);
        add_outer(weights.wide, channels, hidden, block, &d_h1[..half], d_map_weights);
    }
}

/// `out[r, o] = Σ_i rows[r, i] · matrix[i, o]`, the matrix packed for `tiles`.
fn multiply(tiles: Block, packed: &[f32], inner: usize, columns: usize, rows: &[f32], out: &mut [f32]) {
    let count = rows.len() / inner;
    assert!(
        out.len() == count * columns && packed.len() == tiles.count(columns) * tiles.width() * inner,
        "matrix product buffers"
    );
    let product = Correlation::of_rows(count, inner, columns).into();
    // SAFETY: `rows` holds `count` rows of `inner` floats, `out` as many of `columns`; `packed` is [block][inner][width].
    unsafe { tile::correlate(tiles, &product, rows.as_ptr(), packed.as_ptr(), out.as_mut_ptr(), None) };
}

/// Adds `Σ_r a[r, i] · b[r, o]` to `sums`, `[block][m][width]`; `a [rows, m]`, `b [rows, columns]`.
fn add_outer(tiles: Block, m: usize, columns: usize, a: &[f32], b: &[f32], sums: &mut [f32]) {
    let (rows, width) = (a.len() / m, tiles.width());
    assert!(b.len() == rows * columns && sums.len() == tiles.count(columns) * m * width, "outer product buffers");
    for (block, sums) in sums.chunks_exact_mut(m * width).enumerate() {
        let p = OuterProduct::of_rows(rows, m, columns, width.min(columns - block * width));
        // SAFETY: `a` and `b` hold `rows` rows, and the block starts within a row of `b`, with `lanes` floats left in it.
        unsafe { accumulate_outer(tiles, &p, a.as_ptr(), b.as_ptr().add(block * width), sums.as_mut_ptr()) };
    }
}
