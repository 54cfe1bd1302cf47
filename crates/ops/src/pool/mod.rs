//! Pools that stand alone: the global average behind a residual block, the 3 x 3 maximum of the `imagenet` stem, and the average of
//! 2 x 2 behind a value that is wanted itself.
//!
//! (The averages of conv4 are fused into [`crate::Epilogue`] otherwise.)

#[cfg(test)]
mod tests;

use crate::chunks::chunk_images;
use crate::simd::{by_channel_group, group, group_mut, multiversion};
use crate::{Error, Isa, Layout, Result};
use rayon::prelude::*;

/// `out[n, c] = Σ_{y,x} in[n,y,x,c] / (H·W)`; `out` is dense, `[n, C]`.
///
/// # Panics
/// Where a slice is shorter than its `n` images.
pub fn global_average(n: usize, input: &[f32], layout: Layout, out: &mut [f32]) {
    let channels = layout.channels;
    let share = 1.0 / layout.pixels() as f32;
    out[..n * channels].par_chunks_mut(chunk_images(n) * channels).enumerate().for_each(|(piece, out)| {
        for (image, out) in out.chunks_exact_mut(channels).enumerate() {
            let input = &input[(piece * chunk_images(n) + image) * layout.image_len()..];
            out.fill(0.0);
            for y in 0..layout.height {
                for pixel in input[layout.row(y)].chunks_exact(channels) {
                    out.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
                }
            }
            out.iter_mut().for_each(|sum| *sum *= share);
        }
    });
}

/// Gradient of [`global_average`]: `d_in[n,y,x,c] = d_out[n,c] / (H·W)`, overwritten; both dense.
///
/// # Panics
/// Where a slice is shorter than its `n` images.
pub fn global_average_gradient(n: usize, d_out: &[f32], pixels: usize, channels: usize, d_in: &mut [f32]) {
    let image = pixels * channels;
    let share = 1.0 / pixels as f32;
    d_in[..n * image].par_chunks_mut(image).zip(d_out[..n * channels].par_chunks(channels)).for_each(|(d_in, d_out)| {
        for pixel in d_in.chunks_exact_mut(channels) {
            pixel.iter_mut().zip(d_out).for_each(|(to, from)| *to = from * share);
        }
    });
}

/// Mean over windows of 2 x 2 pixels, step 2; an odd last row or column is left out: PyTorch's `AvgPool2d(2)`.
///
/// The same bits as [`crate::Pool::Average2`] gives behind a normalisation.
#[derive(Debug, Clone, Copy)]
pub struct AveragePool {
    /// The instruction set to use.
    pub isa: Isa,
    /// Where the input lies.
    pub input: Layout,
    /// Where the output lies.
    pub output: Layout,
}

impl AveragePool {
    /// For images that lie as `input`; the output gets a halo of `output_halo` pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] where the images have less than two rows or columns.
    pub fn new(isa: Isa, input: Layout, output_halo: usize) -> Result<Self> {
        let output = Layout { height: input.height / 2, width: input.width / 2, channels: input.channels, halo: output_halo };
        if output.pixels() == 0 {
            return Err(Error::Shape { operator: "average pool", what: format!("{input:?} has no window of 2 x 2") });
        }
        Ok(Self { isa, input, output })
    }

    /// Writes the means to the output's inner pixels.
    ///
    /// # Panics
    /// Where a slice is shorter than its `n` images.
    pub fn forward(&self, n: usize, input: &[f32], output: &mut [f32]) {
        let (i, o) = (self.input, self.output);
        output[..n * o.image_len()].par_chunks_mut(o.image_len()).enumerate().for_each(|(image, output)| {
            let input = &input[image * i.image_len()..][..i.image_len()];
            for y in 0..o.height {
                averages(self.isa, &input[i.row(2 * y)], &input[i.row(2 * y + 1)], o.channels, &mut output[o.row(y)]);
            }
        });
    }

    /// Gradient: a quarter of each output's to its four pixels, none to an odd last row or column; `d_in` is overwritten; both dense.
    ///
    /// # Panics
    /// As [`AveragePool::forward`].
    pub fn gradient(&self, n: usize, d_out: &[f32], d_in: &mut [f32]) {
        let (i, o) = (Layout { halo: 0, ..self.input }, Layout { halo: 0, ..self.output });
        d_in[..n * i.image_len()].par_chunks_mut(i.image_len()).enumerate().for_each(|(image, d_in)| {
            let d_out = &d_out[image * o.image_len()..][..o.image_len()];
            for y in 0..i.height {
                let d_in = &mut d_in[i.row(y)];
                if y / 2 < o.height {
                    let (pairs, odd) = d_in.split_at_mut(2 * o.width * o.channels);
                    quarters(self.isa, &d_out[o.row(y / 2)], o.channels, pairs);
                    odd.fill(0.0);
                } else {
                    d_in.fill(0.0);
                }
            }
        });
    }
}

