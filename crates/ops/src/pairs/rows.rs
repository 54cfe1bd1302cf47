//! Loss, its derivative and the correct predictions of rows of pairs, from their logits.

use super::PairOutcome;
use crate::Isa;
use crate::loss::PairLoss;

/// Sums over some rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowSums {
    loss: f64,
    positives_correct: usize,
    negatives_correct: usize,
    rows: usize,
}

impl RowSums {
    /// Adds rows of one target, and writes their derivatives of the mean over all `total_rows`.
    pub(super) fn add(
        &mut self,
        isa: Isa,
        loss: PairLoss,
        total_rows: usize,
        positive: bool,
        logits: &[f32],
        d_logits: &mut [f32],
    ) {
        let scale = (1.0 / total_rows as f64) as f32;
        self.loss += loss.rows(isa, positive, scale, logits, d_logits);
        let above = logits.iter().filter(|z| **z > 0.0).count();
        if positive {
            self.positives_correct += above;
        } else {
            self.negatives_correct += logits.len() - above;
        }
        self.rows += logits.len();
    }

    /// Joins parts in their order.
    pub(super) fn outcome(parts: &[Self]) -> PairOutcome {
        let rows = parts.iter().map(|p| p.rows).sum::<usize>();
        PairOutcome {
            loss: parts.iter().map(|p| p.loss).sum::<f64>() / rows as f64,
            positives_correct: parts.iter().map(|p| p.positives_correct).sum(),
            negatives_correct: parts.iter().map(|p| p.negatives_correct).sum(),
            rows,
        }
    }
}
