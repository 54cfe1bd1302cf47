//! PyTorch's files, read with candle's pickle machine: it knows dictionaries and tensors and runs no code.
//!
//! Since PyTorch 1.6 a file is a zip archive of one pickle and one entry a storage. Before that it was a row of pickles
//! (a magic number, a version, the writer's sizes, the object, the keys of the storages), then each storage as its number of
//! elements and its bytes. The reference's published weights are of both kinds.

use crate::TorchTensor;
use candle_core::pickle::{Object, PthTensors, Stack, TensorInfo};
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::path::Path;

/// The pickle of PyTorch's magic number, 0x1950a86a20f9469cfc6c, with which a file of the older format begins.
pub(super) const LEGACY_MAGIC: [u8; 15] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

/// Where training scripts put state dicts inside a checkpoint. candle's reader of the zip format gives no list of a
/// checkpoint's dictionaries, so they are asked for by name.
const GROUPS: [&str; 10] = [
    "backbone",
    "relation",
    "feature_extractor",
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    "net",
    "encoder",
    "classifier",
];

type Outcome<T> = std::result::Result<T, String>;

/// Numbers of a little-endian buffer as f32.
pub(super) fn f32_from_bytes(bytes: &[u8], dtype: DType) -> Outcome<Vec<f32>> {
    let count = bytes.len() / dtype.size_in_bytes();
    if count == 0 {
        return Ok(Vec::new());
    }
    let tensor = Tensor::from_raw_buffer(bytes, dtype, &[count], &Device::Cpu).map_err(text)?;
    tensor.to_dtype(DType::F32).and_then(|tensor| tensor.to_vec1()).map_err(text)
}

/// All tensors of a zip file's dictionary and of the known groups inside it.
pub(super) fn read_zip(path: &Path) -> Outcome<Vec<TorchTensor>> {
    let mut tensors = tensors_of(&PthTensors::new(path, None).map_err(text)?, "")?;
    for group in GROUPS {
        // An error means that there is no such group: the file itself has been read before.
        if let Ok(inside) = PthTensors::new(path, Some(group)) {
            tensors.extend(tensors_of(&inside, &format!("{group}."))?);
        }
    }
    Ok(tensors)
}

fn tensors_of(file: &PthTensors, prefix: &str) -> Outcome<Vec<TorchTensor>> {
    let read = |name: &String| {
        let fault = |error: candle_core::Error| format!("tensor {prefix}{name}: {}", text(error));
        let tensor = file.get(name).map_err(fault)?.ok_or_else(|| format!("tensor {prefix}{name} is not there"))?;
        let data = tensor.flatten_all().and_then(|flat| flat.to_dtype(DType::F32)?.to_vec1()).map_err(fault)?;
        Ok(TorchTensor { name: format!("{prefix}{name}"), shape: tensor.dims().to_vec(), data })
    };
    file.tensor_infos().keys().map(read).collect()
}

/// All tensors of a file of the older format.
pub(super) fn read_legacy(bytes: &[u8]) -> Outcome<Vec<TorchTensor>> {
    let mut rest = Cursor::new(&bytes[LEGACY_MAGIC.len()..]);
    let _version = unpickle(&mut rest)?;
    let _sizes = unpickle(&mut rest)?;
    let object = unpickle(&mut rest)?;
    let Object::List(keys) = unpickle(&mut rest)? else {
        return Err("the list of storages is not a list".to_owned());
    };
    let mut types = HashMap::new();
    storage_types(&object, &mut types);
    let mut infos = Vec::new();
    flatten(object, "", &mut infos);

    let mut storages = HashMap::new();
    for key in keys {
        let key = key.unicode().map_err(|_| "a storage's key is not text".to_owned())?;
        let width = types.get(&key).copied().ok_or_else(|| format!("storage {key} is of a type that no model here has"))?;
        let mut count = [0; 8];
        rest.read_exact(&mut count).map_err(|_| format!("storage {key} is missing: the file is cut short"))?;
        let start = rest.position() as usize + LEGACY_MAGIC.len();
        let data = usize::try_from(u64::from_le_bytes(count))
            .ok()
            .and_then(|count| count.checked_mul(width)?.checked_add(start))
            .and_then(|end| bytes.get(start..end))
            .ok_or_else(|| format!("storage {key} ends beyond the file: the file is cut short"))?;
        rest.set_position(rest.position() + data.len() as u64);
        storages.insert(key, data);
    }
    infos.into_iter().map(|info| tensor_in(info, &storages)).collect()
}

