//! 2-D convolution without bias, square kernel, NHWC: forward, data gradient, weight gradient.
//!
//! With kernel k, stride s, padding p, for an output pixel (y, x) and channel o:
//!
//! `out[n,y,x,o] = Σ_{ky,kx,i} in[n, y·s+ky−p, x·s+kx−p, i] · w[ky,kx,i,o]`
//!
//! as PyTorch's `conv2d` gives it (a correlation), `H_out = (H + 2p − k) / s + 1`. Weights are `[k, k, C_in, C_out]`.
//!
//! The data gradient is the same correlation with flipped, transposed weights; with a stride it falls apart into s·s
//! classes of input pixels (for s = 2 by the parity of row and column), each a small dense correlation of its own. The
//! weight gradient is a sum of outer products over all pixels.
//!
//! Here a batch is cut for the threads. What a thread does with its images is one of two forms: `direct.rs` for any
//! layer, `winograd/` for 3 x 3 kernels with stride 1, in less than half the products. Both spend their time in the
//! register tiles of `tile.rs` and `outer.rs`.

pub(crate) mod block;
mod direct;
pub(crate) mod geometry;
pub(crate) mod outer;
mod prefetch;
#[cfg(test)]
mod reference;
mod spec;
#[cfg(test)]
mod tests;
pub(crate) mod tile;
mod winograd;

pub use spec::{Algorithm, ConvSpec};

use crate::chunks::chunk_images;
use crate::layout::{addressable, holds};
use crate::simd::{end_streaming, worth_streaming};
use crate::{Error, Isa, Layout, Result, chunk_count};
use direct::Direct;
use geometry::Store;
use rayon::prelude::*;
use winograd::{Target, Winograd};

/// Pieces of a batch below which threads would be idle, were the gradients cut by pieces alone.
const ENOUGH_PIECES: usize = 8;

/// A convolution compiled for one input layout and one instruction set.
#[derive(Debug, Clone)]
pub struct Conv2d {
    spec: ConvSpec,
    input: Layout,
    output: Layout,
    direct: Direct,
    /// For the forward pass and the weight gradient, of layers that suit it.
    winograd: Option<Winograd>,
    /// For the data gradient.
    winograd_backward: Option<Winograd>,
}

impl Conv2d {
    /// Prepares a layer whose input lies as `input`; its output gets a halo of `output_halo` pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] where kernel, stride, channels or image have a zero, channels differ, the kernel is larger than the
    /// padded image, the input's halo is narrower than the padding, or images, weights or strides are more than can be
    /// addressed.
    pub fn new(isa: Isa, spec: ConvSpec, input: Layout, output_halo: usize) -> Result<Self> {
        Self::with_algorithm(isa, spec, input, output_halo, Algorithm::Auto)
    }

    /// As [`Conv2d::new`] with an algorithm of one's own choice.
    ///
    /// # Errors
    /// As [`Conv2d::new`].
    pub fn with_algorithm(isa: Isa, spec: ConvSpec, input: Layout, output_halo: usize, algorithm: Algorithm) -> Result<Self> {
        let shape = |what: String| Error::Shape { operator: "convolution", what };
        if spec.stride == 0 || spec.kernel == 0 || spec.channels_in == 0 || spec.channels_out == 0 {
            return Err(shape(format!("{spec:?} has a zero")));
        }
        if input.height == 0 || input.width == 0 {
            return Err(shape(format!("an image of {} x {} pixels", input.height, input.width)));
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
        // Steps between windows too, of which kernels compute offsets.
        let step = || addressable(spec.stride.checked_mul(input.row_pitch())?);
        let sizes = [input.checked_image_len(), output.checked_image_len(), spec.checked_weight_len()];
        if sizes.contains(&None) || step().is_none() {
            return Err(shape(format!("{spec:?} of images of {} x {} is more than can be addressed", input.height, input.width)));
        }
        let suits = algorithm == Algorithm::Auto && Winograd::suits(spec) && !Direct::few_pixels(spec, output);
        Ok(Self {
            spec,
            input,
            output,
            direct: Direct::new(isa, spec, input, output),
            winograd: suits.then(|| Winograd::new(isa, input, spec.channels_out)),
            winograd_backward: (suits && output_halo >= 1).then(|| Winograd::new(isa, output, spec.channels_in)),
        })
    }

    /// Pixels of halo that the output's gradient needs for [`Conv2d::data_gradient`].
    #[must_use]
    pub fn gradient_halo(spec: ConvSpec, input: Layout) -> usize {
        let (k, s, p) = (spec.kernel as isize, spec.stride as isize, spec.padding as isize);
        let reach = |side: usize| {
            let Some(out) = spec.output_side(side) else { return 0 };
            let out = out as isize;
            let before = -(p - (k - 1)).div_euclid(s);
            let after = (side as isize - 1 + p).div_euclid(s) - (out - 1);
            before.max(after).max(0) as usize
        };
        reach(input.height).max(reach(input.width))
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
        self.winograd.map_or(self.direct.forward_packed_len(), |winograd| winograd.packed_len())
    }

    /// Floats that [`Conv2d::pack_backward`] fills.
    #[must_use]
    pub fn backward_packed_len(&self) -> usize {
        self.winograd_backward.map_or(self.direct.backward_packed_len(), |winograd| winograd.packed_len())
    }

    /// Floats of scratch that each thread uses for this layer, see [`crate::reserve_scratch`].
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        let of = |winograd: Option<Winograd>| winograd.map_or(0, |winograd| winograd.scratch_len());
        of(self.winograd).max(of(self.winograd_backward)).max(self.direct.scratch_len())
    }

