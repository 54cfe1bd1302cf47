//! What the tests of the heads of one hidden layer share.

use super::reference::{self, Head};
use super::{PairHeadGrads, PairHeadParams, PairOutcome};
use crate::RunningStats;
use crate::test_support::{assert_close, f32s, noise, rounded};

/// f32 against f64, relative to the largest entry: sums by feature row in another order, with one cancellation each.
pub(super) const TOLERANCE: f64 = 1e-5;

pub(super) fn head_of(name: &str, hidden: usize) -> Head {
    let some = |what: &str, scale: f64, add: f64| {
        rounded(noise(&format!("{what} of {name}"), hidden).iter().map(|x| scale * x + add).collect())
    };
    Head {
        bias: some("bias", 0.3, 0.1),
        bn_weight: some("bn weight", 0.7, 0.2),
        bn_bias: some("bn bias", 0.4, 0.0),
        w2: some("w2", 0.5, 0.0),
        b2: 0.125,
    }
}

/// A head's parameters in f32, and room for their gradients and running statistics.
pub(super) struct Buffers {
    bias: Vec<f32>,
    bn_weight: Vec<f32>,
    bn_bias: Vec<f32>,
    w2: Vec<f32>,
    b2: f32,
    pub(super) d_bias: Vec<f32>,
    pub(super) d_bn_weight: Vec<f32>,
    pub(super) d_bn_bias: Vec<f32>,
    pub(super) d_w2: Vec<f32>,
    pub(super) d_b2: f32,
    pub(super) mean: Vec<f32>,
    pub(super) var: Vec<f32>,
}

impl Buffers {
    pub(super) fn new(head: &Head) -> Self {
        let (hidden, unset) = (head.w2.len(), vec![f32::NAN; head.w2.len()]);
        Self {
            bias: f32s(&head.bias),
            bn_weight: f32s(&head.bn_weight),
            bn_bias: f32s(&head.bn_bias),
            w2: f32s(&head.w2),
            b2: head.b2 as f32,
            d_bias: unset.clone(),
            d_bn_weight: unset.clone(),
            d_bn_bias: unset.clone(),
            d_w2: unset,
            d_b2: f32::NAN,
            mean: vec![0.5; hidden],
            var: vec![2.0; hidden],
        }
    }

    pub(super) fn parts(&mut self) -> (PairHeadParams<'_>, RunningStats<'_>, PairHeadGrads<'_>) {
        (
            PairHeadParams { bias: &self.bias, bn_weight: &self.bn_weight, bn_bias: &self.bn_bias, w2: &self.w2, b2: self.b2 },
            RunningStats { mean: &mut self.mean, var: &mut self.var, momentum: 0.1 },
            PairHeadGrads {
                bias: &mut self.d_bias,
                bn_weight: &mut self.d_bn_weight,
                bn_bias: &mut self.d_bn_bias,
                w2: &mut self.d_w2,
                b2: &mut self.d_b2,
            },
        )
    }

    /// Compares what does not depend on how the rows came about.
    #[track_caller]
    pub(super) fn assert_matches(
        &self,
        outcome: PairOutcome,
        logits: &[f32],
        rows: &[(usize, usize, bool)],
        forward: &reference::Forward,
        d_head: &Head,
        what: &str,
    ) {
        assert_outcome(outcome, logits, rows, forward, what);
        assert_close(&self.d_bn_weight, &d_head.bn_weight, TOLERANCE, &format!("d_bn_weight: {what}"));
        assert_close(&self.d_bn_bias, &d_head.bn_bias, TOLERANCE, &format!("d_bn_bias: {what}"));
        assert_close(&self.d_w2, &d_head.w2, TOLERANCE, &format!("d_w2: {what}"));
        assert_close(&[self.d_b2], &[d_head.b2], TOLERANCE, &format!("d_b2: {what}"));
        assert!(self.d_bias.iter().all(|d| *d == 0.0), "d_bias: {what}");
        assert!(d_head.bias.iter().all(|d| d.abs() < 1e-12), "the reference's d_bias: {what}");
        let count = rows.len() as f64;
        let mean: Vec<f64> = forward.mean.iter().map(|m| 0.9 * 0.5 + 0.1 * m).collect();
        let var: Vec<f64> = forward.var.iter().map(|v| 0.9 * 2.0 + 0.1 * v * count / (count - 1.0)).collect();
        assert_close(&self.mean, &mean, TOLERANCE, &format!("running mean: {what}"));
        assert_close(&self.var, &var, TOLERANCE, &format!("running variance: {what}"));
    }
}

#[track_caller]
pub(super) fn assert_outcome(
    outcome: PairOutcome,
    logits: &[f32],
    rows: &[(usize, usize, bool)],
    forward: &reference::Forward,
    what: &str,
) {
    assert_close(logits, &forward.logits, TOLERANCE, &format!("logits: {what}"));
    assert!(
        (outcome.loss - forward.loss).abs() <= TOLERANCE * forward.loss,
        "loss {}, expected {}: {what}",
        outcome.loss,
        forward.loss
    );
    let correct =
        |target: bool| forward.logits.iter().zip(rows).filter(|(z, row)| row.2 == target && (**z > 0.0) == target).count();
    assert_eq!(outcome.rows, rows.len(), "rows: {what}");
    assert_eq!(outcome.positives_correct, correct(true), "positives: {what}");
    assert_eq!(outcome.negatives_correct, correct(false), "negatives: {what}");
}
