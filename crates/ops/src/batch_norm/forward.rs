use super::Normalisation;
use crate::chunks::chunk_images;
use crate::layout::holds;
use crate::simd::{by_channel_group, end_streaming, group, group_mut, multiversion, stream_group, worth_streaming};
use crate::{Error, Isa, Layout, Result};
use rayon::prelude::*;

/// The average pooling that is fused behind normalisation and ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// None: one output pixel an input pixel.
    None,
    /// Windows of 2 x 2, step 2; an odd last row or column is left out, as PyTorch's `AvgPool2d(2)` does.
    Average2,
    /// One window over the whole image, `AdaptiveAvgPool2d(1)`.
    Global,
}

impl Pool {
    /// The sides of what comes out of an image of `height` x `width`.
    #[must_use]
    pub fn output_sides(self, height: usize, width: usize) -> (usize, usize) {
        match self {
            Self::None => (height, width),
            Self::Average2 => (height / 2, width / 2),
            Self::Global => (1, 1),
        }
    }

    pub(super) fn window(self, z: Layout) -> (usize, usize) {
        match self {
            Self::None => (1, 1),
            Self::Average2 => (2, 2),
            Self::Global => (z.height, z.width),
        }
    }
}

/// What is done to a convolution's output in one pass: normalise, add the residual, ReLU, pool.
#[derive(Debug, Clone, Copy)]
pub struct Epilogue {
    isa: Isa,
    z: Layout,
    output: Layout,
    pool: Pool,
    relu: bool,
}

impl Epilogue {
    /// For a convolution's output that lies as `z`, into images that lie as `output`.
    ///
    /// # Errors
    /// [`Error::Shape`] where `output` does not have the sides that the pool gives, or an image is too small for it.
    pub fn new(isa: Isa, z: Layout, relu: bool, pool: Pool, output: Layout) -> Result<Self> {
        let sides = pool.output_sides(z.height, z.width);
        if sides != (output.height, output.width) || z.channels != output.channels || sides.0 * sides.1 == 0 {
            return Err(Error::Shape {
                operator: "batch norm",
                what: format!("{z:?} through {pool:?} does not give {output:?}"),
            });
        }
        Ok(Self { isa, z, output, pool, relu })
    }

    /// Where the result lies.
    #[must_use]
    pub fn output(&self) -> Layout {
        self.output
    }

    /// `out = pool(relu(z · scale + shift + residual))` for `n` images; the residual, which lies as `residual_layout`
    /// (the sides and channels of z), only without a pool. Only inner pixels of `out` are written.
    pub fn forward(&self, n: usize, z: &[f32], norm: &Normalisation, residual: Option<(&[f32], Layout)>, out: &mut [f32]) {
        assert!(residual.is_none() || self.pool == Pool::None, "a residual cannot be pooled in the same pass");
        assert!(residual.is_none_or(|(_, layout)| layout.with_halo(self.z.halo) == self.z), "sides and channels of a residual");
        let (z_len, out_len) = (self.z.image_len(), self.output.image_len());
        assert!(holds(z, n, z_len) && holds(out, n, out_len), "batch norm buffers");
        let chunk = chunk_images(n);
        let streams = self.pool == Pool::None && worth_streaming(&out[..n * out_len], self.output.channels);
        out[..n * out_len].par_chunks_mut(chunk * out_len).enumerate().for_each(|(piece, out)| {
            for (image, out) in out.chunks_exact_mut(out_len).enumerate() {
                let image = piece * chunk + image;
                let z = &z[image * z_len..][..z_len];
                for y in 0..self.output.height {
                    let out = &mut out[self.output.row(y)];
                    match (self.pool, residual) {
                        (Pool::None, None) => {
                            normalise(self.isa, &z[self.z.row(y)], &norm.scale, &norm.shift, self.relu, streams, out)
                        }
                        (Pool::None, Some((from, layout))) => {
                            let from = &from[image * layout.image_len()..][layout.row(y)];
                            normalise_add(self.isa, &z[self.z.row(y)], &norm.scale, &norm.shift, from, self.relu, streams, out);
                        }
                        (Pool::Average2, _) => {
                            let rows = (&z[self.z.row(2 * y)], &z[self.z.row(2 * y + 1)]);
                            pool_pairs(self.isa, rows.0, rows.1, &norm.scale, &norm.shift, self.relu, out);
                        }
                        (Pool::Global, _) => {
                            out.fill(0.0);
                            for y in 0..self.z.height {
                                add_pixels(self.isa, &z[self.z.row(y)], &norm.scale, &norm.shift, self.relu, out);
                            }
                            let share = 1.0 / self.z.pixels() as f32;
                            out.iter_mut().for_each(|v| *v *= share);
                        }
                    }
                }
            }
            end_streaming();
        });
    }
}

