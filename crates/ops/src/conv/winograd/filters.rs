//! Filters on their way into Winograd's products, `U = G g Gᵀ`, and their gradients on the way back, `dg = Gᵀ dU G`.
//!
//! Packed filters are `[block][position][C_in][block width]`.

use super::{Winograd, transform};
use crate::conv::block::Block;
use rayon::prelude::*;
use std::array::from_fn;

/// Weights of a filter.
const TAPS: usize = 9;

impl Winograd {
    /// Transforms weights `[3, 3, C_in, C_out]`.
    pub(in crate::conv) fn pack(&self, weights: &[f32], packed: &mut [f32]) {
        let (channels_in, channels_out) = (self.from.channels, self.channels_out);
        packed.par_chunks_mut(self.block_len()).enumerate().for_each(|(block, packed)| {
            let (first, lanes) = self.lanes(block);
            for c in 0..channels_in {
                let tap = |tap: usize| &weights[(tap * channels_in + c) * channels_out + first..][..lanes];
                self.pack_channel(c, from_fn(tap), packed);
            }
        });
    }

    /// Transforms weights `[3, 3, C_out, C_in]`, C_in and C_out being those of this correlation, turned round by half a
    /// turn: the data gradient's.
    pub(in crate::conv) fn pack_flipped(&self, weights: &[f32], packed: &mut [f32]) {
        // So many input channels at a time, that a cache line of weights is used up while it is there.
        const AT_ONCE: usize = 8;
        let (channels_in, channels_out) = (self.from.channels, self.channels_out);
        packed.par_chunks_mut(self.block_len()).enumerate().for_each(|(block, packed)| {
            let (first, lanes) = self.lanes(block);
            let mut taps = [[[0.0f32; Block::WIDEST]; AT_ONCE]; TAPS];
            for c in (0..channels_in).step_by(AT_ONCE) {
                for (tap, values) in taps.iter_mut().enumerate() {
                    let flipped = &weights[((TAPS - 1 - tap) * channels_out + first) * channels_in + c..];
                    for lane in 0..lanes {
                        let of_lane = &flipped[lane * channels_in..][..AT_ONCE];
                        values.iter_mut().zip(of_lane).for_each(|(values, value)| values[lane] = *value);
                    }
                }
                for at in 0..AT_ONCE {
                    self.pack_channel(c + at, taps.each_ref().map(|tap| &tap[at][..lanes]), packed);
                }
            }
        });
    }

    /// The way back from [`Winograd::pack`], for gradients.
    pub(in crate::conv) fn unpack(&self, sums: &[f32], d_weights: &mut [f32]) {
        // Input channels a task.
        const AT_ONCE: usize = 16;
        let (channels_in, channels_out) = (self.from.channels, self.channels_out);
        assert_eq!((sums.len(), d_weights.len()), (self.packed_len(), TAPS * channels_in * channels_out), "gradient of filters");
        let mut rest = d_weights;
        let [a, b, c, d, e, f, g, h, i]: [_; TAPS] = from_fn(|_| {
            let (tap, others) = std::mem::take(&mut rest).split_at_mut(channels_in * channels_out);
            rest = others;
            tap.par_chunks_mut(AT_ONCE * channels_out)
        });
        (a, b, c, d, e, f, g, h, i).into_par_iter().enumerate().for_each(|(at, (a, b, c, d, e, f, g, h, i))| {
            let mut taps = [a, b, c, d, e, f, g, h, i];
            for (block, sums) in sums.chunks_exact(self.block_len()).enumerate() {
                let (first, lanes) = self.lanes(block);
                for c in 0..AT_ONCE {
                    let from = &sums[(at * AT_ONCE + c) * self.block.width()..];
                    let taps = taps.each_mut().map(|tap| tap[c * channels_out + first..][..lanes].as_mut_ptr());
                    // SAFETY: `sums` is a whole block; each tap was cut to its length, a multiple of the vector's.
                    unsafe { transform::filter_gradients((self.isa, self.tile), from.as_ptr(), self.filter_len(), lanes, taps) };
                }
            }
        });
    }

    /// The first output channel of a block, and how many it has.
    pub(super) fn lanes(&self, block: usize) -> (usize, usize) {
        let first = block * self.block.width();
        (first, self.block.width().min(self.channels_out - first))
    }

    /// Transforms the filters from one input channel to a block's output channels.
    fn pack_channel(&self, channel: usize, taps: [&[f32]; TAPS], packed: &mut [f32]) {
        assert_eq!(packed.len(), self.block_len(), "transformed filters");
        let (width, lanes) = (self.block.width(), taps[0].len());
        let to = &mut packed[channel * width..];
        if lanes < width {
            for position in 0..self.tile.positions() {
                to[position * self.filter_len()..][lanes..width].fill(0.0);
            }
        }
        // SAFETY: the block is whole; a tap is a block's lanes, a multiple of the vector's.
        unsafe {
            transform::filter_tiles((self.isa, self.tile), taps.map(<[f32]>::as_ptr), lanes, to.as_mut_ptr(), self.filter_len())
        };
    }
}
