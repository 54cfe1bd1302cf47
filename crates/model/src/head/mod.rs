//! The relation head: aggregation of pairs of features, a small classifier, its loss, and every gradient.
//!
//! `Linear(2D or D → 256) → BatchNorm1d → LeakyReLU(0.01) → Linear(256 → 1)` on every pair of views (section 3 of
//! arXiv 2006.05849). The rows of the pairs are never stored: see [`relata_ops::PairHead`] for how. With more hidden layers
//! than the paper's one they are: see [`relata_ops::DeepPairHead`].

#[cfg(test)]
mod tests;

use crate::{Aggregation, Buffers, Compute, Error, NormBuffers, ParameterKind, Parameters, ParametersMut, Result};
use relata_ops::{
    DeepPairHead, DeepPairHeadShape, MatRef, MaxPairHead, PairAggregation, PairHead, PairHeadGrads, PairHeadParams, PairLoss,
    PairOutcome, RunningStats, linear_scratch_len, matmul, matmul_of_transposed, matmul_transposed,
};
use std::ops::Range;

/// PyTorch's default for `BatchNorm1d`.
const NORM_MOMENTUM: f32 = 0.1;

/// What a relation head is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelationHeadConfig {
    /// How two features become one pair.
    pub aggregation: Aggregation,
    /// Width of each hidden layer; the paper's is 256.
    pub hidden: usize,
    /// L, hidden layers; the paper has one. From two on the rows of the pairs are stored.
    pub layers: usize,
    /// Loss on each pair's logit.
    pub loss: PairLoss,
    /// S, the rolls of each pair of views: negatives (and the positives beside them) are S times as many as the paper's.
    pub shifts: usize,
}

impl Default for RelationHeadConfig {
    fn default() -> Self {
        Self { aggregation: Aggregation::Cat, hidden: 256, layers: 1, loss: PairLoss::Bce, shifts: 1 }
    }
}

/// The relation head for batches of up to a number of images, K views each.
#[derive(Debug)]
pub struct RelationHead {
    config: RelationHeadConfig,
    width: usize,
    views: usize,
    max_images: usize,
    parameters: Parameters,
    compute: Compute,
    kernel: Kernel,
    /// Floats of scratch that each worker is yet to be given.
    scratch: usize,
    rows: usize,
    d_features: Vec<f32>,
}

#[derive(Debug)]
enum Kernel {
    /// `cat`, `sum`, `mean`: the first layer works on features, not on pairs.
    Factorised { head: Box<PairHead>, projections: Box<Projections> },
    /// `max` does not come apart.
    Max(Box<MaxPairHead>),
    /// More than one hidden layer.
    Deep(Box<DeepPairHead>),
}

#[derive(Debug)]
struct Projections {
    left: Vec<f32>,
    right: Vec<f32>,
    d_left: Vec<f32>,
    d_right: Vec<f32>,
    weight_left: Vec<f32>,
    weight_right: Vec<f32>,
    d_weight_left: Vec<f32>,
    d_weight_right: Vec<f32>,
}

/// Ranges of the parameters of a head of one hidden layer.
struct ParameterRanges {
    weight1: Range<usize>,
    bias1: Range<usize>,
    norm_weight: Range<usize>,
    norm_bias: Range<usize>,
    weight2: Range<usize>,
    bias2: Range<usize>,
}

impl RelationHead {
    /// A head with freshly drawn weights, for features of width D = `width`. With counted `buffers` it says what it would take, and cannot be
    /// run.
    ///
    /// # Errors
    /// [`Error::Ops`] for fewer than two views or images: one image alone has no negative pair; for no shift, and for no layer.
    pub fn new(
        config: RelationHeadConfig,
        width: usize,
        views: usize,
        max_images: usize,
        seed: u64,
        compute: Compute,
        buffers: &mut Buffers,
    ) -> Result<Self> {
        let mut parameters = Parameters::new(buffers);
        let (isa, hidden, rows) = (compute.isa(), config.hidden, views * max_images);
        let mut inputs = config.aggregation.width(width);
        let pairs = max_images * views * views.saturating_sub(1) / 2 * (1 + config.shifts);
        let mut scratch = linear_scratch_len(isa, rows, width, hidden);
        for layer in 1..=config.layers {
            parameters.add(format!("linear{layer}.weight"), &[hidden, inputs], ParameterKind::LinearWeight);
            parameters.add(format!("linear{layer}.bias"), &[hidden], ParameterKind::LinearBias { inputs });
            parameters.add_norm(&format!("bn{layer}"), hidden);
            if config.layers != 1 || config.aggregation == Aggregation::Max {
                scratch = scratch.max(linear_scratch_len(isa, pairs, inputs, hidden));
            }
            inputs = hidden;
        }
        let last = config.layers + 1;
        parameters.add(format!("linear{last}.weight"), &[1, inputs], ParameterKind::LinearWeight);
        parameters.add(format!("linear{last}.bias"), &[1], ParameterKind::LinearBias { inputs });
        parameters.initialise(seed, 1);
        let kernel = if config.layers != 1 {
            Kernel::Deep(Box::new(DeepPairHead::new(isa, views, max_images, config.deep_shape(width), buffers)?))
        } else if config.aggregation == Aggregation::Max {
            Kernel::Max(Box::new(MaxPairHead::with_shifts(isa, views, max_images, width, hidden, config.shifts, buffers)?))
        } else {
            let mut zeros = |rows: usize| buffers.vec(rows * hidden);
            let projections = Projections {
                left: zeros(rows),
                right: zeros(rows),
                d_left: zeros(rows),
                d_right: zeros(rows),
                weight_left: zeros(width),
                weight_right: zeros(width),
                d_weight_left: zeros(width),
                d_weight_right: zeros(width),
            };
            let head = Box::new(PairHead::with_shifts(isa, views, max_images, hidden, config.shifts, buffers)?);
            Kernel::Factorised { head, projections: Box::new(projections) }
        };
        Ok(Self {
            config,
            width,
            views,
            max_images,
            parameters,
            compute,
            kernel,
            scratch,
            rows: 0,
            d_features: buffers.vec(rows * width),
        })
    }

