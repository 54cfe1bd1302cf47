//! Methods whose head and loss are one candle expression.

use crate::{BatchShape, Method, MethodStep, Result};
use candle_core::{Device, Tensor, Var};
use relata_model::{ParameterKind, Parameters, seam};
use std::fmt;

/// A method made of a head's numbers and a loss: a candle expression of features and head.
///
/// `loss(features, head, batch)` gets the features `[K·B, D]`, view-major (row k·B + b is view k of image b), and the tensors of
/// `head` in the order and the shapes that they were added in; it gives one number, which candle differentiates. A function that
/// keeps the same order of operations gives the same bits at any number of threads only as far as candle does.
///
/// ```
/// use relata_model::{ParameterKind, Parameters};
/// use relata_train::CandleMethod;
///
/// let mut head = Parameters::default();
/// head.add("linear.weight", &[32, 64], ParameterKind::LinearWeight);
/// head.initialise(1, 1);
/// // Views of an image should be projected alike (which a collapse does best: real methods add a term against it).
/// let method = CandleMethod::new("alike", head, |features, head, batch| {
///     let views = features.matmul(&head[0].t()?)?.reshape((batch.views, batch.images, 32))?;
///     views.broadcast_sub(&views.mean_keepdim(0)?)?.sqr()?.mean_all()
/// });
/// ```
pub struct CandleMethod<F> {
    head_name: &'static str,
    head: Parameters,
    loss: F,
    d_features: Vec<f32>,
}

impl<F> CandleMethod<F>
where
    F: FnMut(&Tensor, &[Tensor], BatchShape) -> candle_core::Result<Tensor> + Send,
{
    /// A method; `head_name` is the prefix of the head's tensors in checkpoints. `head` must have its starting values.
    #[must_use]
    pub fn new(head_name: &'static str, head: Parameters, loss: F) -> Self {
        Self { head_name, head, loss, d_features: Vec::new() }
    }

    /// The head as variables, and as the tensors that the loss gets.
    fn variables(&self) -> candle_core::Result<(Vec<Var>, Vec<Tensor>)> {
        let (mut variables, mut tensors) = (Vec::new(), Vec::new());
        for spec in self.head.specs() {
            let values = &self.head.values()[spec.range.clone()];
            let variable = match (spec.kind, spec.shape.as_slice()) {
                // As they lie in memory; the loss gets PyTorch's order of the axes.
                (ParameterKind::ConvWeight, &[out, input, rows, columns]) => {
                    let variable = Var::from_slice(values, (rows, columns, input, out), &Device::Cpu)?;
                    tensors.push(variable.permute((3, 2, 0, 1))?.contiguous()?);
                    variable
                }
                (_, shape) => {
                    let variable = Var::from_slice(values, shape, &Device::Cpu)?;
                    tensors.push(variable.as_tensor().clone());
                    variable
                }
            };
            variables.push(variable);
        }
        Ok((variables, tensors))
    }
}

impl<F> Method for CandleMethod<F>
where
    F: FnMut(&Tensor, &[Tensor], BatchShape) -> candle_core::Result<Tensor> + Send,
{
    fn head_name(&self) -> &'static str {
        self.head_name
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        let (rows, width) = (batch.rows(), features.len() / batch.rows().max(1));
        let (variables, tensors) = self.variables().map_err(relata_model::Error::from)?;
        let loss = |features: &Tensor| (self.loss)(features, &tensors, batch);
        let (loss, d_features, d_head) = seam::loss_and_gradients(features, rows, width, &Device::Cpu, &variables, loss)?;
        self.d_features = d_features;
        self.head.gradients_mut().iter_mut().zip(d_head.iter().flatten()).for_each(|(to, from)| *to = *from);
        Ok(MethodStep { loss: f64::from(loss), figures: Vec::new() })
    }

    fn d_features(&self) -> &[f32] {
        &self.d_features
    }

    fn parameters(&self) -> &Parameters {
        &self.head
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.head
    }
}

impl<F> fmt::Debug for CandleMethod<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CandleMethod").field("head_name", &self.head_name).field("head", &self.head).finish_non_exhaustive()
    }
}
