//! The definition's own sums, by the register tiles of `tile.rs`: any kernel, stride and number of channels.
//!
//! The data gradient of a layer with stride s is s·s small dense correlations, one for each class of input pixels.

use super::ConvSpec;
use super::block::{Block, pack_columns, unpack_columns};
use super::tile::{self, Correlation, OuterProduct};
use crate::{Isa, Layout, scratch};

/// A layer's direct form.
#[derive(Debug, Clone)]
pub(super) struct Direct {
    spec: ConvSpec,
    input: Layout,
    output: Layout,
    forward: Correlation,
    forward_block: Block,
    /// One dense correlation a class of input pixels, with the kernel rows and columns that reach it.
    backward: Vec<BackwardClass>,
    backward_block: Block,
    backward_len: usize,
}

#[derive(Debug, Clone)]
struct BackwardClass {
    correlation: Correlation,
    kernel_rows: Vec<usize>,
    kernel_columns: Vec<usize>,
    packed_at: usize,
}

impl Direct {
    pub(super) fn new(isa: Isa, spec: ConvSpec, input: Layout, output: Layout) -> Self {
        let (s, p) = (spec.stride, spec.padding as isize);
        let forward = Correlation {
            in_origin: input.signed_offset(-p, -p),
            in_y_step: s * input.row_pitch(),
            in_x_step: s * input.channels,
            in_row_pitch: input.row_pitch(),
            rows: spec.kernel,
            run: spec.kernel * spec.channels_in,
            out_origin: output.offset(0, 0),
            out_y_step: output.row_pitch(),
            out_x_step: output.channels,
            out_h: output.height,
            out_w: output.width,
            channels_out: spec.channels_out,
            accumulate: false,
        };
        let mut layer = Self {
            spec,
            input,
            output,
            forward,
            forward_block: Block::pick(isa, spec.channels_out),
            backward: Vec::new(),
            backward_block: Block::pick(isa, spec.channels_in),
            backward_len: 0,
        };
        layer.plan_backward();
        layer
    }

    fn plan_backward(&mut self) {
        let ConvSpec { channels_in, channels_out, kernel, stride, padding } = self.spec;
        let (input, output) = (self.input, self.output);
        // For pixels at `r`, `r + stride`, ...: kernel taps that reach them (farthest first, so that the gradient is read
        // forwards), and the first gradient row that the first of them meets.
        let class = |r: usize| {
            let taps: Vec<usize> =
                (0..kernel).rev().filter(|k| (r + padding + stride * kernel - k).is_multiple_of(stride)).collect();
            let first = taps.first().map_or(0, |&k| (r as isize + padding as isize - k as isize).div_euclid(stride as isize));
            (taps, first)
        };
        for ry in 0..stride.min(input.height) {
            for rx in 0..stride.min(input.width) {
                let ((rows, y0), (columns, x0)) = (class(ry), class(rx));
                let correlation = Correlation {
                    in_origin: output.signed_offset(y0, x0),
                    in_y_step: output.row_pitch(),
                    in_x_step: channels_out,
                    in_row_pitch: output.row_pitch(),
                    rows: rows.len(),
                    run: columns.len() * channels_out,
                    out_origin: ry * input.width * channels_in + rx * channels_in,
                    out_y_step: stride * input.width * channels_in,
                    out_x_step: stride * channels_in,
                    out_h: (input.height - ry).div_ceil(stride),
                    out_w: (input.width - rx).div_ceil(stride),
                    channels_out: channels_in,
                    accumulate: false,
                };
                let packed_at = self.backward_len;
                let blocks = self.backward_block.count(channels_in);
                self.backward_len += blocks * self.backward_block.width() * rows.len() * columns.len() * channels_out;
                self.backward.push(BackwardClass { correlation, kernel_rows: rows, kernel_columns: columns, packed_at });
            }
        }
    }

    pub(super) fn forward_packed_len(&self) -> usize {
        self.padded_channels() * self.forward.rows * self.forward.run
    }

    pub(super) fn backward_packed_len(&self) -> usize {
        self.backward_len
    }

    fn padded_channels(&self) -> usize {
        self.forward_block.count(self.spec.channels_out) * self.forward_block.width()
    }

    /// Floats of this thread's scratch that [`Direct::forward`] uses.
    pub(super) fn scratch_len(&self) -> usize {
        2 * self.padded_channels()
    }

    pub(super) fn pack_forward(&self, weights: &[f32], packed: &mut [f32]) {
        pack_columns(weights, self.spec.channels_out, self.forward_block.width(), packed);
    }

