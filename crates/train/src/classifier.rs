//! A linear layer and cross-entropy on features: what `rotation` and `supervised` have above the backbone, and `deepcluster` in part.

use crate::{Error, Result};
use relata_model::{Compute, ParameterKind, Parameters};
use relata_ops::{matmul, matmul_of_transposed, matmul_transposed};

/// `Linear(D → C)` with cross-entropy, for batches of up to a number of rows.
///
/// `z = f · Wᵀ + b`, `loss = mean over rows of ln Σ exp(z) − z[target]` (PyTorch's `CrossEntropyLoss`),
/// `d_z = (softmax(z) − onehot(target)) / rows`.
#[derive(Debug)]
pub(crate) struct Classifier {
    parameters: Parameters,
    compute: Compute,
    width: usize,
    classes: usize,
    rows: usize,
    /// `[rows, C]`, logits and then their gradient.
    logits: Vec<f32>,
    d_features: Vec<f32>,
}

/// What a batch came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Classified {
    pub(crate) loss: f64,
    /// Share of rows whose largest logit is the target's, in [0, 1].
    pub(crate) accuracy: f64,
}

impl Classifier {
    /// Freshly drawn: PyTorch's `Linear`.
    pub(crate) fn new(width: usize, classes: usize, max_rows: usize, seed: u64, compute: Compute) -> Self {
        let mut parameters = Parameters::default();
        parameters.add("weight", &[classes, width], ParameterKind::LinearWeight);
        parameters.add("bias", &[classes], ParameterKind::LinearBias { inputs: width });
        parameters.initialise(seed, 1);
        let (logits, d_features) = (vec![0.0; max_rows * classes], vec![0.0; max_rows * width]);
        Self { parameters, compute, width, classes, rows: 0, logits, d_features }
    }

    /// Number of trained numbers.
    pub(crate) fn parameter_count(width: usize, classes: usize) -> usize {
        (width + 1) * classes
    }

    /// Bytes of the buffers, parameters apart.
    pub(crate) fn bytes(width: usize, classes: usize, max_rows: usize) -> usize {
        size_of::<f32>() * max_rows * (width + classes)
    }

    /// Loss and all gradients of `rows` rows of features, the target of each by its number.
    ///
    /// # Errors
    /// Where the features are not `rows` rows, or more than there is room for.
    pub(crate) fn step(&mut self, features: &[f32], rows: usize, target: impl Fn(usize) -> usize) -> Result<Classified> {
        let Self { parameters, compute, width, classes, logits, d_features, .. } = self;
        let (width, classes, isa) = (*width, *classes, compute.isa());
        check_rows(features, rows, width, d_features.len() / width)?;
        self.rows = rows;
        let (logits, d_features) = (&mut logits[..rows * classes], &mut d_features[..rows * width]);
        let (values, gradients) = parameters.values_and_gradients_mut();
        let (weight, bias) = values.split_at(width * classes);
        let (d_weight, d_bias) = gradients.split_at_mut(width * classes);
        compute.install(|| matmul_transposed(isa, rows, width, classes, features, weight, logits, false));
        for logits in logits.chunks_exact_mut(classes) {
            logits.iter_mut().zip(bias).for_each(|(z, b)| *z += b);
        }
        let (outcome, bias_sums) = cross_entropy(logits, classes, target, |_| 1.0);
        d_bias.iter_mut().zip(&bias_sums).for_each(|(d, sum)| *d = *sum as f32);
        compute.install(|| {
            matmul(isa, rows, classes, width, logits, weight, d_features, false);
            matmul_of_transposed(isa, rows, classes, width, logits, features, d_weight);
        });
        Ok(outcome)
    }

    pub(crate) fn d_features(&self) -> &[f32] {
        &self.d_features[..self.rows * self.width]
    }

    pub(crate) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(crate) fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

/// Cross-entropy of `logits [rows, classes]` with the target of each row, classes weighted as PyTorch's `CrossEntropyLoss(weight)`
/// does it: `Σ_r w(t_r) · (ln Σ exp(z_r) − z_r[t_r]) / Σ_r w(t_r)`. Leaves the gradient in the place of the logits,
/// `w(t_r) · (softmax(z_r) − onehot(t_r)) / Σ w`, and gives its sums over the rows in f64, before it is rounded.
pub(crate) fn cross_entropy(
    logits: &mut [f32],
    classes: usize,
    target: impl Fn(usize) -> usize,
    weight: impl Fn(usize) -> f64,
) -> (Classified, Vec<f64>) {
    let rows = logits.len() / classes;
    let total: f64 = (0..rows).map(|row| weight(target(row))).sum();
    let (mut loss, mut right) = (0.0, 0);
    let mut sums = vec![0.0; classes];
    for (row, logits) in logits.chunks_exact_mut(classes).enumerate() {
        let target = target(row);
        let weight = weight(target);
        let (best, largest) = largest(logits);
        right += usize::from(best == target);
        let sum: f64 = logits.iter().map(|z| f64::from(z - largest).exp()).sum();
        loss += weight * (sum.ln() - f64::from(logits[target] - largest));
        for (class, z) in logits.iter_mut().enumerate() {
            let p = f64::from(*z - largest).exp() / sum;
            let d = weight * (p - if class == target { 1.0 } else { 0.0 }) / total;
            sums[class] += d;
            *z = d as f32;
        }
    }
    (Classified { loss: loss / total, accuracy: right as f64 / rows as f64 }, sums)
}

/// There must be one label for each image of a batch, and each below `classes`.
pub(crate) fn check_labels(labels: &[usize], images: usize, classes: usize) -> Result<()> {
    if labels.len() != images {
        return Err(Error::Labels { expected: images, got: labels.len() });
    }
    match labels.iter().position(|&label| label >= classes) {
        Some(image) => {
            Err(Error::LabelOutOfRange { image, origin: "counted in its batch".to_owned(), label: labels[image], classes })
        }
        None => Ok(()),
    }
}

/// Features must be `rows` rows of `width`, and no more than there is room for.
pub(crate) fn check_rows(features: &[f32], rows: usize, width: usize, most: usize) -> Result<()> {
    if features.len() != rows * width || rows == 0 || rows > most {
        return Err(Error::Model(relata_model::Error::Size {
            what: "features",
            expected: format!("1 to {most} rows of {width} floats"),
            got: format!("{} floats for {rows} rows", features.len()),
        }));
    }
    Ok(())
}

/// The first largest, and where it is. What is no number shows in the loss, not here.
fn largest(values: &[f32]) -> (usize, f32) {
    values.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (at, v)| if *v > best.1 { (at, *v) } else { best })
}