    /// What it is.
    #[must_use]
    pub fn config(&self) -> RelationHeadConfig {
        self.config
    }

    /// Its parameters, with the gradients of the last step.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Its parameters, to be changed by an optimiser or a weight file.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// The logit of every pair of the last step, in the order of [`relata_ops::RelationPairs`].
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        match &self.kernel {
            Kernel::Factorised { head, .. } => head.logits(),
            Kernel::Max(head) => head.logits(),
            Kernel::Deep(head) => head.logits(),
        }
    }

    /// The gradient of the loss with respect to the features of the last step, `[N, D]`.
    #[must_use]
    pub fn d_features(&self) -> &[f32] {
        &self.d_features[..self.rows * self.width]
    }

    /// Loss of a view-major batch of features `[K·B, D]`, B = `images`, and all gradients: the head's own in its
    /// parameters, the features' in [`RelationHead::d_features`].
    ///
    /// # Errors
    /// [`Error::Size`] where the features are not K·B rows of width D; [`Error::Ops`] where B is 1, or more than the head
    /// was made for.
    pub fn step(&mut self, images: usize, features: &[f32]) -> Result<PairOutcome> {
        if self.scratch > 0 {
            self.compute.reserve_scratch(std::mem::take(&mut self.scratch));
        }
        let (rows, width, hidden) = (images * self.views, self.width, self.config.hidden);
        if features.len() != rows * width || images > self.max_images {
            return Err(Error::Size {
                what: "features",
                expected: format!("{} views of at most {} images, {rows} x {width} floats here", self.views, self.max_images),
                got: format!("{} floats, {images} images", features.len()),
            });
        }
        self.rows = rows;
        let Self { config, parameters, compute, kernel, d_features, .. } = self;
        let d_features = &mut d_features[..rows * width];
        let (loss, isa, aggregation) = (config.loss, compute.isa(), config.aggregation);
        let outcome = compute.install(|| match kernel {
            Kernel::Deep(head) => {
                let ParametersMut { values, gradients, norms } = parameters.parts_mut();
                let running = norms.iter_mut().map(running_stats);
                head.forward_backward(images, features, values, running, loss, d_features, gradients)
            }
            Kernel::Max(head) => {
                let OneLayer { weight, params, running, d_weight, grads } = one_layer(parameters);
                head.forward_backward(images, features, weight, params, running, loss, d_features, d_weight, grads)
            }
            Kernel::Factorised { head, projections } => {
                let OneLayer { weight, params, running, d_weight, grads } = one_layer(parameters);
                let p = projections;
                p.take_weights(aggregation, weight, width);
                let n = rows * hidden;
                matmul_transposed(
                    isa,
                    MatRef::new(features, rows, width),
                    MatRef::new(&p.weight_left, hidden, width),
                    &mut p.left,
                    false,
                );
                matmul_transposed(
                    isa,
                    MatRef::new(features, rows, width),
                    MatRef::new(&p.weight_right, hidden, width),
                    &mut p.right,
                    false,
                );
                let (left, right) = (&p.left[..n], &p.right[..n]);
                let (d_left, d_right) = (&mut p.d_left[..n], &mut p.d_right[..n]);
                let outcome = head.forward_backward(images, left, right, params, running, loss, d_left, d_right, grads)?;
                matmul(isa, MatRef::new(d_left, rows, hidden), MatRef::new(&p.weight_left, hidden, width), d_features, false);
                matmul(isa, MatRef::new(d_right, rows, hidden), MatRef::new(&p.weight_right, hidden, width), d_features, true);
                matmul_of_transposed(
                    isa,
                    MatRef::new(d_left, rows, hidden),
                    MatRef::new(features, rows, width),
                    &mut p.d_weight_left,
                );
                matmul_of_transposed(
                    isa,
                    MatRef::new(d_right, rows, hidden),
                    MatRef::new(features, rows, width),
                    &mut p.d_weight_right,
                );
                p.give_gradient(aggregation, d_weight, width);
                Ok(outcome)
            }
        })?;
        parameters.count_batch();
        Ok(outcome)
    }
}

