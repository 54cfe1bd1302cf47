//! What the register tiles compute, as strides in floats: correlations and sums of outer products. Only geometry: how a tile
//! multiplies is in `tile.rs` and `outer.rs`, what it prefetches meanwhile in `prefetch.rs`.

/// What is done with results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Store {
    /// They replace what was there.
    #[default]
    Overwrite,
    /// They are added to what was there.
    Accumulate,
    /// They replace what was there by non-temporal stores, which bypass the caches. Only for whole blocks of channels, each of which begins
    /// and ends on a cache line's border.
    NonTemporal,
}

/// One correlation of an image with a bank of filters, as strides in floats. Forward passes and data gradients are both
/// this, with other strides.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Correlation {
    /// Offset in the input image of the first tap of output pixel (0, 0).
    pub(crate) in_origin: isize,
    pub(crate) in_y_step: usize,
    pub(crate) in_x_step: usize,
    /// Floats to the same pixels of the next image, where there is more than a row of pixels.
    pub(crate) in_next: usize,
    /// Floats between the window's rows.
    pub(crate) in_row_pitch: usize,
    /// Rows of the window.
    pub(crate) rows: usize,
    /// Floats of one window row: taps x input channels.
    pub(crate) run: usize,
    /// Window floats of the packed weights that are skipped from row to row, where the window is a part of theirs.
    pub(crate) weight_gap: usize,
    pub(crate) out_origin: usize,
    pub(crate) out_y_step: usize,
    pub(crate) out_x_step: usize,
    pub(crate) out_h: usize,
    pub(crate) out_w: usize,
    pub(crate) channels_out: usize,
    pub(crate) store: Store,
}

impl Correlation {
    /// Rows times a matrix, as a 1 x 1 correlation over a row of `rows` pixels: `inner` channels to `columns`.
    pub(crate) fn of_rows(rows: usize, inner: usize, columns: usize) -> Self {
        Self {
            in_x_step: inner,
            rows: 1,
            run: inner,
            out_x_step: columns,
            out_h: 1,
            out_w: rows,
            channels_out: columns,
            ..Self::default()
        }
    }
}

/// Floats from image to image, from row to row and from pixel to pixel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) image: usize,
    pub(crate) y: usize,
    pub(crate) x: usize,
}

impl Steps {
    /// Of pixels of `x` floats side by side.
    pub(crate) fn dense(rows: usize, width: usize, x: usize) -> Self {
        Self { image: rows * width * x, y: width * x, x }
    }

    /// Floats to pixel (y, x) of an image.
    pub(crate) fn to(self, image: usize, y: usize, x: usize) -> usize {
        image * self.image + y * self.y + x * self.x
    }
}

/// Sums of outer products: for pixels (y, x) of some images, `acc[j][o] += input[n, y, x, j] · grad[n, y, x, o]`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OuterProduct {
    pub(crate) images: usize,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) input: Steps,
    pub(crate) grad: Steps,
    /// Window floats j.
    pub(crate) run: usize,
    /// Valid output channels of this block; the other lanes of the block stay zero.
    pub(crate) lanes: usize,
    /// Floats to the same pixels of the images that come next, which are prefetched; 0: they are not.
    pub(crate) next_input: usize,
    /// As `next_input`, of the gradient.
    pub(crate) next_grad: usize,
    /// The share of the input that this block prefetches, `(index, of)`.
    pub(crate) input_share: (usize, usize),
}

impl OuterProduct {
    /// `aᵀ · b` over `rows` rows: `m` floats of `a` with `lanes` of the `columns` floats of `b`.
    pub(crate) fn of_rows(rows: usize, m: usize, columns: usize, lanes: usize) -> Self {
        Self {
            images: 1,
            rows: 1,
            width: rows,
            input: Steps::dense(1, rows, m),
            grad: Steps::dense(1, rows, columns),
            run: m,
            lanes,
            ..Self::default()
        }
    }
}
