//! The layers of a backbone as candle expressions on NCHW tensors, each with the right gradient under candle's autograd.
//!
//! candle 0.11 has the operators, but some of their gradients are wrong or missing. Those are written otherwise here, and say why.

use candle_core::{DType, Result, Tensor};
use relata_ops::ConvSpec;

/// BatchNorm's eps, PyTorch's default.
pub(crate) const EPS: f64 = 1e-5;

/// Mean and biased variance of a batch, per channel.
pub(crate) struct BatchStatistics {
    /// `[C]`.
    pub(crate) mean: Tensor,
    /// `[C]`, over n.
    pub(crate) var: Tensor,
    /// Numbers a channel, n.
    pub(crate) count: usize,
}

/// Convolution of `[N, C_in, H, W]` with `[C_out, C_in, k, k]`; the kernel must fit.
///
/// candle's backward pass takes the output padding of both axes from the rows, so rows and columns must leave the same
/// number of pixels unread. Zeros at the far edge, too few to make another window, see to that.
pub(crate) fn conv(input: &Tensor, weight: &Tensor, spec: ConvSpec) -> Result<Tensor> {
    let (_, _, height, width) = input.dims4()?;
    let unread = |side: usize| (side + 2 * spec.padding - spec.kernel) % spec.stride;
    let (rows, columns) = (unread(height), unread(width));
    let input = input.pad_with_zeros(2, 0, columns.saturating_sub(rows))?;
    let input = input.pad_with_zeros(3, 0, rows.saturating_sub(columns))?;
    input.conv2d(weight, spec.padding, spec.stride, 1, 1)
}

/// `x` where it is positive, `slope · x` elsewhere, the slope at 0 too. (candle's `relu` has the slope 1 at 0, PyTorch's 0.)
pub(crate) fn leaky_relu(input: &Tensor, slope: f64) -> Result<Tensor> {
    let slopes = input.gt(0.0)?.to_dtype(input.dtype())?.affine(1.0 - slope, slope)?;
    input * slopes.detach()
}

/// `max(x, 0)` with PyTorch's gradient.
pub(crate) fn relu(input: &Tensor) -> Result<Tensor> {
    input * positive(input)?
}

/// 1 where positive, 0 elsewhere, a constant to the gradient.
pub(crate) fn positive(input: &Tensor) -> Result<Tensor> {
    Ok(input.gt(0.0)?.to_dtype(input.dtype())?.detach())
}

/// BatchNorm with the batch's own statistics, through which the gradient flows, over all axes but the second.
pub(crate) fn batch_norm_train(input: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<(Tensor, BatchStatistics)> {
    let mean = channel_mean(input)?;
    let centred = input.broadcast_sub(&mean)?;
    let var = channel_mean(&centred.sqr()?)?;
    let axes = channel_axes(input);
    let scale = weight.reshape(axes.as_slice())?.div(&(&var + EPS)?.sqrt()?)?;
    let output = centred.broadcast_mul(&scale)?.broadcast_add(&bias.reshape(axes.as_slice())?)?;
    let count = input.elem_count() / input.dim(1)?;
    Ok((output, BatchStatistics { mean: mean.flatten_all()?.detach(), var: var.flatten_all()?.detach(), count }))
}

/// BatchNorm with running statistics.
pub(crate) fn batch_norm_eval(input: &Tensor, weight: &Tensor, bias: &Tensor, mean: &Tensor, var: &Tensor) -> Result<Tensor> {
    let axes = channel_axes(input);
    let scale = weight.div(&(var + EPS)?.sqrt()?)?;
    let shift = (bias - (mean * &scale)?)?;
    input.broadcast_mul(&scale.reshape(axes.as_slice())?)?.broadcast_add(&shift.reshape(axes.as_slice())?)
}

/// `AvgPool2d(2)`; an odd last row or column is left out before the pool, because candle's gradient of a pool spreads
/// over the whole input.
pub(crate) fn average_pool_2(input: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = input.dims4()?;
    let (height, width) = (height / 2 * 2, width / 2 * 2);
    input.narrow(2, 0, height)?.narrow(3, 0, width)?.contiguous()?.avg_pool2d(2)
}

/// `MaxPool2d(3, 2, 1)`, columns first, then rows: the gradient goes to the first largest in reading order, as in
/// PyTorch. (candle has no gradient for overlapping windows, and halves it between equals.)
pub(crate) fn max_pool_3_2(input: &Tensor) -> Result<Tensor> {
    strided_max(&strided_max(input, 3)?, 2)
}

/// Largest of three neighbours, stride 2, along one axis, with nothing beyond the edges.
fn strided_max(input: &Tensor, axis: usize) -> Result<Tensor> {
    let device = input.device();
    let side = input.dim(axis)?;
    let windows = (side - 1) / 2 + 1;
    let mut edge = input.dims().to_vec();
    edge[axis] = 1;
    let edge = Tensor::full(f32::NEG_INFINITY, edge, device)?.to_dtype(input.dtype())?;
    let padded = Tensor::cat(&[&edge, input, &edge], axis)?.contiguous()?;
    let neighbour = |offset: usize| -> Result<Tensor> {
        let indices: Vec<u32> = (0..windows).map(|window| (2 * window + offset) as u32).collect();
        padded.index_select(&Tensor::new(indices, device)?, axis)
    };
    let mut largest = neighbour(0)?;
    for offset in 1..3 {
        let next = neighbour(offset)?;
        largest = next.gt(&largest)?.where_cond(&next, &largest)?;
    }
    Ok(largest)
}

/// Mean over all pixels, `[N, C, H, W]` to `[N, C]`.
pub(crate) fn global_average(input: &Tensor) -> Result<Tensor> {
    input.mean_keepdim(3)?.mean_keepdim(2)?.flatten_from(1)
}

/// Images `[N, H, W, C]` as `[N, C, H, W]`.
pub(crate) fn nchw_from_nhwc(images: &Tensor, dtype: DType) -> Result<Tensor> {
    images.to_dtype(dtype)?.permute((0, 3, 1, 2))?.contiguous()
}

/// Mean over all axes but the second, which stay with length 1; one axis after the other keeps the f32 sums short.
fn channel_mean(input: &Tensor) -> Result<Tensor> {
    (0..input.rank()).rev().filter(|&axis| axis != 1).try_fold(input.clone(), |sum, axis| sum.mean_keepdim(axis))
}

/// `[1, C, 1, ...]` as reshape takes it.
fn channel_axes(input: &Tensor) -> Vec<usize> {
    input.dims().iter().enumerate().map(|(axis, &length)| if axis == 1 { length } else { 1 }).collect()
}
