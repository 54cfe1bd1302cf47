//! The definition's own sums, by the register tiles of `tile.rs` and `outer.rs`: any kernel, stride and number of channels.
//!
//! The data gradient of a layer with stride s is s·s small dense correlations, one for each class of input pixels.
//!
//! On maps of a few pixels most windows reach over the border: of the 81 taps of a 3 x 3 map's windows, padded by one, 49 lie
//! within it. There, `few_pixels`, a pixel of many images is computed at once, by the taps within the map alone.

use super::block::{Block, pack_columns, unpack_columns};
use super::geometry::{Correlation, OuterProduct, Steps, Store};
use super::outer::{accumulate_outer, gather_input, outer_pixels};
use super::spec::ConvSpec;
use super::tile::{self, TilePlan};
use crate::simd::{LINE, by_channel_group, group, group_mut, multiversion};
use crate::{Isa, Layout, scratch};
use std::ops::Range;

/// Side of the largest map that is computed pixel by pixel.
const FEW: usize = 3;

/// A layer's direct form.
#[derive(Debug, Clone)]
pub(super) struct Direct {
    isa: Isa,
    spec: ConvSpec,
    input: Layout,
    output: Layout,
    forward: TilePlan,
    forward_window: Window,
    forward_block: Block,
    /// One dense correlation a class of input pixels, with the kernel rows and columns that reach it.
    backward: Vec<BackwardClass>,
    backward_block: Block,
    backward_len: usize,
}

#[derive(Debug, Clone)]
struct BackwardClass {
    plan: TilePlan,
    window: Window,
    kernel_rows: Vec<usize>,
    kernel_columns: Vec<usize>,
    packed_at: usize,
}

/// Where a correlation's windows lie on the map that they read: the first tap of the window of pixel (0, 0), which may lie in the
/// halo, the step from window to window, and the taps.
#[derive(Debug, Clone, Copy)]
struct Window {
    y: isize,
    x: isize,
    step: usize,
    rows: usize,
    columns: usize,
}

impl Window {
    /// The rows and columns of taps within the map, in the window of pixel (y, x).
    fn within(self, map: Layout, y: usize, x: usize) -> (Range<usize>, Range<usize>) {
        let along = |first: isize, taps: usize, side: usize| {
            let from = (-first).clamp(0, taps as isize);
            from as usize..(side as isize - first).clamp(from, taps as isize) as usize
        };
        let (y, x) = (self.y + (y * self.step) as isize, self.x + (x * self.step) as isize);
        (along(y, self.rows, map.height), along(x, self.columns, map.width))
    }
}

impl Direct {
    /// Whether a layer's maps are so small that it is computed pixel by pixel.
    pub(super) fn few_pixels(spec: ConvSpec, output: Layout) -> bool {
        spec.kernel > 1 && output.height.max(output.width) <= FEW
    }

