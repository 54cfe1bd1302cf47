//! Winograd's minimal filtering F(M x M, 3 x 3): 3 x 3 correlations of stride 1 in (M + 2)² products a tile of M x M outputs where
//! the direct form has 9 M²: 36 instead of 144 for M = 4, 16 instead of 36 for M = 2 (Lavin & Gray 2016, "Fast Algorithms for
//! Convolutional Neural Networks").
//!
//! With `d` a tile's input pixels, N = M + 2 along a side, and `g` a filter, for each pair of channels,
//!
//! `Y = Aᵀ [Σ_i (G g Gᵀ) ⊙ (Bᵀ d B)] A`
//!
//! where the sum over input channels, at each of the N² positions, is a matrix product of tiles x C_in with
//! C_in x C_out: the register tiles of `tile.rs` do it, as a 1 x 1 correlation. The weight gradient is the adjoint,
//! `dg = Gᵀ [Σ_tiles (Bᵀ d B) ⊙ (A dY Aᵀ)] G`, and its sums are outer products. The data gradient is a correlation again.
//!
//! Tiles are worked through in *bands* of whole tile rows, so few that their transformed values stay in the cache, on
//! every thread for itself. What a tile gives does not depend on its band.

mod filters;
mod maps;
mod transform;

use super::block::Block;
use super::geometry::{Correlation, OuterProduct, Store};
use super::outer::accumulate_outer;
use super::spec::ConvSpec;
use super::tile;
use crate::{Isa, Layout, scratch};
use maps::Tile;
use std::ops::Range;
use transform::OutputRow;

/// Floats between positions beyond their own: powers of two would all fall into one set of the cache.
const SKEW: usize = 16;
/// Tiles a band, about. Enough that filters are read for many of them; beyond that, rates hardly change.
const TILES: usize = 48;

/// A 3 x 3 correlation with stride 1 and padding 1, from images that lie as `from`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Winograd {
    isa: Isa,
    tile: Tile,
    block: Block,
    from: Layout,
    channels_out: usize,
}

/// Where images go: the offset of pixel (0, 0), and floats between rows, pixels and images.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) origin: usize,
    pub(super) y_step: usize,
    pub(super) x_step: usize,
    pub(super) image_len: usize,
}

/// Pixel rows of the images that a tile row stands for.
struct TileRow {
    image: usize,
    y: usize,
}

impl Winograd {
    /// Whether a layer can be computed this way, with channels that fill vectors.
    pub(super) fn suits(spec: ConvSpec) -> bool {
        let ConvSpec { channels_in, channels_out, kernel, stride, padding } = spec;
        (kernel, stride, padding) == (3, 1, 1) && channels_in.is_multiple_of(16) && channels_out.is_multiple_of(16)
    }

    pub(super) fn new(isa: Isa, from: Layout, channels_out: usize) -> Self {
        debug_assert!(from.halo >= 1 && from.channels.is_multiple_of(16) && channels_out.is_multiple_of(16));
        // Where a fifth is saved: the smaller tile rounds less.
        let products = |tile: Tile| from.height.div_ceil(tile.side()) * from.width.div_ceil(tile.side()) * tile.positions();
        let tile = if products(Tile::Four) * 5 < products(Tile::Two) * 4 { Tile::Four } else { Tile::Two };
        Self { isa, tile, block: Block::pick(isa, channels_out), from, channels_out }
    }

    /// Floats of a position's filters in one block of output channels.
    fn filter_len(&self) -> usize {
        self.from.channels * self.block.width()
    }

    /// Floats of one block's transformed filters.
    pub(super) fn block_len(&self) -> usize {
        self.tile.positions() * self.filter_len()
    }

    /// Floats that hold all transformed filters: `[block][position][C_in][block width]`.
    pub(super) fn packed_len(&self) -> usize {
        self.block.count(self.channels_out) * self.block_len()
    }

    fn tiles_across(&self) -> usize {
        self.from.width.div_ceil(self.tile.side())
    }

    fn tiles_down(&self) -> usize {
        self.from.height.div_ceil(self.tile.side())
    }

    /// Tile rows a band.
    fn band_rows(&self) -> usize {
        TILES.div_ceil(self.tiles_across())
    }

