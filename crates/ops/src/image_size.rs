use std::fmt;

/// Sides and channels of an image; a row of numbers is an image of one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageSize {
    /// Rows of pixels, H.
    pub height: usize,
    /// Pixels in a row, W.
    pub width: usize,
    /// Numbers a pixel, C.
    pub channels: usize,
}

impl ImageSize {
    /// An image of `height` x `width` pixels with `channels` numbers each.
    #[must_use]
    pub const fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// A square colour image, `side_px` x `side_px` pixels of three channels.
    #[must_use]
    pub const fn square_rgb(side_px: usize) -> Self {
        Self::new(side_px, side_px, 3)
    }

    /// A row of `width` numbers, as an image of one pixel of so many channels.
    #[must_use]
    pub const fn row(width: usize) -> Self {
        Self::new(1, 1, width)
    }

    /// H · W.
    #[must_use]
    pub const fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Numbers of an image, H · W · C.
    #[must_use]
    pub const fn len(self) -> usize {
        self.pixels() * self.channels
    }

    /// Whether an image has no numbers.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Numbers of `images` images; `None` where they are more than can be counted.
    #[must_use]
    pub fn batch_len(self, images: usize) -> Option<usize> {
        [self.height, self.width, self.channels].into_iter().try_fold(images, usize::checked_mul)
    }
}

/// `32 x 32 x 3`: height, width, channels.
impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} x {}", self.height, self.width, self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::ImageSize;

    #[test]
    fn a_size_counts_the_numbers_of_a_batch() {
        let size = ImageSize::new(5, 7, 3);
        assert_eq!((size.pixels(), size.len(), size.batch_len(2)), (35, 105, Some(210)));
        assert_eq!(size.batch_len(usize::MAX), None);
        assert_eq!(size.to_string(), "5 x 7 x 3");
        assert!(ImageSize::new(5, 0, 3).is_empty() && ImageSize::row(9) == ImageSize::new(1, 1, 9));
        assert_eq!(ImageSize::square_rgb(8), ImageSize::new(8, 8, 3));
    }
}
