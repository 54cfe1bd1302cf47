/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CropBox {
    /// First row.
    pub top_px: usize,
    /// First column.
    pub left_px: usize,
    /// Rows.
    pub height_px: usize,
    /// Columns.
    pub width_px: usize,
}

impl CropBox {
    /// The box that holds a whole image.
    #[must_use]
    pub fn whole(width_px: usize, height_px: usize) -> Self {
        Self { top_px: 0, left_px: 0, height_px, width_px }
    }

    /// Whether the box is not empty and lies inside an image of this size.
    #[must_use]
    pub fn fits(&self, width_px: usize, height_px: usize) -> bool {
        let inside = |first: usize, length: usize, limit| length > 0 && first.checked_add(length).is_some_and(|end| end <= limit);
        inside(self.top_px, self.height_px, height_px) && inside(self.left_px, self.width_px, width_px)
    }
}
