//! JPEGs by libjpeg-turbo.
//!
//! It reads what almost every file holds: grey levels or YCbCr, without a fault. All else (CMYK, RGB, lossless, data about which
//! it has but a warning) it leaves to the decoder of builds without it, so that both accept the same files.

use image::{DynamicImage, RgbImage};
use turbojpeg::{Colorspace, Decompressor, PixelFormat, ScalingFactor};

/// A JPEG whose header has been read.
pub(super) struct Jpeg<'a> {
    bytes: &'a [u8],
    decompressor: Decompressor,
    width_px: usize,
    height_px: usize,
}

impl<'a> Jpeg<'a> {
    /// `None` for what is left to the other decoder.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
        // Making one costs a hundredth of decoding the smallest image: not worth keeping it.
        let mut decompressor = Decompressor::new().ok()?;
        let header = decompressor.read_header(bytes).ok()?;
        let known = matches!(header.colorspace, Colorspace::YCbCr | Colorspace::Gray) && !header.is_lossless;
        known.then_some(Self { bytes, decompressor, width_px: header.width, height_px: header.height })
    }

    /// Width and height of the whole image; a JPEG's are at most 65,535.
    pub(super) fn dimensions(&self) -> (u32, u32) {
        (self.width_px as u32, self.height_px as u32)
    }

    /// The pixels as the file has them; `None` for what is left to the other decoder.
    ///
    /// With `least_side_px`, at the least of 1/8, 1/4, 1/2 and the whole size whose sides are both that long, by a smaller
    /// inverse cosine transform. Sides are rounded up.
    pub(super) fn decode(mut self, least_side_px: u32) -> Option<DynamicImage> {
        let scale = scale(self.width_px.min(self.height_px), least_side_px as usize);
        self.decompressor.set_scaling_factor(scale).ok()?;
        let (width, height) = (scale.scale(self.width_px), scale.scale(self.height_px));
        let mut pixels = vec![0; width.checked_mul(height)?.checked_mul(3)?];
        let into = turbojpeg::Image { pixels: &mut pixels[..], width, pitch: 3 * width, height, format: PixelFormat::RGB };
        self.decompressor.decompress(self.bytes, into).ok()?;
        RgbImage::from_raw(width as u32, height as u32, pixels).map(DynamicImage::ImageRgb8)
    }
}

fn scale(side_px: usize, least_px: usize) -> ScalingFactor {
    let scales = [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];
    let fits = |scale: &ScalingFactor| least_px > 0 && scale.scale(side_px) >= least_px;
    scales.into_iter().find(fits).unwrap_or(ScalingFactor::ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_scale_that_keeps_the_side_is_taken() {
        let denominators = [(375, 0), (375, 376), (375, 189), (375, 188), (375, 94), (375, 47), (375, 1), (5, 1), (5, 2)];
        let found = denominators.map(|(side, least)| scale(side, least).denom());
        assert_eq!(found, [1, 1, 1, 2, 4, 8, 8, 8, 4]);
    }
}