    /// Images that one task should take at least.
    pub(super) fn least_images(&self) -> usize {
        TILES.div_ceil(self.tiles_across() * self.tiles_down())
    }

    fn position(&self, channels: usize) -> usize {
        self.band_rows() * self.tiles_across() * channels + SKEW
    }

    /// Floats of this thread's scratch that a task uses.
    pub(super) fn scratch_len(&self) -> usize {
        self.tile.positions() * (self.position(self.from.channels) + self.position(self.channels_out)) + 2 * self.channels_out
    }

    fn tile_row(&self, row: usize) -> TileRow {
        TileRow { image: row / self.tiles_down(), y: self.tile.side() * (row % self.tiles_down()) }
    }

    fn bands(&self, images: usize) -> impl Iterator<Item = Range<usize>> {
        let (rows, step) = (images * self.tiles_down(), self.band_rows());
        (0..rows).step_by(step).map(move |from| from..(from + step).min(rows))
    }

    /// Transforms the input tiles of a band.
    ///
    /// # Safety
    /// `input` holds the band's images; `tiles` all positions of the band.
    unsafe fn input_band(&self, input: &[f32], band: Range<usize>, tiles: *mut f32) {
        let (width, channels) = (self.from.width, self.from.channels);
        let position = self.position(channels);
        for (at, row) in band.enumerate() {
            let TileRow { image, y } = self.tile_row(row);
            let image = &input[image * self.from.image_len()..][..self.from.image_len()];
            // Rows beyond H, which a height that tiles do not divide needs, reach nothing that is kept: row H stands in for them.
            let rows = std::array::from_fn(|i| {
                let y = (y + i).min(self.from.height + 1) as isize - 1;
                image[self.from.signed_offset(y, -1) as usize..][..(width + 2) * channels].as_ptr()
            });
            // SAFETY: the rows were cut to their length; the band's tiles are the caller's promise.
            unsafe {
                let to = tiles.add(at * self.tiles_across() * channels);
                transform::input_tiles(
                    (self.isa, self.tile),
                    rows,
                    self.tile.side() * self.from.row_pitch(),
                    width,
                    channels,
                    to,
                    position,
                );
            }
        }
    }

    /// Correlates as many images as `output` holds. `sums`, where given, get the sum and the sum of squares of each
    /// output channel, `[2][C_out]` for every `chunk` images.
    pub(super) fn correlate(
        &self,
        input: &[f32],
        packed: &[f32],
        output: &mut [f32],
        target: Target,
        store: Store,
        chunk: usize,
        mut sums: Option<&mut [f64]>,
    ) {
        let images = output.len() / target.image_len;
        assert!(input.len() >= images * self.from.image_len(), "input of a convolution");
        assert_eq!(packed.len(), self.packed_len(), "transformed filters");
        let (across, channels) = (self.tiles_across(), self.channels_out);
        let (in_position, out_position) = (self.position(self.from.channels), self.position(channels));
        scratch::with(self.scratch_len(), |scratch| {
            let (tiles, rest) = scratch.split_at_mut(self.tile.positions() * in_position);
            let (products, row_sums) = rest.split_at_mut(self.tile.positions() * out_position);
            for band in self.bands(images) {
                // SAFETY: scratch and images hold what these lengths say; the filters' length was checked above.
                unsafe {
                    self.input_band(input, band.clone(), tiles.as_mut_ptr());
                    self.multiply(band.len() * across, tiles.as_ptr(), packed.as_ptr(), products.as_mut_ptr());
                }
                for (at, row) in band.enumerate() {
                    let TileRow { image, y } = self.tile_row(row);
                    let image_out = &mut output[image * target.image_len..][..target.image_len];
                    let at_pixel = target.origin + y * target.y_step;
                    let rows = self.tile.side().min(self.from.height - y);
                    let last = at_pixel + (rows - 1) * target.y_step + (self.from.width - 1) * target.x_step + channels;
                    let pixels = &mut image_out[at_pixel..last];
                    row_sums.fill(0.0);
                    let (sum, square) = row_sums.split_at_mut(channels);
                    let Target { y_step, x_step, .. } = target;
                    let row = OutputRow { at: pixels.as_mut_ptr(), rows, y_step, x_step, width: self.from.width, store };
                    // SAFETY: the pixels were cut to their length, the band's products and sums lie in the scratch.
                    unsafe {
                        let from = products.as_ptr().add(at * across * channels);
                        let row_sums = sums.is_some().then_some((sum.as_mut_ptr(), square.as_mut_ptr()));
                        transform::output_tiles((self.isa, self.tile), from, out_position, channels, row, row_sums);
                    }
                    if let Some(sums) = sums.as_deref_mut() {
                        let piece = &mut sums[image / chunk * 2 * channels..][..2 * channels];
                        for (total, part) in piece.iter_mut().zip(row_sums.iter()) {
                            *total += f64::from(*part);
                        }
                    }
                }
            }
        });
    }