    /// Orders weights `[k, k, C_in, C_out]` as [`Conv2d::forward`] reads them.
    pub fn pack_forward(&self, weights: &[f32], packed: &mut [f32]) {
        assert_eq!(weights.len(), self.spec.weight_len(), "convolution weights");
        assert_eq!(packed.len(), self.forward_packed_len(), "packed convolution weights");
        match &self.winograd {
            Some(winograd) => winograd.pack(weights, packed),
            None => self.direct.pack_forward(weights, packed),
        }
    }

    /// Orders weights `[k, k, C_in, C_out]` as [`Conv2d::data_gradient`] reads them.
    pub fn pack_backward(&self, weights: &[f32], packed: &mut [f32]) {
        assert_eq!(weights.len(), self.spec.weight_len(), "convolution weights");
        assert_eq!(packed.len(), self.backward_packed_len(), "packed convolution weights");
        match &self.winograd_backward {
            Some(winograd) => winograd.pack_flipped(weights, packed),
            None => self.direct.pack_backward(weights, packed),
        }
    }

    /// Where the output's pixels lie.
    fn output_target(&self) -> Target {
        let Layout { channels, .. } = self.output;
        let (origin, y_step, image_len) = (self.output.offset(0, 0), self.output.row_pitch(), self.output.image_len());
        Target { origin, y_step, x_step: channels, image_len }
    }

    /// Runs the layer over `n` images.
    ///
    /// `input` and `output` hold at least `n` images of [`Conv2d::input`] and [`Conv2d::output`]; only the output's
    /// inner pixels are written. Where `sums` is given, it gets for every piece of the batch ([`crate::chunk_count`] of
    /// them) the sum and the sum of squares of each output channel: `[pieces][2][C_out]`.
    pub fn forward(&self, n: usize, input: &[f32], packed: &[f32], output: &mut [f32], sums: Option<&mut [f64]>) {
        let (in_len, out_len) = (self.input.image_len(), self.output.image_len());
        assert!(holds(input, n, in_len) && holds(output, n, out_len), "convolution buffers");
        assert_eq!(packed.len(), self.forward_packed_len(), "packed convolution weights");
        let (chunk, channels) = (chunk_images(n), self.spec.channels_out);
        let group = self.images_a_task(self.winograd, chunk);
        let store = if worth_streaming(&output[..n * out_len], channels) { Store::NonTemporal } else { Store::Overwrite };
        let run = |index: usize, out: &mut [f32], sums: Option<&mut [f64]>| {
            let input = &input[index * group * in_len..n * in_len];
            match &self.winograd {
                Some(winograd) => winograd.correlate(input, packed, out, self.output_target(), store, chunk, sums),
                None => self.direct.forward(input, packed, out, store, chunk, sums),
            }
            end_streaming();
        };
        let outputs = output[..n * out_len].par_chunks_mut(group * out_len).enumerate();
        match sums {
            None => outputs.for_each(|(index, out)| run(index, out, None)),
            Some(sums) => {
                let sums = &mut sums[..chunk_count(n) * 2 * channels];
                sums.fill(0.0);
                let sums = sums.par_chunks_mut(group / chunk * 2 * channels);
                outputs.zip(sums).for_each(|((index, out), sums)| run(index, out, Some(sums)));
            }
        }
    }

