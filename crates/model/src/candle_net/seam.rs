//! The way from candle's autograd to a backbone: any expression of the features gives a loss and the gradient that
//! [`Backbone::backward`](crate::Backbone::backward) takes.

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, Var};

/// Loss and its gradient with respect to features `[rows, width]`, of any candle expression that gives one number.
///
/// Parameters of a head inside the expression are the caller's: make them [`Var`]s, and read their gradients by
/// calling [`loss_and_gradients`] instead.
///
/// # Errors
/// [`Error::Size`] where `features` is not rows · width floats or the loss is not one number, [`Error::Candle`] where the
/// expression fails.
///
/// # Example
/// A loss of one's own in a few lines: draw the two views of every image together.
/// ```
/// use relata_model::seam;
/// let features = [1.0, 2.0, 0.0, 3.0, 2.0, 2.0, 0.0, 1.0]; // 2 views of 2 images, D = 2, view-major
/// let (loss, d_features) = seam::loss_and_gradient(&features, 4, 2, &candle_core::Device::Cpu, |features| {
///     let (first, second) = (features.narrow(0, 0, 2)?, features.narrow(0, 2, 2)?);
///     (first - second)?.sqr()?.mean_all()
/// })?;
/// assert_eq!(loss, 1.25);
/// assert_eq!(d_features, [-0.5, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, -1.0]);
/// // then: backbone.backward(&d_features)?
/// # Ok::<(), relata_model::Error>(())
/// ```
pub fn loss_and_gradient(
    features: &[f32],
    rows: usize,
    width: usize,
    device: &Device,
    f: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<(f32, Vec<f32>)> {
    let (loss, d_features, _) = loss_and_gradients(features, rows, width, device, &[], f)?;
    Ok((loss, d_features))
}

/// [`loss_and_gradient`] with the gradients of further variables, such as a head's parameters, in their order; each as
/// its numbers in row-major order, zeros where the loss does not depend on it.
///
/// # Errors
/// As [`loss_and_gradient`].
pub fn loss_and_gradients(
    features: &[f32],
    rows: usize,
    width: usize,
    device: &Device,
    variables: &[Var],
    f: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<(f32, Vec<f32>, Vec<Vec<f32>>)> {
    if features.len() != rows * width {
        let expected = format!("{rows} x {width} floats");
        return Err(Error::Size { what: "features", expected, got: format!("{} floats", features.len()) });
    }
    let features = Var::from_tensor(&Tensor::from_slice(features, (rows, width), device)?)?;
    let loss = f(features.as_tensor())?;
    if loss.elem_count() != 1 {
        return Err(Error::Size { what: "loss", expected: "one number".to_owned(), got: format!("shape {:?}", loss.dims()) });
    }
    let loss = loss.flatten_all()?.to_dtype(DType::F32)?;
    let gradients = loss.backward()?;
    let numbers = |variable: &Var| -> Result<Vec<f32>> {
        match gradients.get(variable) {
            Some(gradient) => Ok(gradient.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?),
            None => Ok(vec![0.0; variable.elem_count()]),
        }
    };
    let d_features = numbers(&features)?;
    let others = variables.iter().map(numbers).collect::<Result<_>>()?;
    Ok((loss.to_vec1::<f32>()?[0], d_features, others))
}