    /// At every position `[tiles, C_in]` times `[C_in, C_out]`.
    ///
    /// # Safety
    /// All three hold all positions of a band, or all filters.
    unsafe fn multiply(&self, tiles: usize, from: *const f32, packed: *const f32, to: *mut f32) {
        let (width, channels) = (self.block.width(), self.channels_out);
        for p in 0..self.tile.positions() {
            for block in 0..self.block.count(channels) {
                let product = Correlation {
                    out_origin: block * width,
                    channels_out: width.min(channels - block * width),
                    ..Correlation::of_rows(tiles, self.from.channels, channels)
                };
                // SAFETY: the caller's promise.
                unsafe {
                    let from = from.add(p * self.position(self.from.channels));
                    let packed = packed.add((block * self.tile.positions() + p) * self.filter_len());
                    tile::correlate(self.block, &product.into(), from, packed, to.add(p * self.position(channels)), None);
                }
            }
        }
    }

    /// Adds to `sums`, `[block][position][C_in][block width]` from `first_block` on, the gradient of the transformed filters
    /// of some blocks of output channels over all images of `input`; `d_output` lies as `target` says.
    pub(super) fn accumulate(&self, input: &[f32], d_output: &[f32], target: Target, first_block: usize, sums: &mut [f32]) {
        let images = input.len() / self.from.image_len();
        assert!(d_output.len() >= images * target.image_len, "output gradient of a convolution");
        assert!(sums.len().is_multiple_of(self.block_len()), "gradient of transformed filters");
        let across = self.tiles_across();
        let in_position = self.position(self.from.channels);
        scratch::with(self.scratch_len(), |scratch| {
            let (tiles, gradients) = scratch.split_at_mut(self.tile.positions() * in_position);
            for band in self.bands(images) {
                // SAFETY: scratch and images hold what these lengths say.
                unsafe { self.input_band(input, band.clone(), tiles.as_mut_ptr()) };
                for (block, sums) in (first_block..).zip(sums.chunks_exact_mut(self.block_len())) {
                    let (first, lanes) = self.lanes(block);
                    let out_position = self.position(lanes);
                    for (at, row) in band.clone().enumerate() {
                        let TileRow { image, y } = self.tile_row(row);
                        let image = &d_output[image * target.image_len..][..target.image_len];
                        let rows = std::array::from_fn(|i| {
                            let from = target.origin + (y + i).min(self.from.height - 1) * target.y_step + first;
                            image[from..][..(self.from.width - 1) * target.x_step + lanes].as_ptr()
                        });
                        let count = self.from.height - y;
                        // SAFETY: the rows were cut to their length, the band's tiles lie in the scratch.
                        unsafe {
                            let to = gradients.as_mut_ptr().add(at * across * lanes);
                            let x_step = target.x_step;
                            transform::gradient_tiles(
                                (self.isa, self.tile),
                                rows,
                                count,
                                self.from.width,
                                x_step,
                                lanes,
                                to,
                                out_position,
                            );
                        }
                    }
                    let product = OuterProduct::of_rows(band.len() * across, self.from.channels, lanes, lanes);
                    for (p, sums) in sums.chunks_exact_mut(self.filter_len()).enumerate() {
                        // SAFETY: as above; `sums` is one position's.
                        unsafe {
                            let (from, grad) = (tiles.as_ptr().add(p * in_position), gradients.as_ptr().add(p * out_position));
                            accumulate_outer(self.block, &product, from, grad, sums.as_mut_ptr());
                        }
                    }
                }
            }
        });
    }
}
