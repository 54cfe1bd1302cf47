//! The relation head as the reference computes it: every row written out, in its order. Any device that candle knows can
//! train with it, and the fused head is tested against it.

use super::expressions::{self, BatchStatistics};
use crate::{Aggregation, Error, Result};
use candle_core::Tensor;

/// Slope of LeakyReLU below zero, PyTorch's default.
const SLOPE: f64 = 0.01;

/// Statistics of one of the head's BatchNorms over all rows, for its running statistics.
#[derive(Debug, Clone)]
pub struct RelationStatistics {
    /// Mean, `[hidden]`.
    pub mean: Tensor,
    /// Biased variance, `[hidden]`; times rows / (rows − 1) for the running one.
    pub var: Tensor,
    /// Rows, P.
    pub rows: usize,
}

/// Logits and targets, `[P]` each, P = S·B·(K² − K), of all pairs of views of `features` `[K·B, D]`, view-major; S = `shifts`.
///
/// For every i < j in that order, S times each, with a shift s that starts at 1: B positive rows (image b in views i and j), then
/// B negative ones (image b in view i, image `(b − s) mod B` in view j); then s grows by one, and starts again at 1 where it reaches B. The paper
/// has S = 1. BatchNorm uses the rows' own statistics, as in training.
///
/// `head` are the parameters of [`crate::RelationHead`] in its order and PyTorch's shapes: `linear.weight` (`[hidden, 2D]` in the first layer
/// for `cat`, `[hidden, D]` for the others, `[hidden, hidden]` behind it), `linear.bias`, `bn.weight` and `bn.bias` of each hidden layer (the
/// paper has one), then `[1, hidden]` and `[1]` of the last. Give tensors of [`Var`](candle_core::Var)s to get their gradients.
///
/// # Errors
/// [`Error::Size`] where there are fewer than two images or views, features are not `[K·B, D]`, or `head` is no whole number of layers.
pub fn relation_logits(
    features: &Tensor,
    images: usize,
    views: usize,
    shifts: usize,
    aggregation: Aggregation,
    head: &[Tensor],
) -> Result<(Tensor, Tensor)> {
    let (logits, targets, _) = relation_logits_with_statistics(features, images, views, shifts, aggregation, head)?;
    Ok((logits, targets))
}

/// [`relation_logits`] with the statistics of each hidden layer's BatchNorm.
///
/// # Errors
/// As [`relation_logits`].
pub fn relation_logits_with_statistics(
    features: &Tensor,
    images: usize,
    views: usize,
    shifts: usize,
    aggregation: Aggregation,
    head: &[Tensor],
) -> Result<(Tensor, Tensor, Vec<RelationStatistics>)> {
    let size = |what, expected: String, got: String| Error::Size { what, expected, got };
    if images < 2 || views < 2 || shifts == 0 {
        let got = format!("{images} images, {views} views, {shifts} shifts");
        return Err(size("relation batch", "at least two images, two views and a shift".to_owned(), got));
    }
    if features.rank() != 2 || features.dim(0)? != images * views {
        return Err(size("features", format!("[{}, D]", images * views), format!("{:?}", features.dims())));
    }
    let (hidden, [output_weight, output_bias]) = match head.split_last_chunk() {
        Some((hidden, output)) if !hidden.is_empty() && hidden.len().is_multiple_of(4) => (hidden, output),
        _ => return Err(size("relation head", "four tensors a hidden layer, and two".to_owned(), head.len().to_string())),
    };
    let rows = RowOrder::new(images, views, shifts);
    let device = features.device();
    let left = features.index_select(&Tensor::new(rows.left, device)?, 0)?;
    let right = features.index_select(&Tensor::new(rows.right, device)?, 0)?;
    let mut activations = match aggregation {
        Aggregation::Cat => Tensor::cat(&[left, right], 1)?,
        Aggregation::Sum => (left + right)?,
        Aggregation::Mean => ((left + right)? * 0.5)?,
        // As `torch.max` of the stacked pair: the first of equals takes the gradient. (`maximum` would halve it.)
        Aggregation::Max => right.gt(&left)?.where_cond(&right, &left)?,
    };
    let mut statistics = Vec::new();
    for layer in hidden.chunks_exact(4) {
        let h = activations.matmul(&layer[0].t()?)?.broadcast_add(&layer[1])?;
        let (normed, BatchStatistics { mean, var, count }) = expressions::batch_norm_train(&h, &layer[2], &layer[3])?;
        activations = expressions::leaky_relu(&normed, SLOPE)?;
        statistics.push(RelationStatistics { mean, var, rows: count });
    }
    let logits = activations.matmul(&output_weight.t()?)?.broadcast_add(output_bias)?.flatten_all()?;
    let targets = Tensor::new(rows.targets, device)?.to_dtype(logits.dtype())?;
    Ok((logits, targets, statistics))
}

/// Mean binary cross-entropy of logits and targets in `[0, 1]`, both `[P]`: `max(z, 0) − z·t + ln(1 + exp(−|z|))`, finite
/// for every finite logit, with the gradient `(sigmoid(z) − t) / P`.
///
/// # Errors
/// Where shapes differ.
pub fn bce_with_logits(logits: &Tensor, targets: &Tensor) -> candle_core::Result<Tensor> {
    (softplus(logits)? - (logits * targets)?)?.mean_all()
}

/// Mean sigmoid focal loss, `alpha_t · (1 − p_t)^gamma · BCE`, of logits and targets that are 0 or 1, both `[P]`. The
/// reference runs gamma 2 and alpha 0.5.
///
/// # Errors
/// Where shapes differ.
pub fn focal_with_logits(logits: &Tensor, targets: &Tensor, gamma: f64, alpha: f64) -> candle_core::Result<Tensor> {
    // With w = z for target 0 and −z for target 1: BCE = softplus(w) and 1 − p_t = sigmoid(w) = exp(−softplus(−w)).
    let wrong = (logits * targets.affine(-2.0, 1.0)?)?;
    let bce = softplus(&wrong)?;
    let share = ((&bce - &wrong)? * -gamma)?.exp()?;
    let alphas = targets.affine(2.0 * alpha - 1.0, 1.0 - alpha)?;
    (alphas * (share * bce)?)?.mean_all()
}

/// `ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(−|x|))`; the slopes of both parts at 0 belong together and give 1/2 there.
fn softplus(input: &Tensor) -> candle_core::Result<Tensor> {
    let positive = expressions::relu(input)?;
    let minus_size = (input - (&positive * 2.0)?)?;
    positive + (minus_size.exp()? + 1.0)?.log()?
}

/// Which rows of the features make each row of the head.
struct RowOrder {
    left: Vec<u32>,
    right: Vec<u32>,
    targets: Vec<f32>,
}

impl RowOrder {
    fn new(images: usize, views: usize, shifts: usize) -> Self {
        let mut order = Self { left: Vec::new(), right: Vec::new(), targets: Vec::new() };
        let mut shift = 1;
        for i in 0..views {
            for j in (i + 1..views).flat_map(|j| std::iter::repeat_n(j, shifts)) {
                for (roll, target) in [(0, 1.0), (shift, 0.0)] {
                    for image in 0..images {
                        order.left.push((i * images + image) as u32);
                        order.right.push((j * images + (image + images - roll) % images) as u32);
                        order.targets.push(target);
                    }
                }
                shift = if shift + 1 == images { 1 } else { shift + 1 };
            }
        }
        order
    }
}
