//! PyTorch's files, read with candle's pickle machine: it knows dictionaries and tensors and runs no code.
//!
//! Since PyTorch 1.6 a file is a zip archive of one pickle and one entry a storage. Before that it was a row of pickles
//! (a magic number, a version, the writer's sizes, the object, the keys of the storages), then each storage as its number of
//! elements and its bytes. The reference's published weights are of both kinds.
//!
//! Bytes are believed in nothing: what a file makes this reader hold is bounded by the file's own size, and for the objects of its
//! pickle by a constant.

mod pickle;
mod view;

use super::decode::Outcome;
use crate::TorchTensor;
use candle_core::pickle::Object;
use pickle::unpickle;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read};
use view::{View, tensors_of_views};
use zip::result::ZipError;
use zip::{ZipArchive, ZipReadOptions};

/// The pickle of PyTorch's magic number, 0x1950a86a20f9469cfc6c, with which a file of the older format begins.
pub(super) const LEGACY_MAGIC: [u8; 15] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

/// The longest pickle of a zip file; that of a ResNet-152 has 0.1 MB.
const LONGEST_PICKLE: u64 = 1 << 26;
/// The longest name of a tensor, its dictionaries' included, in bytes.
const LONGEST_NAME: usize = 1024;

/// All tensors of a zip file.
pub(super) fn read_zip(bytes: &[u8]) -> Outcome<Vec<TorchTensor>> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| format!("no whole zip archive ({error})"))?;
    let is_pickle = |name: &str| name == "data.pkl" || name.ends_with("/data.pkl");
    let names: Vec<String> =
        zip.file_names().filter_map(Result::ok).filter(|name| is_pickle(name)).map(Cow::into_owned).collect();
    let [name] = names.as_slice() else {
        return Err(format!("a zip archive with {} data.pkl, where PyTorch's have one", names.len()));
    };
    // Storages lie beside the pickle, in `data/`.
    let root = name.strip_suffix("data.pkl").unwrap_or_default();
    if entry(&mut zip, &format!("{root}byteorder"), 16)?.is_some_and(|order| order.starts_with(b"big")) {
        return Err("written on a big-endian machine, which is not read here".to_owned());
    }
    let pickle = entry(&mut zip, name, LONGEST_PICKLE)?.unwrap_or_default();
    if pickle.len() as u64 == LONGEST_PICKLE {
        return Err(format!("{name} is longer than {LONGEST_PICKLE} bytes"));
    }
    let views = views_of(unpickle(&mut Cursor::new(&pickle))?)?;
    drop(pickle);
    tensors_of_views(views, bytes.len(), |key, end| {
        let name = format!("{root}data/{key}");
        let storage = entry(&mut zip, &name, end as u64)?;
        storage.map(Cow::Owned).ok_or_else(|| format!("the archive has no {name}"))
    })
}

/// The first `most` bytes of an entry, or all where it has no more, and then its checksum, if it has one, is right; `None` where it is
/// not there. With `torch.serialization.set_crc32_options(False)` PyTorch writes 0 for every checksum: those bytes are taken as they are.
fn entry(zip: &mut ZipArchive<Cursor<&[u8]>>, name: &str, most: u64) -> Outcome<Option<Vec<u8>>> {
    let Some(index) = zip.index_for_name(name) else { return Ok(None) };
    let unreadable = |error: ZipError| format!("{name}: {error}");
    let unchecked = zip.by_index(index).map_err(unreadable)?.crc32() == 0;
    let mut entry = zip.by_index_with_options(index, ZipReadOptions::new().ignore_crc32(unchecked)).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than is wanted: the end, where there is one, is where the checksum is compared.
    entry.by_ref().take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
    bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(Some(bytes))
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
    let views = views_of(object)?;

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
    tensors_of_views(views, bytes.len(), |key, _| {
        let storage = storages.get(key).map(|&storage| Cow::Borrowed(storage));
        storage.ok_or_else(|| format!("the file has no storage {key}"))
    })
}

/// Element width in bytes of every storage that the object mentions: `('storage', type, key, device, count, view)`.
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

/// The tensors of a file's object: a dictionary, or the module that TorchScript wraps one in.
fn views_of(object: Object) -> Outcome<Vec<View>> {
    let mut views = Vec::new();
    let object = match object {
        Object::Build { callable, args } if is_script_module(&callable) => *args,
        object => object,
    };
    flatten(object, "", &mut views)?;
    Ok(views)
}

fn is_script_module(object: &Object) -> bool {
    let Object::Reduce { callable, .. } = object else { return false };
    matches!(&**callable, Object::Class { module_name, class_name } if module_name == "__torch__" && class_name == "Module")
}

/// The tensors of nested dictionaries with text keys, under dotted names. Others (an optimiser's numbered states, tensors of
/// types that no model here has) are passed over.
fn flatten(object: Object, prefix: &str, views: &mut Vec<View>) -> Outcome<()> {
    let Object::Dict(entries) = object else { return Ok(()) };
    for (key, value) in entries {
        let Object::Unicode(key) = key else { continue };
        if prefix.len() + key.len() > LONGEST_NAME {
            return Err(format!("a tensor or dictionary has a name of more than {LONGEST_NAME} bytes"));
        }
        let name = format!("{prefix}{key}");
        match value {
            Object::Dict(_) => flatten(value, &format!("{name}."), views)?,
            value => views.extend(View::of(name, value)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