    /// Flipped, transposed, by class.
    pub(super) fn pack_backward(&self, weights: &[f32], packed: &mut [f32]) {
        let ConvSpec { channels_in, channels_out, kernel, .. } = self.spec;
        let width = self.backward_block.width();
        for class in &self.backward {
            let mut at = class.packed_at;
            for block in 0..self.backward_block.count(channels_in) {
                let lanes = width.min(channels_in - block * width);
                for &ky in &class.kernel_rows {
                    for &kx in &class.kernel_columns {
                        let tap = &weights[(ky * kernel + kx) * channels_in * channels_out..][..channels_in * channels_out];
                        for o in 0..channels_out {
                            let to = &mut packed[at..at + width];
                            for (lane, value) in to.iter_mut().enumerate() {
                                *value = if lane < lanes { tap[(block * width + lane) * channels_out + o] } else { 0.0 };
                            }
                            at += width;
                        }
                    }
                }
            }
        }
    }

    /// Runs over `output`'s images. `sums`, where asked for, get the sum and the sum of squares of each output channel,
    /// `[2][C_out]` for every `chunk` images.
    pub(super) fn forward(&self, input: &[f32], packed: &[f32], output: &mut [f32], chunk: usize, mut sums: Option<&mut [f64]>) {
        let (in_len, channels) = (self.input.image_len(), self.spec.channels_out);
        let padded = self.padded_channels();
        scratch::with(self.scratch_len(), |image_sums| {
            for (image, out) in output.chunks_exact_mut(self.output.image_len()).enumerate() {
                let from = &input[image * in_len..][..in_len];
                image_sums.fill(0.0);
                let (sum, square) = image_sums.split_at_mut(padded);
                let to_sums = sums.is_some().then_some((sum.as_mut_ptr(), square.as_mut_ptr()));
                // SAFETY: `forward` was laid out in `new` for images of exactly these lengths, whose halo holds the padding.
                unsafe {
                    tile::correlate(self.forward_block, &self.forward, from.as_ptr(), packed.as_ptr(), out.as_mut_ptr(), to_sums);
                }
                if let Some(sums) = sums.as_deref_mut() {
                    let total = &mut sums[image / chunk * 2 * channels..][..2 * channels];
                    for c in 0..channels {
                        total[c] += f64::from(sum[c]);
                        total[channels + c] += f64::from(square[c]);
                    }
                }
            }
        });
    }

    /// Runs over `d_input`'s images, which are dense.
    pub(super) fn data_gradient(&self, d_output: &[f32], packed: &[f32], d_input: &mut [f32], accumulate: bool) {
        let (in_len, out_len) = (self.input.pixels() * self.input.channels, self.output.image_len());
        for (image, d_in) in d_input.chunks_exact_mut(in_len).enumerate() {
            let from = &d_output[image * out_len..][..out_len];
            for class in &self.backward {
                let correlation = Correlation { accumulate, ..class.correlation };
                if correlation.rows * correlation.run == 0 && accumulate {
                    continue;
                }
                // SAFETY: `plan_backward` laid the classes out within dense images; the caller checked the halo.
                unsafe {
                    tile::correlate(
                        self.backward_block,
                        &correlation,
                        from.as_ptr(),
                        packed[class.packed_at.min(packed.len())..].as_ptr(),
                        d_in.as_mut_ptr(),
                        None,
                    );
                }
            }
        }
    }

    /// Floats of one part of the weight gradient's sums, those of a kernel row and a block of output channels: all sums
    /// are `[block][kernel row][run][block width]`.
    pub(super) fn part_len(&self) -> usize {
        self.forward.run * self.forward_block.width()
    }

    /// Images that [`Direct::accumulate`] wants at once, for its sums to be loaded and stored for enough pixels.
    pub(super) fn least_images(&self) -> usize {
        tile::outer_pixels(self.forward_block.width()) / self.output.pixels().max(1)
    }

    /// Adds to `sums` part number `part` of the weight gradient of all images given.
    pub(super) fn accumulate(&self, input: &[f32], d_output: &[f32], part: usize, sums: &mut [f32]) {
        let c = &self.forward;
        let (block, ky, width) = (part / c.rows, part % c.rows, self.forward_block.width());
        let (in_len, out_len) = (self.input.image_len(), self.output.image_len());
        let product = OuterProduct {
            images: (input.len() / in_len).min(d_output.len() / out_len),
            in_image_step: in_len,
            grad_image_step: out_len,
            in_y_step: c.in_y_step,
            in_x_step: c.in_x_step,
            grad_y_step: c.out_y_step,
            grad_x_step: c.out_x_step,
            rows: c.out_h,
            width: c.out_w,
            run: c.run,
            lanes: width.min(self.spec.channels_out - block * width),
        };
        // SAFETY: the same windows as the forward pass reads, and the same pixels as it writes, of as many images as both hold.
        unsafe {
            let from = input.as_ptr().offset(c.in_origin + (ky * c.in_row_pitch) as isize);
            let grad = d_output.as_ptr().add(c.out_origin + block * width);
            tile::accumulate_outer(self.forward_block, &product, from, grad, sums.as_mut_ptr());
        }
    }

    /// The weight gradient out of its sums.
    pub(super) fn unpack(&self, sums: &[f32], d_weights: &mut [f32]) {
        unpack_columns(sums, self.spec.channels_out, self.forward_block.width(), d_weights);
    }
}
