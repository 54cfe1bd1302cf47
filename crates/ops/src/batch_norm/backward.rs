use super::{Normalisation, Pool};
use crate::chunks::chunk_images;
use crate::layout::holds;
use crate::simd::{by_channel_group, group, group_mut, multiversion};
use crate::{Isa, Layout, chunk_count, scratch};
use rayon::prelude::*;

/// What kind of gradient arrives at a batch-norm layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GradientSource {
    /// Whether a ReLU stands right behind the normalisation; its mask is computed again from z.
    pub relu: bool,
    /// The pool behind it; the gradient has the pool's sides.
    pub pool: Pool,
}

/// The backward pass of a batch-norm layer over z, which lies as `z`; gradients are dense.
#[derive(Debug, Clone, Copy)]
pub struct BackwardShape {
    /// The instruction set to use.
    pub isa: Isa,
    /// Where the convolution's output lies.
    pub z: Layout,
    /// What stands behind the layer.
    pub source: GradientSource,
}

impl BackwardShape {
    /// Where the gradient that arrives lies.
    #[must_use]
    pub fn gradient(self) -> Layout {
        let (height, width) = self.source.pool.output_sides(self.z.height, self.z.width);
        Layout::dense(height, width, self.z.channels)
    }

    /// First pass: fills `d_bias = Σ g` and `d_weight = Σ g · x̂`, `[C]` each, and what `norm` needs for
    /// [`BackwardShape::write`]. `sums` is workspace of `chunk_count(n) · 2 · C`.
    ///
    /// For layers with a residual, whose ReLU's mask cannot be had from z alone, `cut_off` is the layer's output and where
    /// it lies: `d_out` is first set to zero where that is, and is then the residual's gradient too.
    ///
    /// # Panics
    /// Where a slice is too short, or `cut_off` has other sides than `d_out`.
    pub fn reduce(
        self,
        n: usize,
        d_out: &mut [f32],
        cut_off: Option<(&[f32], Layout)>,
        z: &[f32],
        norm: &mut Normalisation,
        sums: &mut [f64],
        d_weight: &mut [f32],
        d_bias: &mut [f32],
    ) {
        let channels = self.z.channels;
        let (z_len, d) = (self.z.image_len(), self.gradient());
        if let Some((_, layout)) = cut_off {
            assert_eq!(layout.with_halo(0), d, "the output that cuts a gradient off");
        }
        let chunk = chunk_images(n);
        let sums = &mut sums[..chunk_count(n) * 2 * channels];
        let pieces = d_out[..n * d.image_len()].par_chunks_mut(chunk * d.image_len());
        pieces.zip(sums.par_chunks_mut(2 * channels)).enumerate().for_each(|(piece, (d_out, sums))| {
            sums.fill(0.0);
            scratch::with(2 * channels, |part| {
                for (at, d_out) in d_out.chunks_exact_mut(d.image_len()).enumerate() {
                    let image = piece * chunk + at;
                    part.fill(0.0);
                    if let Some((out, layout)) = cut_off {
                        let out = &out[image * layout.image_len()..];
                        (0..d.height).for_each(|y| mask_row(self.isa, &out[layout.row(y)], &mut d_out[d.row(y)]));
                    }
                    let z = &z[image * z_len..][..z_len];
                    self.each_row(d, |y, row| {
                        if let Some(row) = row {
                            let reduce = if self.source.relu { reduce_row::<true> } else { reduce_row::<false> };
                            reduce(self.isa, &z[self.z.row(y)], &d_out[row], self.columns(), norm, part);
                        }
                    });
                    let share = self.share();
                    for (sum, part) in sums.iter_mut().zip(part.iter()) {
                        *sum += f64::from(*part) * share;
                    }
                }
            });
        });
        let count = (n * self.z.pixels()) as f64;
        for c in 0..channels {
            let (mut bias, mut weight) = (0.0, 0.0);
            for piece in sums.chunks_exact(2 * channels) {
                bias += piece[c];
                weight += piece[channels + c];
            }
            d_bias[c] = bias as f32;
            d_weight[c] = weight as f32;
            let (mean, inv_std, scale) = (f64::from(norm.mean[c]), f64::from(norm.inv_std[c]), f64::from(norm.scale[c]));
            let slope = -scale * inv_std * f64::from(d_weight[c]) / count;
            norm.d_slope[c] = slope as f32;
            norm.d_offset[c] = (-scale * f64::from(d_bias[c]) / count - slope * mean) as f32;
        }
    }

