use rayon::prelude::*;

/// Where the floats of a batch of images lie: NHWC, each image with a border (*halo*) of `halo` pixels on every side.
///
/// The halo is kept at zero, so a convolution reads its zero padding from memory instead of checking bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Rows of the image itself, H.
    pub height: usize,
    /// Pixels in a row of the image itself, W.
    pub width: usize,
    /// Channels, C.
    pub channels: usize,
    /// Pixels of border on each of the four sides.
    pub halo: usize,
}

impl Layout {
    /// A layout without a halo.
    #[must_use]
    pub fn dense(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels, halo: 0 }
    }

    /// The same image with another halo.
    #[must_use]
    pub fn with_halo(self, halo: usize) -> Self {
        Self { halo, ..self }
    }

    /// Floats from one row to the next.
    #[must_use]
    pub fn row_pitch(self) -> usize {
        (self.width + 2 * self.halo) * self.channels
    }

    /// Floats of one image, halo included.
    #[must_use]
    pub fn image_len(self) -> usize {
        (self.height + 2 * self.halo) * self.row_pitch()
    }

    /// As [`Layout::image_len`]; `None` where so many floats could not be addressed.
    pub(crate) fn checked_image_len(self) -> Option<usize> {
        let side = |side: usize| self.halo.checked_mul(2)?.checked_add(side);
        addressable(side(self.height)?.checked_mul(side(self.width)?)?.checked_mul(self.channels)?)
    }

    /// Pixels of the image itself, H · W.
    #[must_use]
    pub fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Float offset, within one image, of channel 0 of the pixel in row `y` and column `x`; 0 is the first inside the halo.
    #[must_use]
    pub fn offset(self, y: usize, x: usize) -> usize {
        (y + self.halo) * self.row_pitch() + (x + self.halo) * self.channels
    }

    /// As [`Layout::offset`] for pixels that may lie in the halo.
    pub(crate) fn signed_offset(self, y: isize, x: isize) -> isize {
        (y + self.halo as isize) * self.row_pitch() as isize + (x + self.halo as isize) * self.channels as isize
    }

    /// Sets the halos of `n` images to zero.
    pub fn clear_halo(self, n: usize, images: &mut [f32]) {
        if self.halo == 0 {
            return;
        }
        let side = self.halo * self.channels;
        images[..n * self.image_len()].par_chunks_mut(self.image_len()).for_each(|image| {
            image[..self.halo * self.row_pitch()].fill(0.0);
            for row in image[self.halo * self.row_pitch()..].chunks_exact_mut(self.row_pitch()).take(self.height) {
                row[..side].fill(0.0);
                row[side + self.width * self.channels..].fill(0.0);
            }
            image[(self.halo + self.height) * self.row_pitch()..].fill(0.0);
        });
    }

    /// The range, within one image, of the floats of row `y` without its halo.
    #[must_use]
    pub fn row(self, y: usize) -> std::ops::Range<usize> {
        let start = self.offset(y, 0);
        start..start + self.width * self.channels
    }
}

/// `floats`, where as many can be addressed in one buffer, with room for the kernels' own rounding up.
pub(crate) fn addressable(floats: usize) -> Option<usize> {
    (floats <= isize::MAX as usize / 64).then_some(floats)
}

/// Whether `floats` hold `n` things of `len` floats each.
pub(crate) fn holds(floats: &[f32], n: usize, len: usize) -> bool {
    n.checked_mul(len).is_some_and(|needed| floats.len() >= needed)
}
