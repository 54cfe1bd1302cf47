/// One RGB image: 8 bits a channel, rows top to bottom, pixels interleaved (HWC).
///
/// `rgb.len() == width_px * height_px * 3`, checked by [`Image::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    width_px: usize,
    height_px: usize,
    rgb: Vec<u8>,
}

impl Image {
    /// Wraps interleaved RGB bytes; `None` where the length does not fit the sides or a side is zero.
    #[must_use]
    pub fn new(width_px: usize, height_px: usize, rgb: Vec<u8>) -> Option<Self> {
        let want = width_px.checked_mul(height_px)?.checked_mul(3)?;
        (want > 0 && rgb.len() == want).then_some(Self { width_px, height_px, rgb })
    }

    /// Width in pixels.
    #[must_use]
    pub fn width_px(&self) -> usize {
        self.width_px
    }

    /// Height in pixels.
    #[must_use]
    pub fn height_px(&self) -> usize {
        self.height_px
    }

    /// The bytes, `[height, width, 3]`.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The bytes, `[height, width, 3]`, given away.
    #[must_use]
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// The three bytes of the pixel in column `x` and row `y`.
    ///
    /// # Panics
    /// Where `x` or `y` lies outside the image, as slice indexing does.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(x < self.width_px && y < self.height_px, "pixel ({x}, {y}) lies outside the image");
        let at = (y * self.width_px + x) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }
}
