//! 2-D convolution without bias, square kernel, NHWC: forward, data gradient, weight gradient.
//!
//! With kernel k, stride s, padding p, for an output pixel (y, x) and channel o:
//!
//! `out[n,y,x,o] = Σ_{ky,kx,i} in[n, y·s+ky−p, x·s+kx−p, i] · w[ky,kx,i,o]`
//!
//! as PyTorch's `conv2d` gives it (a correlation), `H_out = (H + 2p − k) / s + 1`. Weights are `[k, k, C_in, C_out]`.
//!
//! The data gradient is the same correlation with flipped, transposed weights; with a stride it falls apart into s·s
//! classes of input pixels (by the parity of their place for s = 2), each a small dense correlation of its own. The
//! weight gradient is a sum of outer products over all pixels. How the inner loops work stands in `tile.rs`.

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
pub(crate) mod tile;

use crate::chunks::chunk_images;
use crate::{Error, Isa, Layout, Result};
use rayon::prelude::*;
use tile::{Block, Correlation, OuterProduct};

/// What a convolution layer is: square kernel, one stride, one padding, no bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSpec {
    /// Channels of the input, C_in.
    pub channels_in: usize,
    /// Channels of the output, C_out.
    pub channels_out: usize,
    /// Side of the kernel, k.
    pub kernel: usize,
    /// Step between windows, s.
    pub stride: usize,
    /// Zero pixels thought around the image, p.
    pub padding: usize,
}

impl ConvSpec {
    /// Number of weights, k·k·C_in·C_out.
    #[must_use]
    pub fn weight_len(self) -> usize {
        self.kernel * self.kernel * self.channels_in * self.channels_out
    }

    /// Output side for an input side, `(side + 2p − k) / s + 1`; `None` where the kernel does not fit.
    #[must_use]
    pub fn output_side(self, side: usize) -> Option<usize> {
        Some((side + 2 * self.padding).checked_sub(self.kernel)? / self.stride + 1)
    }

    /// Multiply-adds of one image's forward pass, counted as two operations each.
    #[must_use]
    pub fn forward_flops(self, output: Layout) -> u64 {
        2 * (output.pixels() * self.weight_len()) as u64
    }
}

/// A convolution compiled for one input layout and one instruction set.
#[derive(Debug, Clone)]
pub struct Conv2d {
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

impl Conv2d {
    /// Prepares a layer whose input lies as `input`; its output gets a halo of `output_halo` pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] where channels differ, the kernel is larger than the padded image, the input's halo is narrower
    /// than the padding, or the stride is zero.
    pub fn new(isa: Isa, spec: ConvSpec, input: Layout, output_halo: usize) -> Result<Self> {
        let shape = |what: String| Error::Shape { operator: "convolution", what };
        if spec.stride == 0 || spec.kernel == 0 || spec.channels_in == 0 || spec.channels_out == 0 {
            return Err(shape(format!("{spec:?} has a zero")));
        }
        if input.channels != spec.channels_in {
            return Err(shape(format!("input has {} channels, expected {}", input.channels, spec.channels_in)));
        }
        if input.halo < spec.padding {
            return Err(shape(format!("input halo is {}, expected at least the padding {}", input.halo, spec.padding)));
        }
        let sides = spec.output_side(input.height).zip(spec.output_side(input.width));
        let Some((height, width)) = sides else {
            return Err(shape(format!(
                "a {0} x {0} kernel does not fit a {1} x {2} image with padding {3}",
                spec.kernel, input.height, input.width, spec.padding
            )));
        };
        let output = Layout { height, width, channels: spec.channels_out, halo: output_halo };
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
            out_h: height,
            out_w: width,
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
        Ok(layer)
    }