    /// The gradient with respect to the input: `d_in[n,y,x,i] = Σ d_out[n, (y+p−ky)/s, (x+p−kx)/s, o] · w[ky,kx,i,o]`.
    ///
    /// `d_output` lies as [`Conv2d::output`], whose halo must be at least [`Conv2d::gradient_halo`] and zero; `d_input`
    /// is dense, `[n, H, W, C_in]`, and is added to where `accumulate` says so, else overwritten.
    pub fn data_gradient(&self, n: usize, d_output: &[f32], packed: &[f32], d_input: &mut [f32], accumulate: bool) {
        let (in_len, out_len) = (self.input.pixels() * self.input.channels, self.output.image_len());
        assert!(holds(d_output, n, out_len) && holds(d_input, n, in_len), "convolution gradient buffers");
        assert_eq!(packed.len(), self.backward_packed_len(), "packed convolution weights");
        assert!(self.output.halo >= Self::gradient_halo(self.spec, self.input), "halo of a convolution's output gradient");
        let group = self.images_a_task(self.winograd_backward, chunk_images(n));
        let store = self.input_store(&d_input[..n * in_len], accumulate);
        d_input[..n * in_len].par_chunks_mut(group * in_len).enumerate().for_each(|(index, d_in)| {
            self.data_gradient_of_some(&d_output[index * group * out_len..n * out_len], packed, d_in, store);
        });
    }

    /// [`Conv2d::data_gradient`] of as many images as `d_input` holds, on this thread.
    fn data_gradient_of_some(&self, d_output: &[f32], packed: &[f32], d_input: &mut [f32], store: Store) {
        let Layout { width, channels, .. } = self.input;
        match &self.winograd_backward {
            Some(winograd) => {
                let image_len = self.input.pixels() * channels;
                let target = Target { origin: 0, y_step: width * channels, x_step: channels, image_len };
                winograd.correlate(d_output, packed, d_input, target, store, 1, None);
            }
            None => self.direct.data_gradient(d_output, packed, d_input, store),
        }
        end_streaming();
    }

    /// What is done with the gradients of a batch's inputs.
    fn input_store(&self, d_input: &[f32], accumulate: bool) -> Store {
        match accumulate {
            true => Store::Accumulate,
            false if worth_streaming(d_input, self.input.channels) => Store::NonTemporal,
            false => Store::Overwrite,
        }
    }

    fn gradient_pieces(&self, n: usize) -> usize {
        // Partial sums of small layers are cheap: cut by images. Those of large layers are not: cut by channels as far as
        // that goes.
        const PARTIALS: usize = 4 << 20;
        // And where they do not stay near a core, those of each piece have to be worth their way to memory and back.
        const LARGE: usize = 32 << 10;
        const PIXELS: usize = 256;
        let worth = if self.spec.weight_len() < LARGE { usize::MAX } else { n * self.output.pixels() / PIXELS };
        let most = (PARTIALS / self.gradient_len()).min(worth).clamp(1, 16);
        let pieces = if most < ENOUGH_PIECES { most.min(16_usize.div_ceil(self.tasks_a_piece())) } else { most };
        pieces.min(n.max(1))
    }

    /// Tasks that a piece's sums are cut into where there are few pieces.
    fn tasks_a_piece(&self) -> usize {
        self.gradient_len() / self.part_len() / self.parts_together()
    }

    /// Parts of a piece's sums that a task takes together. Winograd's transform of the input serves all of them.
    fn parts_together(&self) -> usize {
        let cache = if self.winograd.is_some() { 256 << 10 } else { 80 << 10 };
        parts_together(self.gradient_len() / self.part_len(), self.part_len(), cache)
    }

    /// Floats of one piece's sums of the weight gradient.
    fn gradient_len(&self) -> usize {
        self.winograd.map_or(self.direct.forward_packed_len(), |winograd| winograd.packed_len())
    }

