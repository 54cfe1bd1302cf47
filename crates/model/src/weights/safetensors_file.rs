//! safetensors: eight bytes of length, a JSON header, the numbers.

use super::decode::f32_from_bytes;
use crate::{Error, Result, TorchTensor};
use candle_core::DType;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Tensors and metadata of a file's bytes, or what is wrong with them.
pub(super) fn read(bytes: &[u8]) -> std::result::Result<(Vec<TorchTensor>, BTreeMap<String, String>), String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("neither PyTorch's format nor safetensors ({error})"))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::I64 => DType::I64,
            Dtype::U8 => DType::U8,
            // Of a type that no model here has: no harm unless the model asks for it.
            _ => continue,
        };
        let data = f32_from_bytes(view.data(), dtype).map_err(|reason| format!("tensor {name}: {reason}"))?;
        tensors.push(TorchTensor { name: name.to_owned(), shape: view.shape().to_vec(), data });
    }
    Ok((tensors, metadata))
}

/// A safetensors file in memory: f32, tensors in the given order; the same input always gives the same bytes.
///
/// # Panics
/// Where a tensor's shape and number of values disagree, or two have one name.
#[must_use]
pub fn safetensors_bytes(tensors: &[TorchTensor], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(metadata));
    }
    let mut end = 0;
    for tensor in tensors {
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.data.len(), "tensor {}", tensor.name);
        let start = end;
        end += size_of_val(tensor.data.as_slice());
        let entry = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [start, end] });
        assert!(header.insert(tensor.name.clone(), entry).is_none(), "two tensors have the name {}", tensor.name);
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    for tensor in tensors {
        bytes.extend(tensor.data.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

/// Writes a safetensors file, say of [`Parameters::torch_tensors`](crate::Parameters::torch_tensors): torchvision's names and
/// layouts, so that `safetensors.torch.load_file` and `load_state_dict` take it as it is. An existing file is replaced.
///
/// # Errors
/// [`Error::WriteWeights`] where the file cannot be written.
pub fn write_safetensors(path: impl AsRef<Path>, tensors: &[TorchTensor], metadata: &BTreeMap<String, String>) -> Result<()> {
    let path = path.as_ref();
    std::fs::write(path, safetensors_bytes(tensors, metadata))
        .map_err(|source| Error::WriteWeights { path: path.to_owned(), source })
}
