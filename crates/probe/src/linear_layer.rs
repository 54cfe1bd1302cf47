//! A linear layer under softmax cross-entropy: what the linear probe, logistic regression and fine-tuning have in common.

use relata_ops::{Isa, MatRef, cross_entropy_f32, matmul, matmul_of_transposed, matmul_transposed};

/// A layer of `classes` outputs on features of `width`. Its parameters are weights `[classes, D]`, then biases `[classes]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinearLayer {
    pub(crate) isa: Isa,
    pub(crate) width: usize,
    pub(crate) classes: usize,
}

impl LinearLayer {
    /// `logits [rows, classes] = features · weightᵀ + bias`.
    pub(crate) fn forward(&self, parameters: &[f32], features: &[f32], logits: &mut [f32]) {
        let Self { isa, width, classes } = *self;
        let (weight, bias) = parameters.split_at(classes * width);
        logits.chunks_exact_mut(classes).for_each(|row| row.copy_from_slice(bias));
        matmul_transposed(
            isa,
            MatRef::new(features, features.len() / width, width),
            MatRef::new(weight, classes, width),
            logits,
            true,
        );
    }

    /// Fills the gradients of the mean cross-entropy of `features [rows, D]`, by the parameters and, where there is room for them, by
    /// the features; gives the sum of the rows' losses. `logits [rows, classes]` is workspace.
    pub(crate) fn loss_and_gradients(
        &self,
        parameters: &[f32],
        features: &[f32],
        labels: &[usize],
        logits: &mut [f32],
        d_parameters: &mut [f32],
        d_features: Option<&mut [f32]>,
    ) -> f64 {
        let Self { isa, width, classes } = *self;
        let rows = labels.len();
        self.forward(parameters, features, logits);
        let loss = cross_entropy_f32(logits, classes, labels);
        if let Some(d_features) = d_features {
            matmul(
                isa,
                MatRef::new(logits, rows, classes),
                MatRef::new(&parameters[..classes * width], classes, width),
                d_features,
                false,
            );
        }
        let (d_weight, d_bias) = d_parameters.split_at_mut(classes * width);
        matmul_of_transposed(isa, MatRef::new(logits, rows, classes), MatRef::new(features, rows, width), d_weight);
        d_bias.fill(0.0);
        for row in logits.chunks_exact(classes) {
            d_bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use relata_ops::Isa;
    use relata_testkit::{Tolerance, assert_close, central_difference, hash_uniforms};

    use super::LinearLayer;

    #[test]
    fn the_linear_layers_gradients_are_those_of_its_loss() {
        let (rows, width, classes) = (5, 7, 3);
        let targets = [0, 2, 1, 1, 0];
        let (features, parameters) =
            (hash_uniforms("features", rows * width), hash_uniforms("parameters", classes * (width + 1)));
        let loss = |features: &[f64], parameters: &[f64]| -> f64 {
            let of_row = |(row, &target): (&[f64], &usize)| {
                let logit = |class: usize| {
                    let weight = &parameters[class * width..][..width];
                    weight.iter().zip(row).map(|(w, x)| w * x).sum::<f64>() + parameters[classes * width + class]
                };
                (0..classes).map(|class| logit(class).exp()).sum::<f64>().ln() - logit(target)
            };
            features.chunks_exact(width).zip(&targets).map(of_row).sum::<f64>() / rows as f64
        };
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let (features32, parameters32) = (narrow(&features), narrow(&parameters));
        let layer = LinearLayer { isa: Isa::best(), width, classes };
        let (mut logits, mut d_parameters, mut d_features) =
            (vec![0.0; rows * classes], vec![0.0; parameters.len()], vec![0.0; features.len()]);
        let by_features = Some(&mut d_features[..]);
        let sum = layer.loss_and_gradients(&parameters32, &features32, &targets, &mut logits, &mut d_parameters, by_features);
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        assert!((sum / rows as f64 - loss(&features, &parameters)).abs() < 1e-6);
        // f32 against f64, of gradients below 1: a few roundings of 6e-8.
        let close = Tolerance { abs: 1e-6, rel: 1e-5 };
        assert_close(&wide(&d_parameters), &central_difference(|at| loss(&features, at), &parameters, 1e-5), close);
        assert_close(&wide(&d_features), &central_difference(|at| loss(at, &parameters), &features, 1e-5), close);
    }
}