    /// Floats of workspace that [`Conv2d::weight_gradient`] needs for `n` images.
    #[must_use]
    pub fn gradient_workspace_len(&self, n: usize) -> usize {
        self.gradient_pieces(n) * self.gradient_len()
    }

    /// The gradient with respect to the weights, `[k, k, C_in, C_out]`, overwritten:
    /// `d_w[ky,kx,i,o] = Σ_{n,y,x} in[n, y·s+ky−p, x·s+kx−p, i] · d_out[n,y,x,o]`.
    pub fn weight_gradient(&self, n: usize, input: &[f32], d_output: &[f32], workspace: &mut [f32], d_weights: &mut [f32]) {
        let (in_len, out_len) = (self.input.image_len(), self.output.image_len());
        assert!(holds(input, n, in_len) && holds(d_output, n, out_len), "convolution buffers");
        assert_eq!(d_weights.len(), self.spec.weight_len(), "convolution weight gradient");
        let images = self.piece_images(n);
        let (pieces, len, part_len) = (n.div_ceil(images), self.gradient_len(), self.part_len());
        let sums = &mut workspace[..pieces * len];
        // Few pieces are cut once more, by parts of the sums, as many as stay in the cache. Many are not: their parts take
        // images while these are in the cache.
        let together = if pieces < ENOUGH_PIECES { self.parts_together() } else { len / part_len };
        let parts = together * part_len;
        let group = if together == 1 && parts < len { images } else { self.images_at_once().min(images) };
        sums.par_chunks_mut(parts).enumerate().for_each(|(task, sums)| {
            let (piece, first_part) = (task / (len / parts), task % (len / parts) * (parts / part_len));
            let (first, end) = (piece * images, ((piece + 1) * images).min(n));
            sums.fill(0.0);
            let inputs = input[first * in_len..end * in_len].chunks(group * in_len);
            for (input, d_output) in inputs.zip(d_output[first * out_len..end * out_len].chunks(group * out_len)) {
                self.accumulate(input, d_output, first_part, sums);
            }
        });
        self.join_pieces(sums, d_weights);
    }

    /// Images of a piece of the batch, in which the weight gradient is summed up for itself.
    fn piece_images(&self, n: usize) -> usize {
        n.div_ceil(self.gradient_pieces(n)).max(1)
    }

    /// Floats of a part of a piece's sums, which can be computed by itself.
    fn part_len(&self) -> usize {
        self.winograd.map_or(self.direct.part_len(), |winograd| winograd.block_len())
    }

    /// Images that the gradients take at once, as many as stay in the cache.
    fn images_at_once(&self) -> usize {
        self.images_a_task(self.winograd_backward, 1).max(self.direct.least_images())
    }

    /// Images that a thread takes at once: whole pieces of the batch, and enough of small images for the tiles.
    fn images_a_task(&self, winograd: Option<Winograd>, chunk: usize) -> usize {
        const OF_FEW_PIXELS: usize = 12;
        let few = if Direct::few_pixels(self.spec, self.output) { OF_FEW_PIXELS } else { 1 };
        winograd.map_or(few, |winograd| winograd.least_images()).next_multiple_of(chunk)
    }

    /// Adds some images to the parts of a piece's sums, of which `sums` holds those from `first_part` on.
    fn accumulate(&self, input: &[f32], d_output: &[f32], first_part: usize, sums: &mut [f32]) {
        match &self.winograd {
            Some(winograd) => winograd.accumulate(input, d_output, self.output_target(), first_part, sums),
            None => self.direct.accumulate(input, d_output, first_part, sums),
        }
    }

    /// The weight gradient out of the sums of all pieces.
    fn join_pieces(&self, sums: &mut [f32], d_weights: &mut [f32]) {
        if sums.is_empty() {
            return d_weights.fill(0.0);
        }
        sum_pieces(sums, self.gradient_len());
        let sums = &sums[..self.gradient_len()];
        match &self.winograd {
            Some(winograd) => winograd.unpack(sums, d_weights),
            None => self.direct.unpack(sums, d_weights),
        }
    }