    pub(super) fn new(isa: Isa, spec: ConvSpec, input: Layout, output: Layout) -> Self {
        let (s, p) = (spec.stride, spec.padding as isize);
        let forward = Correlation {
            in_origin: input.signed_offset(-p, -p),
            in_y_step: s * input.row_pitch(),
            in_x_step: s * input.channels,
            in_next: input.image_len(),
            in_row_pitch: input.row_pitch(),
            rows: spec.kernel,
            run: spec.kernel * spec.channels_in,
            out_origin: output.offset(0, 0),
            out_y_step: output.row_pitch(),
            out_x_step: output.channels,
            out_h: output.height,
            out_w: output.width,
            channels_out: spec.channels_out,
            ..Correlation::default()
        };
        let forward_block = Block::pick(isa, spec.channels_out);
        let mut layer = Self {
            isa,
            spec,
            input,
            output,
            forward: TilePlan::with_prefetch(forward_block, forward),
            forward_window: Window { y: -p, x: -p, step: s, rows: spec.kernel, columns: spec.kernel },
            forward_block,
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
                    in_next: output.image_len(),
                    in_row_pitch: output.row_pitch(),
                    rows: rows.len(),
                    run: columns.len() * channels_out,
                    out_origin: ry * input.width * channels_in + rx * channels_in,
                    out_y_step: stride * input.width * channels_in,
                    out_x_step: stride * channels_in,
                    out_h: (input.height - ry).div_ceil(stride),
                    out_w: (input.width - rx).div_ceil(stride),
                    channels_out: channels_in,
                    ..Correlation::default()
                };
                let plan = TilePlan::with_prefetch(self.backward_block, correlation);
                let window = Window { y: y0, x: x0, step: 1, rows: rows.len(), columns: columns.len() };
                let packed_at = self.backward_len;
                let blocks = self.backward_block.count(channels_in);
                self.backward_len += blocks * self.backward_block.width() * rows.len() * columns.len() * channels_out;
                self.backward.push(BackwardClass { plan, window, kernel_rows: rows, kernel_columns: columns, packed_at });
            }
        }
    }

    pub(super) fn forward_packed_len(&self) -> usize {
        self.padded_channels() * self.forward.geometry.rows * self.forward.geometry.run
    }

    pub(super) fn backward_packed_len(&self) -> usize {
        self.backward_len
    }

    fn padded_channels(&self) -> usize {
        self.forward_block.count(self.spec.channels_out) * self.forward_block.width()
    }

    /// Floats of this thread's scratch that are used: by [`Direct::forward`] for sums, by [`Direct::accumulate`] for its input.
    pub(super) fn scratch_len(&self) -> usize {
        let gathered = if self.gathers_input() { self.least_images().max(1) * self.gathered_image_len() } else { 0 };
        gathered.max(2 * self.padded_channels())
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

    /// Runs over `output`'s images. `sums`, where given, get the sum and the sum of squares of each output channel,
    /// `[2][C_out]` for every `chunk` images.
    pub(super) fn forward(
        &self,
        input: &[f32],
        packed: &[f32],
        output: &mut [f32],
        store: Store,
        chunk: usize,
        mut sums: Option<&mut [f64]>,
    ) {
        let (in_len, channels) = (self.input.image_len(), self.spec.channels_out);
        let padded = self.padded_channels();
        if Self::few_pixels(self.spec, self.output) {
            // SAFETY: `forward` and its windows were laid out in `new` for these images.
            unsafe {
                let windows = (self.input, &self.forward.geometry, self.forward_window);
                correlate_pixels(self.forward_block, windows, input, packed, output, self.output.image_len());
            }
            let Some(sums) = sums else { return };
            return scratch::with(2 * channels, |image_sums| {
                for (image, out) in output.chunks_exact(self.output.image_len()).enumerate() {
                    image_sums.fill(0.0);
                    let (sum, square) = image_sums.split_at_mut(channels);
                    (0..self.output.height).for_each(|y| add_up(self.isa, &out[self.output.row(y)], sum, square));
                    let total = &mut sums[image / chunk * 2 * channels..][..2 * channels];
                    total.iter_mut().zip(image_sums.iter()).for_each(|(total, sum)| *total += f64::from(*sum));
                }
            });
        }
        let forward = self.forward.storing(self.forward_block.store(store, channels));
        scratch::with(2 * padded, |image_sums| {
            for (image, out) in output.chunks_exact_mut(self.output.image_len()).enumerate() {
                let from = &input[image * in_len..][..in_len];
                image_sums.fill(0.0);
                let (sum, square) = image_sums.split_at_mut(padded);
                let to_sums = sums.is_some().then_some((sum.as_mut_ptr(), square.as_mut_ptr()));
                // SAFETY: `forward` was laid out in `new` for images of exactly these lengths, whose halo holds the padding.
                unsafe {
                    tile::correlate(self.forward_block, &forward, from.as_ptr(), packed.as_ptr(), out.as_mut_ptr(), to_sums);
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
    pub(super) fn data_gradient(&self, d_output: &[f32], packed: &[f32], d_input: &mut [f32], store: Store) {
        let store = self.backward_block.store(store, self.input.channels);
        let (in_len, out_len) = (self.input.pixels() * self.input.channels, self.output.image_len());
        if Self::few_pixels(self.spec, self.output) {
            for class in &self.backward {
                let correlation = Correlation { store, ..class.plan.geometry };
                // SAFETY: as below.
                unsafe {
                    let windows = (self.output, &correlation, class.window);
                    let packed = &packed[class.packed_at.min(packed.len())..];
                    correlate_pixels(self.backward_block, windows, d_output, packed, d_input, in_len);
                }
            }
            return;
        }
        for (image, d_in) in d_input.chunks_exact_mut(in_len).enumerate() {
            let from = &d_output[image * out_len..][..out_len];
            for class in &self.backward {
                let plan = class.plan.storing(store);
                if plan.geometry.rows * plan.geometry.run == 0 && store == Store::Accumulate {
                    continue;
                }
                // SAFETY: `plan_backward` laid the classes out within dense images; the caller checked the halo.
                unsafe {
                    tile::correlate(
                        self.backward_block,
                        &plan,
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
        self.forward.geometry.run * self.forward_block.width()
    }

    /// Images that [`Direct::accumulate`] wants at once, for its sums to be loaded and stored for enough pixels.
    pub(super) fn least_images(&self) -> usize {
        outer_pixels(self.forward_block.width()) / self.output.pixels().max(1)
    }

    /// Adds to the parts of the weight gradient's sums from `first_part` on, those that `sums` holds, what all images given add to them.
    pub(super) fn accumulate(&self, input: &[f32], d_output: &[f32], first_part: usize, sums: &mut [f32]) {
        let c = &self.forward.geometry;
        let (in_len, out_len) = (self.input.image_len(), self.output.image_len());
        let images = (input.len() / in_len).min(d_output.len() / out_len);
        let product = OuterProduct {
            images,
            rows: c.out_h,
            width: c.out_w,
            input: Steps { image: in_len, y: c.in_y_step, x: c.in_x_step },
            grad: Steps { image: out_len, y: c.out_y_step, x: c.out_x_step },
            run: c.run,
            next_input: images * in_len,
            next_grad: images * out_len,
            ..OuterProduct::default()
        };
        let lone = sums.len() == self.part_len();
        let parts = (first_part..).zip(sums.chunks_exact_mut(self.part_len()));
        if lone || !self.gathers_input() {
            return parts.for_each(|(part, sums)| self.accumulate_part(product, (input, c.in_origin), d_output, part, sums));
        }
        scratch::with(images * self.gathered_image_len(), |gathered| {
            // SAFETY: the same pixels as the forward pass reads, of as many images as the input and the scratch hold.
            unsafe {
                let from = input.as_ptr().offset(c.in_origin);
                gather_input(self.forward_block, &product, self.gathered_step(), from, gathered.as_mut_ptr());
            }
            let product = OuterProduct { input: Steps::dense(c.out_h, c.out_w, self.gathered_step()), next_input: 0, ..product };
            parts.for_each(|(part, sums)| self.accumulate_part(product, (gathered, 0), d_output, part, sums));
        });
    }

    /// Whether the weight gradient's input is gathered for all of its blocks: of 1 x 1 kernels, whose pixels are read by no other part of
    /// a block, where blocks are so narrow that they multiply little with each float.
    fn gathers_input(&self) -> bool {
        self.spec.kernel == 1 && self.forward_block.width() <= 16 && self.spec.channels_out >= 128
    }

    /// Floats from pixel to pixel of gathered input: a line more than they are long, so that they do not share sets of the cache.
    fn gathered_step(&self) -> usize {
        self.input.channels + LINE
    }

    fn gathered_image_len(&self) -> usize {
        self.output.pixels() * self.gathered_step()
    }

    /// [`Direct::accumulate`] of one part.
    fn accumulate_part(
        &self,
        all: OuterProduct,
        (input, origin): (&[f32], isize),
        d_output: &[f32],
        part: usize,
        sums: &mut [f32],
    ) {
        let c = &self.forward.geometry;
        let (block, ky, width) = (part / c.rows, part % c.rows, self.forward_block.width());
        // Prefetched once, by the first part that reads it; of a few channels it is too little to be worth it.
        let wide = self.spec.channels_out >= 16;
        let product = OuterProduct {
            next_input: if wide && ky < self.spec.stride { all.next_input } else { 0 },
            next_grad: if wide && ky == 0 { all.next_grad } else { 0 },
            input_share: (block, self.forward_block.count(self.spec.channels_out)),
            lanes: width.min(self.spec.channels_out - block * width),
            ..all
        };
        if Self::few_pixels(self.spec, self.output) {
            return self.accumulate_taps(product, input, d_output, part, sums);
        }
        // SAFETY: the same windows as the forward pass reads, and the same pixels as it writes, of as many images as both hold.
        unsafe {
            let from = input.as_ptr().offset(origin + (ky * c.in_row_pitch) as isize);
            let grad = d_output.as_ptr().add(c.out_origin + block * width);
            accumulate_outer(self.forward_block, &product, from, grad, sums.as_mut_ptr());
        }
    }

    /// [`Direct::accumulate`] tap by tap, from those pixels of `all` alone whose window has the tap within the map.
    fn accumulate_taps(&self, all: OuterProduct, input: &[f32], d_output: &[f32], part: usize, sums: &mut [f32]) {
        let ConvSpec { channels_in: channels, kernel, stride, padding, .. } = self.spec;
        let (block, ky, width) = (part / kernel, part % kernel, self.forward_block.width());
        // Of the pixels along a side, those whose tap `k` is not in the padding.
        let reached = |k: usize, pixels: usize, side: usize| {
            let from = padding.saturating_sub(k).div_ceil(stride).min(pixels);
            from..(side + padding).saturating_sub(k).div_ceil(stride).clamp(from, pixels)
        };
        let rows = reached(ky, all.rows, self.input.height);
        for (kx, sums) in sums.chunks_exact_mut(channels * width).enumerate() {
            let columns = reached(kx, all.width, self.input.width);
            if rows.is_empty() || columns.is_empty() {
                continue;
            }
            let product = OuterProduct { rows: rows.len(), width: columns.len(), run: channels, ..all };
            let tap = self.input.signed_offset(
                (rows.start * stride + ky) as isize - padding as isize,
                (columns.start * stride + kx) as isize - padding as isize,
            );
            // SAFETY: the tap of each of these pixels lies within the image, and the pixels on the output's map.
            unsafe {
                let from = input.as_ptr().offset(tap);
                let grad = d_output.as_ptr().add(self.output.offset(rows.start, columns.start) + block * width);
                accumulate_outer(self.forward_block, &product, from, grad, sums.as_mut_ptr());
            }
        }
    }

    /// The weight gradient out of its sums.
    pub(super) fn unpack(&self, sums: &[f32], d_weights: &mut [f32]) {
        unpack_columns(sums, self.spec.channels_out, self.forward_block.width(), d_weights);
    }
}

/// Correlates as many images as `output` holds, pixel by pixel: each pixel in all of them at once, by the taps of its window that lie
/// within the map. The tuple is the map that is read, the correlation of one image, and its windows.
///
/// # Safety
/// What the correlation reaches within the map lies within images of `input`, and its output within `out_len` floats; `packed` are its weights.
unsafe fn correlate_pixels(
    block: Block,
    (map, c, window): (Layout, &Correlation, Window),
    input: &[f32],
    packed: &[f32],
    output: &mut [f32],
    out_len: usize,
) {
    let (width, images, channels) = (block.width(), output.len() / out_len, map.channels);
    for at in 0..block.count(c.channels_out) {
        for (y, x) in (0..c.out_h).flat_map(|y| (0..c.out_w).map(move |x| (y, x))) {
            let (rows, columns) = window.within(map, y, x);
            let none = rows.is_empty() || columns.is_empty();
            if none && c.store == Store::Accumulate {
                continue;
            }
            let pixel = Correlation {
                in_x_step: map.image_len(),
                in_row_pitch: c.in_row_pitch,
                rows: if none { 0 } else { rows.len() },
                run: columns.len() * channels,
                weight_gap: c.run - columns.len() * channels,
                out_x_step: out_len,
                out_h: 1,
                out_w: images,
                channels_out: width.min(c.channels_out - at * width),
                store: c.store,
                ..Correlation::default()
            };
            let first_tap =
                (window.y + (y * window.step + rows.start) as isize, window.x + (x * window.step + columns.start) as isize);
            let from = if none { 0 } else { map.signed_offset(first_tap.0, first_tap.1) };
            let weights = ((at * c.rows + rows.start) * c.run + columns.start * channels) * width;
            let to = c.out_origin + y * c.out_y_step + x * c.out_x_step + at * width;
            // SAFETY: the caller's promise; the taps lie within the map.
            unsafe {
                let weights = packed.as_ptr().add(weights.min(packed.len()));
                tile::correlate(block, &pixel.into(), input.as_ptr().offset(from), weights, output.as_mut_ptr().add(to), None);
            }
        }
    }
}

multiversion! {
    /// Adds a row of pixels, and their squares, to the sums of their channels.
    fn add_up(isa, pixels: &[f32], sum: &mut [f32], square: &mut [f32]) {
        let channels = sum.len();
        by_channel_group!(channels, G, from, {
            let (sum, square) = (group_mut::<G>(&mut sum[from..]), group_mut::<G>(&mut square[from..]));
            for pixel in pixels.chunks_exact(channels) {
                let pixel = group::<G>(&pixel[from..]);
                for c in 0..G {
                    sum[c] += pixel[c];
                    square[c] += pixel[c] * pixel[c];
                }
            }
        });
    }
}