impl RelationHeadConfig {
    fn deep_shape(self, width: usize) -> DeepPairHeadShape {
        let Self { hidden, layers, shifts, .. } = self;
        let aggregation = match self.aggregation {
            Aggregation::Cat => PairAggregation::Cat,
            Aggregation::Sum => PairAggregation::Sum,
            Aggregation::Mean => PairAggregation::Mean,
            Aggregation::Max => PairAggregation::Max,
        };
        DeepPairHeadShape { aggregation, width, hidden, layers, shifts }
    }
}

fn running_stats(norm: &mut NormBuffers) -> RunningStats<'_> {
    RunningStats { mean: &mut norm.mean, var: &mut norm.var, momentum: NORM_MOMENTUM }
}

/// Parameters and gradients of a head of one hidden layer.
struct OneLayer<'a> {
    weight: &'a [f32],
    params: PairHeadParams<'a>,
    running: RunningStats<'a>,
    d_weight: &'a mut [f32],
    grads: PairHeadGrads<'a>,
}

/// They lie in the order that [`RelationHead::new`] adds them in.
fn one_layer(parameters: &mut Parameters) -> OneLayer<'_> {
    let of = |name| parameters.range(name).expect("added in new");
    let ranges = ParameterRanges {
        weight1: of("linear1.weight"),
        bias1: of("linear1.bias"),
        norm_weight: of("bn1.weight"),
        norm_bias: of("bn1.bias"),
        weight2: of("linear2.weight"),
        bias2: of("linear2.bias"),
    };
    let ParametersMut { values, gradients, norms } = parameters.parts_mut();
    let params = PairHeadParams {
        bias: &values[ranges.bias1.clone()],
        bn_weight: &values[ranges.norm_weight.clone()],
        bn_bias: &values[ranges.norm_bias.clone()],
        w2: &values[ranges.weight2.clone()],
        b2: values[ranges.bias2.start],
    };
    let (d_weight, rest) = gradients.split_at_mut(ranges.weight1.end);
    let (bias, rest) = rest.split_at_mut(ranges.bias1.len());
    let (bn_weight, rest) = rest.split_at_mut(ranges.norm_weight.len());
    let (bn_bias, rest) = rest.split_at_mut(ranges.norm_bias.len());
    let (w2, b2) = rest.split_at_mut(ranges.weight2.len());
    let grads = PairHeadGrads { bias, bn_weight, bn_bias, w2, b2: &mut b2[0] };
    OneLayer { weight: &values[ranges.weight1], params, running: running_stats(&mut norms[0]), d_weight, grads }
}

impl Projections {
    /// What each side of a pair is multiplied with: the halves of `[hidden, 2D]` for `cat`, all of `[hidden, D]` for
    /// `sum`, half of that for `mean`.
    fn take_weights(&mut self, aggregation: Aggregation, weight: &[f32], width: usize) {
        if aggregation == Aggregation::Cat {
            let halves = self.weight_left.chunks_exact_mut(width).zip(self.weight_right.chunks_exact_mut(width));
            for ((left, right), row) in halves.zip(weight.chunks_exact(2 * width)) {
                left.copy_from_slice(&row[..width]);
                right.copy_from_slice(&row[width..]);
            }
        } else {
            let share = if aggregation == Aggregation::Mean { 0.5 } else { 1.0 };
            for ((left, right), w) in self.weight_left.iter_mut().zip(&mut self.weight_right).zip(weight) {
                (*left, *right) = (w * share, w * share);
            }
        }
    }

    fn give_gradient(&self, aggregation: Aggregation, d_weight: &mut [f32], width: usize) {
        if aggregation == Aggregation::Cat {
            let halves = self.d_weight_left.chunks_exact(width).zip(self.d_weight_right.chunks_exact(width));
            for ((left, right), row) in halves.zip(d_weight.chunks_exact_mut(2 * width)) {
                row[..width].copy_from_slice(left);
                row[width..].copy_from_slice(right);
            }
        } else {
            let share = if aggregation == Aggregation::Mean { 0.5 } else { 1.0 };
            for ((d, left), right) in d_weight.iter_mut().zip(&self.d_weight_left).zip(&self.d_weight_right) {
                *d = (left + right) * share;
            }
        }
    }
}
