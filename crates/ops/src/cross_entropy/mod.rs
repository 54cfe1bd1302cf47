//! Softmax cross-entropy over rows of logits, with its gradient.
//!
//! With logits `z [N, C]`, targets t and class weights w:
//!
//! `loss = Σ_r w(t_r) · (ln Σ_c exp(z_rc) − z_r[t_r]) / W`, `d_z = w(t_r) · (softmax(z_r) − onehot(t_r)) / W`
//!
//! where W is `Σ_r w(t_r)` for the mean, PyTorch's `CrossEntropyLoss(weight)`, or 1 for the sum. The largest logit of each row is taken
//! away first, so nothing overflows. A row with a NaN or an infinite logit gives a loss of NaN.
//!
//! Two forms: [`CrossEntropy`] has its exponentials and sums in f64, [`cross_entropy_f32`] in f32, for probes whose time they are.

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

/// What the losses of the rows are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reduction {
    /// The sum of the rows' weights: the number of rows where there are none.
    #[default]
    Mean,
    /// Nothing.
    Sum,
}

/// Softmax cross-entropy in f64, of logits and gradients in f32.
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropy<'a> {
    /// C.
    pub classes: usize,
    /// The weight of each class, `[C]`; `None`: 1.
    pub weights: Option<&'a [f64]>,
    /// What the losses are divided by.
    pub reduction: Reduction,
}

/// What rows of logits came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropyOutcome {
    /// Mean or sum of the rows' losses.
    pub loss: f64,
    /// Rows whose largest logit, the first of equals, is the target's.
    pub correct: usize,
    /// All rows, N.
    pub rows: usize,
}

impl CrossEntropyOutcome {
    /// Share of correct rows, in [0, 1].
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.rows as f64
    }
}

impl<'a> CrossEntropy<'a> {
    /// The mean over rows, all classes weighing the same.
    #[must_use]
    pub fn mean(classes: usize) -> Self {
        Self { classes, weights: None, reduction: Reduction::Mean }
    }

    /// The same with a weight for each class, `[C]`.
    #[must_use]
    pub fn weighted(self, weights: &'a [f64]) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// Loss of `logits [N, C]`, which are overwritten by their gradient; `target` gives the class of a row. `d_bias [C]` gets the
    /// gradient's sums over the rows, in f64, in the order of the rows, before the gradient is rounded.
    ///
    /// # Panics
    /// Where the logits are no whole rows, a target is no class, or `weights` or `d_bias` are not `[C]`.
    pub fn loss_and_gradients(
        &self,
        logits: &mut [f32],
        target: impl Fn(usize) -> usize,
        d_bias: &mut [f64],
    ) -> CrossEntropyOutcome {
        let classes = self.classes;
        let rows = logits.len() / classes;
        assert_eq!((rows * classes, d_bias.len()), (logits.len(), classes), "rows of logits and sums of their gradient");
        assert!(self.weights.is_none_or(|weights| weights.len() == classes), "class weights");
        let weight = |class: usize| self.weights.map_or(1.0, |weights| weights[class]);
        let total = match self.reduction {
            Reduction::Mean => (0..rows).map(|row| weight(target(row))).sum(),
            Reduction::Sum => 1.0,
        };
        d_bias.fill(0.0);
        let (mut loss, mut correct) = (0.0, 0);
        for (row, logits) in logits.chunks_exact_mut(classes).enumerate() {
            let target = target(row);
            let weight = weight(target);
            let (best, largest) = largest(logits);
            correct += usize::from(best == target);
            let sum: f64 = logits.iter().map(|z| f64::from(z - largest).exp()).sum();
            loss += weight * (sum.ln() - f64::from(logits[target] - largest));
            for (class, z) in logits.iter_mut().enumerate() {
                let p = f64::from(*z - largest).exp() / sum;
                let d = weight * (p - if class == target { 1.0 } else { 0.0 }) / total;
                d_bias[class] += d;
                *z = d as f32;
            }
        }
        CrossEntropyOutcome { loss: loss / total, correct, rows }
    }
}

/// Overwrites `logits [N, C]` by the gradient of their mean cross-entropy, and returns the sum of the rows' losses, added up in f64.
/// Everything else is f32; see [`CrossEntropy`] for what it computes.
///
/// # Panics
/// Where a target is no class.
pub fn cross_entropy_f32(logits: &mut [f32], classes: usize, targets: &[usize]) -> f64 {
    let scale = 1.0 / targets.len() as f32;
    let mut loss = 0.0;
    for (row, &target) in logits.chunks_exact_mut(classes).zip(targets) {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let of_target = row[target] - most;
        let mut sum = 0.0;
        for value in row.iter_mut() {
            *value = (*value - most).exp();
            sum += *value;
        }
        loss += f64::from(sum.ln() - of_target);
        row.iter_mut().for_each(|value| *value *= scale / sum);
        row[target] -= scale;
    }
    loss
}

/// The first largest, and where it is. A NaN shows in the loss, not here.
fn largest(values: &[f32]) -> (usize, f32) {
    values.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (at, v)| if *v > best.1 { (at, *v) } else { best })
}