    /// Pixels of halo that the output's gradient needs for [`Conv2d::data_gradient`].
    #[must_use]
    pub fn gradient_halo(spec: ConvSpec, input: Layout) -> usize {
        let (k, s, p) = (spec.kernel as isize, spec.stride as isize, spec.padding as isize);
        let reach = |side: usize| {
            let out = spec.output_side(side).unwrap_or(0) as isize;
            let before = -(p - (k - 1)).div_euclid(s);
            let after = (side as isize - 1 + p).div_euclid(s) - (out - 1);
            before.max(after).max(0) as usize
        };
        reach(input.height).max(reach(input.width))
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

    /// What the layer is.
    #[must_use]
    pub fn spec(&self) -> ConvSpec {
        self.spec
    }

    /// Where its input lies.
    #[must_use]
    pub fn input(&self) -> Layout {
        self.input
    }

    /// Where its output lies.
    #[must_use]
    pub fn output(&self) -> Layout {
        self.output
    }

    /// Floats that [`Conv2d::pack_forward`] fills.
    #[must_use]
    pub fn forward_packed_len(&self) -> usize {
        self.forward_block.count(self.spec.channels_out) * self.forward_block.width() * self.forward.rows * self.forward.run
    }

    /// Floats that [`Conv2d::pack_backward`] fills.
    #[must_use]
    pub fn backward_packed_len(&self) -> usize {
        self.backward_len
    }

    /// Orders weights `[k, k, C_in, C_out]` as [`Conv2d::forward`] reads them.
    pub fn pack_forward(&self, weights: &[f32], packed: &mut [f32]) {
        assert_eq!(weights.len(), self.spec.weight_len(), "convolution weights");
        assert_eq!(packed.len(), self.forward_packed_len(), "packed convolution weights");
        pack_columns(weights, self.spec.channels_out, self.forward_block.width(), packed);
    }

    /// Orders weights `[k, k, C_in, C_out]` as [`Conv2d::data_gradient`] reads them: flipped, transposed, by class.
    pub fn pack_backward(&self, weights: &[f32], packed: &mut [f32]) {
        let ConvSpec { channels_in, channels_out, kernel, .. } = self.spec;
        assert_eq!(weights.len(), self.spec.weight_len(), "convolution weights");
        assert_eq!(packed.len(), self.backward_len, "packed convolution weights");
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

    /// Runs the layer over `n` images.
    ///
    /// `input` and `output` hold at least `n` images of [`Conv2d::input`] and [`Conv2d::output`]; only the output's
    /// inner pixels are written. Where `sums` is given, it gets for every piece of the batch ([`crate::chunk_count`] of
    /// them) the sum and the sum of squares of each output channel: `[pieces][2][C_out]`.
    pub fn forward(&self, n: usize, input: &[f32], packed: &[f32], output: &mut [f32], sums: Option<&mut [f64]>) {
        let (in_len, out_len) = (self.input.image_len(), self.output.image_len());
        assert!(input.len() >= n * in_len && output.len() >= n * out_len, "convolution buffers");
        assert_eq!(packed.len(), self.forward_packed_len(), "packed convolution weights");
        let chunk = chunk_images(n);
        let channels = self.spec.channels_out;
        let padded = self.forward_block.count(channels) * self.forward_block.width();
        let piece = |index: usize, out: &mut [f32], mut total: Option<&mut [f64]>| {
            let mut image_sums = vec![0.0f32; if total.is_some() { 2 * padded } else { 0 }];
            for (image, out) in out.chunks_exact_mut(out_len).enumerate() {
                let from = &input[(index * chunk + image) * in_len..][..in_len];
                image_sums.fill(0.0);
                let sums = total.is_some().then(|| {
                    let (sum, square) = image_sums.split_at_mut(padded);
                    (sum.as_mut_ptr(), square.as_mut_ptr())
                });
                // SAFETY: `forward` was laid out in `new` for images of exactly these lengths, whose halo holds the padding.
                unsafe {
                    tile::correlate(self.forward_block, &self.forward, from.as_ptr(), packed.as_ptr(), out.as_mut_ptr(), sums);
                }
                if let Some(total) = total.as_deref_mut() {
                    let (sum, square) = image_sums.split_at(padded);
                    for c in 0..channels {
                        total[c] += f64::from(sum[c]);
                        total[channels + c] += f64::from(square[c]);
                    }
                }
            }
        };
        let outputs = output[..n * out_len].par_chunks_mut(chunk * out_len);
        match sums {
            None => outputs.enumerate().for_each(|(i, out)| piece(i, out, None)),
            Some(sums) => {
                let sums = &mut sums[..crate::chunk_count(n) * 2 * channels];
                sums.fill(0.0);
                outputs.zip(sums.par_chunks_mut(2 * channels)).enumerate().for_each(|(i, (out, s))| piece(i, out, Some(s)));
            }
        }
    }

    /// The gradient with respect to the input: `d_in[n,y,x,i] = Σ d_out[n, (y+p−ky)/s, (x+p−kx)/s, o] · w[ky,kx,i,o]`.
    ///
    /// `d_output` lies as [`Conv2d::output`], whose halo must be at least [`Conv2d::gradient_halo`] and zero; `d_input`
    /// is dense, `[n, H, W, C_in]`, and is added to where `accumulate` says so, else overwritten.
    pub fn data_gradient(&self, n: usize, d_output: &[f32], packed: &[f32], d_input: &mut [f32], accumulate: bool) {
        let out_len = self.output.image_len();
        let in_len = self.input.pixels() * self.input.channels;
        assert!(d_output.len() >= n * out_len && d_input.len() >= n * in_len, "convolution gradient buffers");
        assert_eq!(packed.len(), self.backward_len, "packed convolution weights");
        assert!(self.output.halo >= Self::gradient_halo(self.spec, self.input), "halo of a convolution's output gradient");
        let chunk = chunk_images(n);
        d_input[..n * in_len].par_chunks_mut(chunk * in_len).enumerate().for_each(|(index, d_in)| {
            for (image, d_in) in d_in.chunks_exact_mut(in_len).enumerate() {
                let from = &d_output[(index * chunk + image) * out_len..][..out_len];
                for class in &self.backward {
                    let correlation = Correlation { accumulate, ..class.correlation };
                    if correlation.rows * correlation.run == 0 && accumulate {
                        continue;
                    }
                    // SAFETY: `plan_backward` laid the classes out within dense images; the halo was checked above.
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
        });
    }

    fn gradient_pieces(&self, n: usize) -> usize {
        // Partial sums of small layers are cheap: cut by images. Those of large layers are not: cut by channels instead.
        const PARTIALS: usize = 1 << 20;
        (PARTIALS / self.forward_packed_len()).clamp(1, 16).min(n.max(1))
    }

    /// Floats of workspace that [`Conv2d::weight_gradient`] needs for `n` images.
    #[must_use]
    pub fn gradient_workspace_len(&self, n: usize) -> usize {
        self.gradient_pieces(n) * self.forward_packed_len()
    }

    /// The gradient with respect to the weights, `[k, k, C_in, C_out]`, overwritten:
    /// `d_w[ky,kx,i,o] = Σ_{n,y,x} in[n, y·s+ky−p, x·s+kx−p, i] · d_out[n,y,x,o]`.
    pub fn weight_gradient(&self, n: usize, input: &[f32], d_output: &[f32], workspace: &mut [f32], d_weights: &mut [f32]) {
        let (in_len, out_len) = (self.input.image_len(), self.output.image_len());
        assert!(input.len() >= n * in_len && d_output.len() >= n * out_len, "convolution buffers");
        assert_eq!(d_weights.len(), self.spec.weight_len(), "convolution weight gradient");
        let pieces = self.gradient_pieces(n);
        let images = n.div_ceil(pieces).max(1);
        let workspace = &mut workspace[..pieces * self.forward_packed_len()];
        let c = &self.forward;
        let width = self.forward_block.width();
        let blocks = self.forward_block.count(self.spec.channels_out);
        let row_len = c.run * width;
        // One task a piece, block and kernel row; the workspace is [piece][block][kernel row][run][width].
        workspace.par_chunks_mut(row_len).enumerate().for_each(|(task, acc)| {
            let (piece, block, ky) = (task / (blocks * c.rows), task / c.rows % blocks, task % c.rows);
            acc.fill(0.0);
            let product = OuterProduct {
                in_y_step: c.in_y_step,
                in_x_step: c.in_x_step,
                grad_y_step: c.out_y_step,
                grad_x_step: c.out_x_step,
                rows: c.out_h,
                width: c.out_w,
                run: c.run,
                lanes: width.min(self.spec.channels_out - block * width),
            };
            for image in (piece * images).min(n)..((piece + 1) * images).min(n) {
                let from = &input[image * in_len..][..in_len];
                let grad = &d_output[image * out_len..][..out_len];
                // SAFETY: the same windows as the forward pass reads, and the same pixels as it writes.
                unsafe {
                    let from = from.as_ptr().offset(c.in_origin + (ky * c.in_row_pitch) as isize);
                    let grad = grad.as_ptr().add(c.out_origin + block * width);
                    tile::accumulate_outer(self.forward_block, &product, from, grad, acc.as_mut_ptr());
                }
            }
        });
        sum_pieces(workspace, self.forward_packed_len());
        unpack_columns(&workspace[..self.forward_packed_len()], self.spec.channels_out, width, d_weights);
    }
}

/// `[rows, columns]` into `[block][rows][width]`, the last block filled up with zeros.
pub(crate) fn pack_columns(matrix: &[f32], columns: usize, width: usize, packed: &mut [f32]) {
    let rows = matrix.len() / columns;
    for (block, part) in packed.chunks_exact_mut(rows * width).enumerate() {
        let lanes = width.min(columns - block * width);
        for (row, to) in matrix.chunks_exact(columns).zip(part.chunks_exact_mut(width)) {
            to[..lanes].copy_from_slice(&row[block * width..][..lanes]);
            to[lanes..].fill(0.0);
        }
    }
}

/// The way back from [`pack_columns`].
pub(crate) fn unpack_columns(packed: &[f32], columns: usize, width: usize, matrix: &mut [f32]) {
    let rows = matrix.len() / columns;
    for (block, part) in packed.chunks_exact(rows * width).enumerate() {
        let lanes = width.min(columns - block * width);
        for (row, from) in matrix.chunks_exact_mut(columns).zip(part.chunks_exact(width)) {
            row[block * width..][..lanes].copy_from_slice(&from[..lanes]);
        }
    }
}

/// Adds pieces 1, 2, ... of `len` floats each to piece 0, in that order.
pub(crate) fn sum_pieces(pieces: &mut [f32], len: usize) {
    let (first, rest) = pieces.split_at_mut(len);
    for piece in rest.chunks_exact(len) {
        for (a, b) in first.iter_mut().zip(piece) {
            *a += b;
        }
    }
}
