//! Parameters to and from PyTorch's order of the axes.

use super::{ParameterKind, ParameterSpec, Parameters};
use crate::{Error, Result};

/// A tensor as PyTorch has it.
#[derive(Debug, Clone, PartialEq)]
pub struct TorchTensor {
    /// State-dict name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers in PyTorch's order.
    pub data: Vec<f32>,
}

impl Parameters {
    /// Every parameter and running statistic as PyTorch has it, in the order of the layers.
    #[must_use]
    pub fn torch_tensors(&self) -> Vec<TorchTensor> {
        let mut tensors: Vec<TorchTensor> = self
            .specs
            .iter()
            .map(|spec| TorchTensor {
                name: spec.name.clone(),
                shape: spec.shape.clone(),
                data: torch_from_native(spec, &self.values[spec.range.clone()]),
            })
            .collect();
        for norm in &self.norms {
            for (what, data) in [("running_mean", &norm.mean), ("running_var", &norm.var)] {
                tensors.push(TorchTensor { name: format!("{}.{what}", norm.name), shape: vec![data.len()], data: data.clone() });
            }
        }
        tensors
    }

    /// The gradient of every parameter in PyTorch's layout.
    #[must_use]
    pub fn torch_gradients(&self) -> Vec<TorchTensor> {
        let of = |spec: &ParameterSpec| TorchTensor {
            name: spec.name.clone(),
            shape: spec.shape.clone(),
            data: torch_from_native(spec, &self.gradients[spec.range.clone()]),
        };
        self.specs.iter().map(of).collect()
    }

    /// Takes every parameter and running statistic from `find`, which gives shape and numbers as PyTorch has them.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] or [`Error::TensorShape`] for the first that is absent or differs; nothing is changed then.
    pub fn load_torch<'a>(&mut self, find: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>) -> Result<()> {
        let expect = |name: &str, shape: &[usize]| -> Result<&'a [f32]> {
            let (found, data) =
                find(name).ok_or_else(|| Error::MissingTensor { name: name.to_owned(), shape: shape.to_vec() })?;
            if found != shape {
                return Err(Error::TensorShape { name: name.to_owned(), expected: shape.to_vec(), found: found.to_vec() });
            }
            Ok(data)
        };
        let mut values = self.values.clone();
        for spec in &self.specs {
            let data = expect(&spec.name, &spec.shape)?;
            native_from_torch(spec, data, &mut values[spec.range.clone()]);
        }
        let mut norms = self.norms.clone();
        for norm in &mut norms {
            let shape = [norm.mean.len()];
            norm.mean.copy_from_slice(expect(&format!("{}.running_mean", norm.name), &shape)?);
            norm.var.copy_from_slice(expect(&format!("{}.running_var", norm.name), &shape)?);
        }
        (self.values, self.norms) = (values, norms);
        Ok(())
    }
}

/// For each number in PyTorch's order, its index in ours.
fn native_indices(spec: &ParameterSpec) -> impl Iterator<Item = usize> + '_ {
    let conv = spec.kind == ParameterKind::ConvWeight;
    spec.range.clone().enumerate().map(move |(at, _)| {
        if !conv {
            return at;
        }
        let (o, i, k) = (spec.shape[0], spec.shape[1], spec.shape[2] * spec.shape[3]);
        let (out, rest) = (at / (i * k), at % (i * k));
        (rest % k * i + rest / k) * o + out
    })
}

fn torch_from_native(spec: &ParameterSpec, native: &[f32]) -> Vec<f32> {
    native_indices(spec).map(|index| native[index]).collect()
}

fn native_from_torch(spec: &ParameterSpec, torch: &[f32], native: &mut [f32]) {
    for (index, value) in native_indices(spec).zip(torch) {
        native[index] = *value;
    }
}
