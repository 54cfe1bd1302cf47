use crate::Layout;
use crate::layout::addressable;

/// What a convolution layer is: square kernel, one stride, one padding, no bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSpec {
    /// Channels of the input, C_in.
    pub channels_in: usize,
    /// Channels of the output, C_out.
    pub channels_out: usize,
    /// Side of the kernel, k.
    pub kernel: usize,
    /// Step between windows, s.
    pub stride: usize,
    /// Zero pixels imagined around the image, p.
    pub padding: usize,
}

impl ConvSpec {
    /// Number of weights, k·k·C_in·C_out.
    #[must_use]
    pub fn weight_len(self) -> usize {
        self.kernel * self.kernel * self.channels_in * self.channels_out
    }

    pub(super) fn checked_weight_len(self) -> Option<usize> {
        addressable(self.kernel.checked_mul(self.kernel)?.checked_mul(self.channels_in)?.checked_mul(self.channels_out)?)
    }

    /// Output side for an input side, `(side + 2p − k) / s + 1`; `None` where the kernel does not fit or a number is out of range.
    #[must_use]
    pub fn output_side(self, side: usize) -> Option<usize> {
        side.checked_add(self.padding.checked_mul(2)?)?.checked_sub(self.kernel)?.checked_div(self.stride)?.checked_add(1)
    }

    /// Multiply-adds of one image's forward pass, counted as two operations each.
    #[must_use]
    pub fn forward_flops(self, output: Layout) -> u64 {
        2 * (output.pixels() * self.weight_len()) as u64
    }
}

/// How a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// The fastest that suits the layer: Winograd's F(4x4, 3x3) or F(2x2, 3x3), else the direct form.
    #[default]
    Auto,
    /// The definition's own sums.
    Direct,
}