multiversion! {
    fn averages(isa, top: &[f32], bottom: &[f32], channels: usize, out: &mut [f32]) {
        by_channel_group!(channels, G, from, {
            let pixels = top.chunks_exact(2 * channels).zip(bottom.chunks_exact(2 * channels)).zip(out.chunks_exact_mut(channels));
            for ((top, bottom), out) in pixels {
                let (t0, t1) = (group::<G>(&top[from..]), group::<G>(&top[channels + from..]));
                let (b0, b1) = (group::<G>(&bottom[from..]), group::<G>(&bottom[channels + from..]));
                let out = group_mut::<G>(&mut out[from..]);
                for c in 0..G {
                    out[c] = 0.25 * ((t0[c] + t1[c]) + (b0[c] + b1[c]));
                }
            }
        });
    }
}

multiversion! {
    fn quarters(isa, d_out: &[f32], channels: usize, d_in: &mut [f32]) {
        by_channel_group!(channels, G, from, {
            for (d, pair) in d_out.chunks_exact(channels).zip(d_in.chunks_exact_mut(2 * channels)) {
                let d = group::<G>(&d[from..]);
                let (left, right) = pair.split_at_mut(channels);
                let (left, right) = (group_mut::<G>(&mut left[from..]), group_mut::<G>(&mut right[from..]));
                for c in 0..G {
                    left[c] = 0.25 * d[c];
                    right[c] = left[c];
                }
            }
        });
    }
}

/// Maximum over windows of `KERNEL` pixels a side, `STRIDE` apart, with `PADDING` pixels around that never win:
/// PyTorch's `MaxPool2d(3, 2, 1)`.
#[derive(Debug, Clone, Copy)]
pub struct MaxPool {
    /// The instruction set to use.
    pub isa: Isa,
    /// Where the input lies.
    pub input: Layout,
    /// Where the output lies.
    pub output: Layout,
}

const KERNEL: usize = 3;
const STRIDE: usize = 2;
const PADDING: usize = 1;

impl MaxPool {
    /// For images that lie as `input`; the output gets a halo of `output_halo` pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] where the images have no pixel.
    pub fn new(isa: Isa, input: Layout, output_halo: usize) -> Result<Self> {
        if input.pixels() == 0 {
            return Err(Error::Shape { operator: "max pool", what: format!("{input:?} has no pixel") });
        }
        let side = |side: usize| (side + 2 * PADDING - KERNEL) / STRIDE + 1;
        let output = Layout { height: side(input.height), width: side(input.width), channels: input.channels, halo: output_halo };
        Ok(Self { isa, input, output })
    }

    /// Writes the maxima to the output's inner pixels, and to `winners` (dense, one byte an output) which pixel of the
    /// window it was, 0 to 8 in reading order; of equals the first, as in PyTorch.
    ///
    /// # Panics
    /// Where a slice is shorter than its `n` images.
    pub fn forward(&self, n: usize, input: &[f32], output: &mut [f32], winners: &mut [u8]) {
        let (i, o) = (self.input, self.output);
        let dense = o.pixels() * o.channels;
        let outputs = output[..n * o.image_len()].par_chunks_mut(o.image_len());
        outputs.zip(winners[..n * dense].par_chunks_mut(dense)).enumerate().for_each(|(image, (output, winners))| {
            let input = &input[image * i.image_len()..][..i.image_len()];
            for y in 0..o.height {
                for x in 0..o.width {
                    let out = &mut output[o.offset(y, x)..][..o.channels];
                    let winner = &mut winners[(y * o.width + x) * o.channels..][..o.channels];
                    let mut taps = [Tap::default(); KERNEL * KERNEL];
                    let count = listed(&mut taps, self.window(y, x));
                    maximum(self.isa, input, &taps[..count], out, winner);
                }
            }
        });
    }