    /// Both gradients, arguments as in [`Conv2d::weight_gradient`] and, where `d_input` is given with its `accumulate`,
    /// in [`Conv2d::data_gradient`].
    ///
    /// `complete` is called for all images of `d_output`, some at a time, before they are read, with the number of the
    /// first: the last change to them is cheapest here, while they stay in the cache for what follows.
    pub fn backward(
        &self,
        n: usize,
        input: &[f32],
        d_output: &mut [f32],
        complete: impl Fn(usize, &mut [f32]) + Sync,
        packed: &[f32],
        d_input: Option<(&mut [f32], bool)>,
        workspace: &mut [f32],
        d_weights: &mut [f32],
    ) {
        let (in_len, out_len) = (self.input.image_len(), self.output.image_len());
        assert!(holds(input, n, in_len) && holds(d_output, n, out_len), "convolution buffers");
        let d_output = &mut d_output[..n * out_len];
        let images = self.piece_images(n);
        if n.div_ceil(images) < ENOUGH_PIECES {
            // One thing after the other, each cut its own way.
            let chunk = chunk_images(n);
            d_output.par_chunks_mut(chunk * out_len).enumerate().for_each(|(at, some)| complete(at * chunk, some));
            self.weight_gradient(n, input, d_output, workspace, d_weights);
            if let Some((d_input, accumulate)) = d_input {
                self.data_gradient(n, d_output, packed, d_input, accumulate);
            }
            return;
        }
        assert_eq!(d_weights.len(), self.spec.weight_len(), "convolution weight gradient");
        let sums = &mut workspace[..n.div_ceil(images) * self.gradient_len()];
        let group = self.images_at_once().min(images);
        let piece = |piece: usize, sums: &mut [f32], d_output: &mut [f32], mut d_input: Option<(&mut [f32], Store)>| {
            sums.fill(0.0);
            let d_in_len = self.input.pixels() * self.input.channels;
            for (at, d_output) in d_output.chunks_mut(group * out_len).enumerate() {
                let (first, count) = (piece * images + at * group, d_output.len() / out_len);
                complete(first, d_output);
                self.accumulate(&input[first * in_len..][..count * in_len], d_output, 0, sums);
                if let Some((d_input, store)) = &mut d_input {
                    let d_input = &mut d_input[at * group * d_in_len..][..count * d_in_len];
                    self.data_gradient_of_some(d_output, packed, d_input, *store);
                }
            }
        };
        let pieces = sums.par_chunks_mut(self.gradient_len()).zip(d_output.par_chunks_mut(images * out_len)).enumerate();
        match d_input {
            None => pieces.for_each(|(at, (sums, d_output))| piece(at, sums, d_output, None)),
            Some((d_input, accumulate)) => {
                let d_in_len = self.input.pixels() * self.input.channels;
                assert!(holds(d_input, n, d_in_len), "convolution gradient buffers");
                assert_eq!(packed.len(), self.backward_packed_len(), "packed convolution weights");
                assert!(
                    self.output.halo >= Self::gradient_halo(self.spec, self.input),
                    "halo of a convolution's output gradient"
                );
                let store = self.input_store(&d_input[..n * d_in_len], accumulate);
                let d_inputs = d_input[..n * d_in_len].par_chunks_mut(images * d_in_len);
                pieces.zip(d_inputs).for_each(|((at, (sums, d_output)), d_input)| {
                    piece(at, sums, d_output, Some((d_input, store)));
                });
            }
        }
        self.join_pieces(sums, d_weights);
    }
}

/// Parts of a weight gradient's sums, out of `parts` of `len` floats, that a task takes together: some equal share of them
/// that stays in the cache, `cache` floats, while images pass by.
fn parts_together(parts: usize, len: usize, cache: usize) -> usize {
    (1..=parts).rev().find(|&together| parts.is_multiple_of(together) && together * len <= cache).unwrap_or(1)
}

/// Adds pieces 1, 2, ... of `len` floats each to piece 0, in that order.
pub(crate) fn sum_pieces(pieces: &mut [f32], len: usize) {
    let (first, rest) = pieces.split_at_mut(len);
    const AT_ONCE: usize = 1 << 12;
    first.par_chunks_mut(AT_ONCE).enumerate().for_each(|(at, first)| {
        for piece in rest.chunks_exact(len) {
            for (a, b) in first.iter_mut().zip(&piece[at * AT_ONCE..]) {
                *a += b;
            }
        }
    });
}