    /// Second pass, over the images that `z` holds and on this thread alone: writes
    /// `d_z = scale · (g − d_bias / M − x̂ · d_weight / M)` in the place of z, `d_out` being these images' gradient, and perhaps more.
    ///
    /// # Panics
    /// Where `d_out` has fewer images than `z`.
    pub fn write(self, d_out: &[f32], z: &mut [f32], norm: &Normalisation) {
        let d = self.gradient();
        let share = self.share() as f32;
        assert!(holds(d_out, z.len() / self.z.image_len(), d.image_len()), "gradient of a normalisation's output");
        let write = if self.source.relu { write_row::<true> } else { write_row::<false> };
        for (z, d_out) in z.chunks_exact_mut(self.z.image_len()).zip(d_out.chunks_exact(d.image_len())) {
            self.each_row(d, |y, row| {
                let d_row = row.map_or(&[][..], |row| &d_out[row]);
                write(self.isa, &mut z[self.z.row(y)], d_row, self.columns(), share, norm);
            });
        }
    }

    /// Each row of z, with the range of the gradient's row that it belongs to, or none where the pool left it out.
    fn each_row(self, d: Layout, mut visit: impl FnMut(usize, Option<std::ops::Range<usize>>)) {
        let rows = self.source.pool.window(self.z).0;
        for y in 0..self.z.height {
            visit(y, (y / rows < d.height).then(|| d.row(y / rows)));
        }
    }

    /// Pixels of a row of z that share one gradient.
    fn columns(self) -> usize {
        self.source.pool.window(self.z).1
    }

    /// One pixel's share in a window's mean.
    fn share(self) -> f64 {
        let (rows, columns) = self.source.pool.window(self.z);
        1.0 / (rows * columns) as f64
    }
}

multiversion! {
    fn mask_row(isa, out: &[f32], d_out: &mut [f32]) {
        for (d, out) in d_out.iter_mut().zip(out) {
            *d = if *out > 0.0 { *d } else { 0.0 };
        }
    }
}

/// The gradient in front of the ReLU: zero where its input `z · a + b` is not above zero, and kept where that is NaN.
///
/// By a mask of bits, because the compiler made a branch a value of a plain `if`, mispredicted every other time: half of a
/// Conv-4 step.
#[inline(always)]
fn through_relu<const RELU: bool, const G: usize>(z: &[f32; G], a: &[f32; G], b: &[f32; G], d: &[f32; G]) -> [f32; G] {
    if !RELU {
        return *d;
    }
    let mut g = [0.0; G];
    for c in 0..G {
        let keep = u32::from(z[c] * a[c] + b[c] <= 0.0).wrapping_sub(1);
        g[c] = f32::from_bits(d[c].to_bits() & keep);
    }
    g
}

multiversion! {
    fn reduce_row<const RELU: bool>(isa, z: &[f32], d: &[f32], columns: usize, norm: &Normalisation, sums: &mut [f32]) {
        let channels = norm.mean.len();
        let (bias, weight) = sums.split_at_mut(channels);
        by_channel_group!(channels, G, from, {
            let (a, b) = (group::<G>(&norm.scale[from..]), group::<G>(&norm.shift[from..]));
            let (mean, inv_std) = (group::<G>(&norm.mean[from..]), group::<G>(&norm.inv_std[from..]));
            let (mut sum, mut product) = ([0.0f32; G], [0.0f32; G]);
            for (d, window) in d.chunks_exact(channels).zip(z.chunks_exact(columns * channels)) {
                let d = group::<G>(&d[from..]);
                for z in window.chunks_exact(channels) {
                    let z = group::<G>(&z[from..]);
                    let g = through_relu::<RELU, G>(z, a, b, d);
                    for c in 0..G {
                        sum[c] += g[c];
                        product[c] += g[c] * ((z[c] - mean[c]) * inv_std[c]);
                    }
                }
            }
            for c in 0..G {
                bias[from + c] += sum[c];
                weight[from + c] += product[c];
            }
        });
    }
}

multiversion! {
    fn write_row<const RELU: bool>(isa, z: &mut [f32], d: &[f32], columns: usize, share: f32, norm: &Normalisation) {
        let channels = norm.mean.len();
        let covered = (d.len() / channels) * columns * channels;
        let (pooled, left_out) = z.split_at_mut(covered);
        by_channel_group!(channels, G, from, {
            // Copies: what is written cannot change them, so they stay in registers.
            let (a, b) = (*group::<G>(&norm.scale[from..]), *group::<G>(&norm.shift[from..]));
            let (slope, offset) = (*group::<G>(&norm.d_slope[from..]), *group::<G>(&norm.d_offset[from..]));
            for (d, window) in d.chunks_exact(channels).zip(pooled.chunks_exact_mut(columns * channels)) {
                let d = group::<G>(&d[from..]).map(|d| d * share);
                for z in window.chunks_exact_mut(channels) {
                    let to = group_mut::<G>(&mut z[from..]);
                    let z = *to;
                    let g = through_relu::<RELU, G>(&z, &a, &b, &d);
                    *to = std::array::from_fn(|c| a[c] * g[c] + (slope[c] * z[c] + offset[c]));
                }
            }
            for z in left_out.chunks_exact_mut(channels) {
                let to = group_mut::<G>(&mut z[from..]);
                let z = *to;
                *to = std::array::from_fn(|c| slope[c] * z[c] + offset[c]);
            }
        });
    }
}
