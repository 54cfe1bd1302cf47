//! The relation head as the reference computes it: every row written out, in its order. Any device that candle knows can
//! train with it, and the fused head is tested against it.

use super::layers::{self, Statistics};
use crate::{Aggregation, Error, Result};
use candle_core::Tensor;

/// Slope of LeakyReLU below zero, PyTorch's default.
const SLOPE: f64 = 0.01;

/// Parameters of `Linear(·, 256) → BatchNorm1d → LeakyReLU(0.01) → Linear(256, 1)`, in PyTorch's shapes. Give tensors of
/// [`Var`](candle_core::Var)s to get their gradients.
#[derive(Debug, Clone, Copy)]
pub struct RelationTensors<'a> {
    /// `linear1.weight`, `[hidden, 2D]` for `cat`, `[hidden, D]` for the others.
    pub linear1_weight: &'a Tensor,
    /// `linear1.bias`, `[hidden]`.
    pub linear1_bias: &'a Tensor,
    /// `bn1.weight`, `[hidden]`.
    pub bn1_weight: &'a Tensor,
    /// `bn1.bias`, `[hidden]`.
    pub bn1_bias: &'a Tensor,
    /// `linear2.weight`, `[1, hidden]`.
    pub linear2_weight: &'a Tensor,
    /// `linear2.bias`, `[1]`.
    pub linear2_bias: &'a Tensor,
}

/// Statistics of the head's BatchNorm over all rows, for its running statistics.
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
/// B negative ones (image b in view i, image `(b − s) mod B` in view j); then s grows by one, and starts anew at B. The paper
/// has S = 1. BatchNorm uses the rows' own statistics, as in training.
///
/// # Errors
/// [`Error::Size`] where there are fewer than two images or views, or features are not `[K·B, D]`.
pub fn relation_logits(
    features: &Tensor,
    images: usize,
    views: usize,
    shifts: usize,
    aggregation: Aggregation,
    head: RelationTensors<'_>,
) -> Result<(Tensor, Tensor)> {
    let (logits, targets, _) = relation_logits_with_statistics(features, images, views, shifts, aggregation, head)?;
    Ok((logits, targets))
}

/// [`relation_logits`] with the statistics of the head's BatchNorm.
///
/// # Errors
/// As [`relation_logits`].
pub fn relation_logits_with_statistics(
    features: &Tensor,
    images: usize,
    views: usize,
    shifts: usize,
    aggregation: Aggregation,
    head: RelationTensors<'_>,
) -> Result<(Tensor, Tensor, RelationStatistics)> {
    let size = |what, expected: String, got: String| Error::Size { what, expected, got };
    if images < 2 || views < 2 || shifts == 0 {
        let got = format!("{images} images, {views} views, {shifts} shifts");
        return Err(size("relation batch", "at least two images, two views and a shift".to_owned(), got));
    }
    if features.rank() != 2 || features.dim(0)? != images * views {
        return Err(size("features", format!("[{}, D]", images * views), format!("{:?}", features.dims())));
    }
    let rows = RowOrder::new(images, views, shifts);
    let device = features.device();
    let left = features.index_select(&Tensor::new(rows.left, device)?, 0)?;
    let right = features.index_select(&Tensor::new(rows.right, device)?, 0)?;
    let pairs = match aggregation {
        Aggregation::Cat => Tensor::cat(&[left, right], 1)?,
        Aggregation::Sum => (left + right)?,
        Aggregation::Mean => ((left + right)? * 0.5)?,
        // As `torch.max` of the stacked pair: the first of equals takes the gradient. (`maximum` would halve it.)
        Aggregation::Max => right.gt(&left)?.where_cond(&right, &left)?,
    };
    let hidden = pairs.matmul(&head.linear1_weight.t()?)?.broadcast_add(head.linear1_bias)?;
    let (normed, Statistics { mean, var, count }) = layers::batch_norm_train(&hidden, head.bn1_weight, head.bn1_bias)?;
    let active = layers::leaky_relu(&normed, SLOPE)?;
    let logits = active.matmul(&head.linear2_weight.t()?)?.broadcast_add(head.linear2_bias)?.flatten_all()?;
    let targets = Tensor::new(rows.targets, device)?.to_dtype(logits.dtype())?;
    Ok((logits, targets, RelationStatistics { mean, var, rows: count }))
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
    let positive = layers::relu(input)?;
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