#[inline(always)]
pub(super) fn rectify(value: f32, relu: bool) -> f32 {
    if relu && value < 0.0 { 0.0 } else { value }
}

multiversion! {
    fn normalise(isa, z: &[f32], scale: &[f32], shift: &[f32], relu: bool, streams: bool, out: &mut [f32]) {
        let channels = scale.len();
        by_channel_group!(channels, G, from, {
            let (a, b) = (group::<G>(&scale[from..]), group::<G>(&shift[from..]));
            for (z, out) in z.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
                let (z, out) = (group::<G>(&z[from..]), group_mut::<G>(&mut out[from..]));
                let mut values = [0.0; G];
                for c in 0..G {
                    values[c] = rectify(z[c] * a[c] + b[c], relu);
                }
                // SAFETY: it streams only what is worth it, and ends that with the piece.
                if streams { unsafe { stream_group(out, values) } } else { *out = values }
            }
        });
    }
}

multiversion! {
    fn normalise_add(isa, z: &[f32], scale: &[f32], shift: &[f32], residual: &[f32], relu: bool, streams: bool, out: &mut [f32]) {
        let channels = scale.len();
        by_channel_group!(channels, G, from, {
            let (a, b) = (group::<G>(&scale[from..]), group::<G>(&shift[from..]));
            let pixels = z.chunks_exact(channels).zip(residual.chunks_exact(channels)).zip(out.chunks_exact_mut(channels));
            for ((z, r), out) in pixels {
                let (z, r, out) = (group::<G>(&z[from..]), group::<G>(&r[from..]), group_mut::<G>(&mut out[from..]));
                let mut values = [0.0; G];
                for c in 0..G {
                    values[c] = rectify(z[c] * a[c] + b[c] + r[c], relu);
                }
                // SAFETY: it streams only what is worth it, and ends that with the piece.
                if streams { unsafe { stream_group(out, values) } } else { *out = values }
            }
        });
    }
}

multiversion! {
    fn pool_pairs(isa, top: &[f32], bottom: &[f32], scale: &[f32], shift: &[f32], relu: bool, out: &mut [f32]) {
        let channels = scale.len();
        by_channel_group!(channels, G, from, {
            let (a, b) = (group::<G>(&scale[from..]), group::<G>(&shift[from..]));
            let pixels = top.chunks_exact(2 * channels).zip(bottom.chunks_exact(2 * channels)).zip(out.chunks_exact_mut(channels));
            for ((top, bottom), out) in pixels {
                let (t0, t1) = (group::<G>(&top[from..]), group::<G>(&top[channels + from..]));
                let (b0, b1) = (group::<G>(&bottom[from..]), group::<G>(&bottom[channels + from..]));
                let out = group_mut::<G>(&mut out[from..]);
                for c in 0..G {
                    let y = |z: f32| rectify(z * a[c] + b[c], relu);
                    out[c] = 0.25 * ((y(t0[c]) + y(t1[c])) + (y(b0[c]) + y(b1[c])));
                }
            }
        });
    }
}

multiversion! {
    fn add_pixels(isa, z: &[f32], scale: &[f32], shift: &[f32], relu: bool, out: &mut [f32]) {
        let channels = scale.len();
        by_channel_group!(channels, G, from, {
            let (a, b) = (group::<G>(&scale[from..]), group::<G>(&shift[from..]));
            let out = group_mut::<G>(&mut out[from..]);
            let mut sum = *out;
            for z in z.chunks_exact(channels) {
                let z = group::<G>(&z[from..]);
                for c in 0..G {
                    sum[c] += rectify(z[c] * a[c] + b[c], relu);
                }
            }
            *out = sum;
        });
    }
}
