//! `.safetensors` as `relata embed` writes it.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use super::feature_file::{FeatureFile, finite, label};
use crate::{Error, Result};

pub(super) fn features(path: &Path, bytes: &[u8]) -> Result<FeatureFile> {
    let broken = |source| Error::NotSafetensors { path: path.to_owned(), source };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
    let tensor = tensors.tensor("features");
    let tensor = tensor.map_err(|_| Error::MissingTensor { path: path.to_owned(), name: "features" })?;
    expect(path, &tensor, &[Dtype::F32, Dtype::F64], "F32 or F64", 2, "[images, features]")?;
    let width = tensor.shape()[1];
    let numbers: Vec<f64> = if tensor.dtype() == Dtype::F32 {
        tensor.data().as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
    } else {
        tensor.data().as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect()
    };
    let values = numbers.into_iter().enumerate().map(|(at, value)| finite(path, width, at, value));
    let mut file = FeatureFile::new(path, values.collect::<Result<_>>()?, width)?;

    if let Ok(tensor) = tensors.tensor("labels") {
        expect(path, &tensor, &[Dtype::I64], "I64", 1, "[images]")?;
        let numbers = tensor.data().as_chunks().0.iter().map(|&b| i64::from_le_bytes(b));
        file.labels = Some(numbers.enumerate().map(|(row, number)| label(path, row, number)).collect::<Result<_>>()?);
        file.same_count(path)?;
        // Files of other tools name no classes.
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get("relata"));
        let about = text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let names = about.as_ref().and_then(|about| about["class_names"].as_array()).into_iter().flatten();
        file.names = (0..).zip(names).filter_map(|(label, name)| Some((label, name.as_str()?.to_owned()))).collect();
    }
    Ok(file)
}

fn expect(
    path: &Path,
    tensor: &TensorView<'_>,
    dtypes: &[Dtype],
    dtype: &'static str,
    dimensions: usize,
    shape: &'static str,
) -> Result<()> {
    if !dtypes.contains(&tensor.dtype()) {
        return Err(Error::Dtype { path: path.to_owned(), expected: dtype, got: format!("{:?}", tensor.dtype()) });
    }
    if tensor.shape().len() != dimensions {
        return Err(Error::Shape { path: path.to_owned(), expected: shape, got: tensor.shape().to_vec() });
    }
    Ok(())
}