fn unpickle(rest: &mut Cursor<&[u8]>) -> Outcome<Object> {
    let mut stack = Stack::empty();
    stack.read_loop(rest).and_then(|()| stack.finalize()).map_err(text)
}

/// Element width in bytes of every storage that is spoken of: `('storage', type, key, place, count, view)`.
fn storage_types(object: &Object, types: &mut HashMap<String, usize>) {
    let mut all = |objects: &[Object]| objects.iter().for_each(|object| storage_types(object, types));
    match object {
        Object::PersistentLoad(load) => {
            if let Object::Tuple(parts) = &**load
                && let [_, Object::Class { class_name, .. }, Object::Unicode(key), ..] = parts.as_slice()
                && let Some(width) = element_width(class_name)
            {
                types.insert(key.clone(), width);
            }
        }
        Object::Tuple(objects) | Object::List(objects) => all(objects),
        Object::Dict(entries) => entries.iter().for_each(|(_, value)| storage_types(value, types)),
        Object::Reduce { callable, args } | Object::Build { callable, args } => {
            storage_types(callable, types);
            storage_types(args, types);
        }
        _ => {}
    }
}

fn element_width(storage_class: &str) -> Option<usize> {
    Some(match storage_class {
        "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "FloatStorage" | "IntStorage" => 4,
        "DoubleStorage" | "LongStorage" => 8,
        _ => return None,
    })
}

/// The tensors of nested dictionaries with text keys, under dotted names. Others (an optimiser's numbered states, tensors of
/// types that candle does not know) are passed over.
fn flatten(object: Object, prefix: &str, infos: &mut Vec<TensorInfo>) {
    let Object::Dict(entries) = object else { return };
    for (key, value) in entries {
        let Object::Unicode(key) = key else { continue };
        let name = format!("{prefix}{key}");
        match value {
            Object::Dict(_) => flatten(value, &format!("{name}."), infos),
            value => infos.extend(value.into_tensor_info(Object::Unicode(name), Path::new("")).ok().flatten()),
        }
    }
}

fn tensor_in(info: TensorInfo, storages: &HashMap<String, &[u8]>) -> Outcome<TorchTensor> {
    let name = info.name;
    let storage = storages.get(info.path.trim_start_matches('/')).ok_or_else(|| format!("tensor {name} has no storage"))?;
    // candle counts the start in bytes and the strides in elements.
    let (shape, strides, start) = (info.layout.dims(), info.layout.stride(), info.layout.start_offset());
    let width = info.dtype.size_in_bytes();
    if shape.contains(&0) {
        return Ok(TorchTensor { name, shape: shape.to_vec(), data: Vec::new() });
    }
    let reach =
        shape.iter().zip(strides).try_fold(1, |reach: usize, (side, stride)| (side - 1).checked_mul(*stride)?.checked_add(reach));
    let bytes = reach
        .and_then(|reach| reach.checked_mul(width)?.checked_add(start))
        .and_then(|end| storage.get(start..end))
        .ok_or_else(|| format!("tensor {name} of shape {shape:?} ends beyond its storage"))?;
    let values = f32_from_bytes(bytes, info.dtype)?;
    let mut places = vec![0];
    for (&side, &stride) in shape.iter().zip(strides) {
        places = places.iter().flat_map(|place| (0..side).map(move |at| place + at * stride)).collect();
    }
    let data = places.into_iter().map(|place| values[place]).collect();
    Ok(TorchTensor { name, shape: shape.to_vec(), data })
}

/// candle's message without the backtrace that may hang on to it.
fn text(error: candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
