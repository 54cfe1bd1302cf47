//! A linear layer and cross-entropy on features: what methods that predict classes have above the backbone.

use crate::{Error, Result};
use relata_model::{Buffers, Compute, ParameterKind, Parameters};
use relata_ops::{CrossEntropy, CrossEntropyOutcome, MatRef, matmul, matmul_of_transposed, matmul_transposed};

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
    /// `[C]`, sums of the logits' gradient over the rows.
    bias_sums: Vec<f64>,
}

impl Classifier {
    /// Freshly drawn: PyTorch's `Linear`.
    pub(crate) fn new(width: usize, classes: usize, max_rows: usize, seed: u64, compute: Compute, buffers: &mut Buffers) -> Self {
        let mut parameters = Parameters::new(buffers);
        parameters.add("weight", &[classes, width], ParameterKind::LinearWeight);
        parameters.add("bias", &[classes], ParameterKind::LinearBias { inputs: width });
        parameters.initialise(seed, 1);
        let (logits, d_features) = (buffers.vec(max_rows * classes), buffers.vec(max_rows * width));
        Self { parameters, compute, width, classes, rows: 0, logits, d_features, bias_sums: buffers.vec(classes) }
    }

    /// Loss and all gradients of `rows` rows of features, the target of each by its number.
    ///
    /// # Errors
    /// Where the features are not `rows` rows, or more than there is room for.
    pub(crate) fn step(&mut self, features: &[f32], rows: usize, target: impl Fn(usize) -> usize) -> Result<CrossEntropyOutcome> {
        let Self { parameters, compute, width, classes, logits, d_features, bias_sums, .. } = self;
        let (width, classes, isa) = (*width, *classes, compute.isa());
        check_rows(features, rows, width, d_features.len() / width)?;
        self.rows = rows;
        let (logits, d_features) = (&mut logits[..rows * classes], &mut d_features[..rows * width]);
        let (values, gradients) = parameters.values_and_gradients_mut();
        let (weight, bias) = values.split_at(width * classes);
        let (d_weight, d_bias) = gradients.split_at_mut(width * classes);
        compute.install(|| {
            matmul_transposed(isa, MatRef::new(features, rows, width), MatRef::new(weight, classes, width), logits, false)
        });
        for logits in logits.chunks_exact_mut(classes) {
            logits.iter_mut().zip(bias).for_each(|(z, b)| *z += b);
        }
        let outcome = CrossEntropy::mean(classes).loss_and_gradients(logits, target, bias_sums);
        d_bias.iter_mut().zip(&*bias_sums).for_each(|(d, sum)| *d = *sum as f32);
        compute.install(|| {
            matmul(isa, MatRef::new(logits, rows, classes), MatRef::new(weight, classes, width), d_features, false);
            matmul_of_transposed(isa, MatRef::new(logits, rows, classes), MatRef::new(features, rows, width), d_weight);
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

/// There must be one label for each image of a batch, and each below `classes`.
pub(crate) fn check_labels(labels: &[usize], images: usize, classes: usize) -> Result<()> {
    if labels.len() != images {
        let expected = format!("one for each of {images} images");
        return Err(Error::Size { what: "labels of a batch", expected, got: labels.len().to_string() });
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