    /// Gradient: each output's goes to its winner; `d_in` is overwritten; both dense.
    ///
    /// # Panics
    /// As [`MaxPool::forward`].
    pub fn gradient(&self, n: usize, d_out: &[f32], winners: &[u8], d_in: &mut [f32]) {
        let dense_in = Layout { halo: 0, ..self.input };
        let (i, o) = (dense_in, self.output);
        let dense = o.pixels() * o.channels;
        d_in[..n * i.image_len()].par_chunks_mut(i.image_len()).enumerate().for_each(|(image, d_in)| {
            let (d_out, winners) = (&d_out[image * dense..][..dense], &winners[image * dense..][..dense]);
            for y in 0..i.height {
                for x in 0..i.width {
                    let mut taps = [Tap::default(); KERNEL * KERNEL];
                    let count = listed(&mut taps, self.windows_of(y, x));
                    won(self.isa, d_out, winners, &taps[..count], &mut d_in[i.offset(y, x)..][..i.channels]);
                }
            }
        });
    }

    /// The window of output (y, x) in reading order; padding left out.
    fn window(&self, y: usize, x: usize) -> impl Iterator<Item = Tap> + use<> {
        let input = self.input;
        (0..KERNEL * KERNEL).filter_map(move |tap| {
            let (in_y, in_x) = (y * STRIDE + tap / KERNEL, x * STRIDE + tap % KERNEL);
            let inside = in_y >= PADDING && in_x >= PADDING && in_y - PADDING < input.height && in_x - PADDING < input.width;
            inside.then(|| Tap { number: tap as u8, at: input.offset(in_y - PADDING, in_x - PADDING) })
        })
    }

    /// The outputs, in reading order, whose windows hold input (y, x): which tap it is there, and where the output lies
    /// if dense.
    fn windows_of(&self, y: usize, x: usize) -> impl Iterator<Item = Tap> + use<> {
        let output = self.output;
        let along = |at: usize, side: usize| {
            let first = (at + PADDING + 1).saturating_sub(KERNEL).div_ceil(STRIDE);
            first..((at + PADDING) / STRIDE + 1).min(side)
        };
        let columns = along(x, output.width);
        along(y, output.height).flat_map(move |out_y| {
            columns.clone().map(move |out_x| {
                let (tap_y, tap_x) = (y + PADDING - out_y * STRIDE, x + PADDING - out_x * STRIDE);
                Tap { number: (tap_y * KERNEL + tap_x) as u8, at: (out_y * output.width + out_x) * output.channels }
            })
        })
    }
}

/// A pixel of a window: its number in it, and where its floats begin.
#[derive(Debug, Clone, Copy, Default)]
struct Tap {
    number: u8,
    at: usize,
}

/// Fills `list` and says how far.
fn listed(list: &mut [Tap], taps: impl Iterator<Item = Tap>) -> usize {
    list.iter_mut().zip(taps).map(|(to, tap)| *to = tap).count()
}

multiversion! {
    fn maximum(isa, input: &[f32], taps: &[Tap], out: &mut [f32], winners: &mut [u8]) {
        by_channel_group!(out.len(), G, from, {
            let (mut best, mut winner) = ([f32::NEG_INFINITY; G], [0u32; G]);
            for tap in taps {
                let values = group::<G>(&input[tap.at + from..]);
                // By masks of bits: of a plain `if` the compiler makes a branch a value.
                for c in 0..G {
                    let take = (u32::from(values[c] > best[c]) | u32::from(values[c].is_nan())).wrapping_neg();
                    best[c] = f32::from_bits((values[c].to_bits() & take) | (best[c].to_bits() & !take));
                    winner[c] = (u32::from(tap.number) & take) | (winner[c] & !take);
                }
            }
            *group_mut::<G>(&mut out[from..]) = best;
            winners[from..from + G].iter_mut().zip(winner).for_each(|(to, winner)| *to = winner as u8);
        });
    }
}

multiversion! {
    fn won(isa, d_out: &[f32], winners: &[u8], taps: &[Tap], d_in: &mut [f32]) {
        by_channel_group!(d_in.len(), G, from, {
            let mut sum = [0.0f32; G];
            for tap in taps {
                let (d, winners) = (group::<G>(&d_out[tap.at + from..]), &winners[tap.at + from..][..G]);
                for c in 0..G {
                    let keep = u32::from(winners[c] == tap.number).wrapping_neg();
                    sum[c] += f32::from_bits(d[c].to_bits() & keep);
                }
            }
            *group_mut::<G>(&mut d_in[from..]) = sum;
        });
    }
}
