//! A tensor as a pickle describes it, and its numbers from its storage.

use super::super::decode::{Outcome, f32_from_bytes};
use crate::TorchTensor;
use candle_core::DType;
use candle_core::pickle::Object;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// As many numbers as its file has bytes, times this, may a file's tensors have: some share a storage, and some repeat one number.
const MOST_GROWTH: usize = 4;
/// Numbers that are granted to the smallest file.
const SLACK: usize = 1 << 20;
/// PyTorch's own bound.
const MOST_AXES: usize = 64;

/// A tensor: some of the elements of a storage.
#[derive(Debug, PartialEq)]
pub(super) struct View {
    name: String,
    storage: String,
    dtype: DType,
    shape: Vec<usize>,
    /// In elements, as `first`.
    strides: Vec<usize>,
    first: usize,
}

impl View {
    /// What an object says of a tensor; `None` for what is no tensor, or one of a type that no model here has.
    pub(super) fn of(name: String, object: Object) -> Outcome<Option<Self>> {
        let fault = |reason: &str| format!("tensor {name}: {reason}");
        let Some(arguments) = tensor_arguments(object).map_err(fault)? else { return Ok(None) };
        Self::from_arguments(name.clone(), arguments).map_err(fault)
    }

    /// From `(storage, first, shape, strides, requires_grad, backward_hooks)`.
    fn from_arguments(name: String, arguments: Vec<Object>) -> Result<Option<Self>, &'static str> {
        let mut arguments = arguments.into_iter();
        let mut next = || arguments.next().ok_or("described by too little");
        let (storage, first, shape, strides) = (next()?, next()?, next()?, next()?);
        let (storage, dtype) = match storage.persistent_load().and_then(Object::tuple).as_deref() {
            Ok([_, Object::Class { class_name, .. }, Object::Unicode(key), rest @ ..]) => {
                // Its device, its number of elements, and in files from before PyTorch 0.4 the part of another that it is.
                if rest.get(2).is_some_and(|part| *part != Object::None) {
                    return Err("its storage is a part of another, as old PyTorch wrote them; save it with a newer one");
                }
                let Some(dtype) = dtype(class_name) else { return Ok(None) };
                (key.clone(), dtype)
            }
            _ => return Err("its storage is not described as one"),
        };
        let first = whole(first).ok_or("its first element is no whole number")?;
        let shape = wholes(shape).ok_or("its shape is not of whole numbers")?;
        let strides = wholes(strides).ok_or("its strides are not of whole numbers")?;
        if shape.len() != strides.len() || shape.len() > MOST_AXES {
            return Err("it has more axes than strides or PyTorch allow");
        }
        Ok(Some(Self { name, storage, dtype, shape, strides, first }))
    }

    /// Number of elements.
    fn count(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        self.shape.iter().try_fold(1, |product: usize, &side| product.checked_mul(side))
    }

    /// Where the last element ends in the storage, in bytes; of a view that has elements.
    fn end(&self) -> Option<usize> {
        let last =
            self.shape.iter().zip(&self.strides).try_fold(self.first, |last: usize, (&side, &stride)| {
                side.saturating_sub(1).checked_mul(stride)?.checked_add(last)
            });
        last?.checked_add(1)?.checked_mul(self.dtype.size_in_bytes())
    }

    fn is_dense(&self) -> bool {
        let mut expected = 1;
        let axes = self.shape.iter().zip(&self.strides).rev();
        axes.into_iter().all(|(&side, &stride)| {
            let follows = side == 1 || stride == expected;
            expected *= side;
            follows
        })
    }

    fn tensor(self, storage: &[u8], count: usize, end: usize) -> Outcome<TorchTensor> {
        let width = self.dtype.size_in_bytes();
        if storage.len() < end {
            return Err(format!("tensor {} of shape {:?} ends beyond its storage", self.name, self.shape));
        }
        let bytes =
            if self.is_dense() { Cow::Borrowed(&storage[self.first * width..end]) } else { self.gathered(storage, count).into() };
        let data = f32_from_bytes(&bytes, self.dtype).map_err(|reason| format!("tensor {}: {reason}", self.name))?;
        Ok(TorchTensor { name: self.name, shape: self.shape, data })
    }

    /// The elements in row-major order, of a storage that has them all.
    fn gathered(&self, storage: &[u8], count: usize) -> Vec<u8> {
        let width = self.dtype.size_in_bytes();
        let mut bytes = Vec::with_capacity(count * width);
        let (mut at, mut index) = (vec![0; self.shape.len()], self.first);
        for _ in 0..count {
            bytes.extend_from_slice(&storage[index * width..][..width]);
            // One further on the last axis that has room, back to the start on those behind it.
            for ((at, &side), &stride) in at.iter_mut().zip(&self.shape).zip(&self.strides).rev() {
                if *at + 1 < side {
                    *at += 1;
                    index += stride;
                    break;
                }
                index -= *at * stride;
                *at = 0;
            }
        }
        bytes
    }
}

/// The tensors of a file of `file_bytes`, storage by storage: `storage` gives the bytes of one by its key, `end` of them or less
/// where it has no more.
pub(super) fn tensors_of_views<'a>(
    views: Vec<View>,
    file_bytes: usize,
    mut storage: impl FnMut(&str, usize) -> Outcome<Cow<'a, [u8]>>,
) -> Outcome<Vec<TorchTensor>> {
    let most = file_bytes.saturating_mul(MOST_GROWTH).saturating_add(SLACK);
    let mut left = most;
    let mut tensors = Vec::new();
    let mut by_storage: BTreeMap<String, Vec<(View, usize, usize)>> = BTreeMap::new();
    for view in views {
        let too_large =
            |what| Err(format!("tensor {} of shape {:?} {what} than a file of {file_bytes} bytes has", view.name, view.shape));
        let Some(count) = view.count().filter(|count| *count <= left) else { return too_large("takes more numbers") };
        if count == 0 {
            tensors.push(TorchTensor { name: view.name, shape: view.shape, data: Vec::new() });
            continue;
        }
        let Some(end) = view.end().filter(|end| *end <= most) else { return too_large("takes a longer storage") };
        left -= count;
        by_storage.entry(view.storage.clone()).or_default().push((view, count, end));
    }
    for (key, views) in by_storage {
        let end = views.iter().map(|(_, _, end)| *end).max().unwrap_or_default();
        let bytes = storage(&key, end)?;
        for (view, count, end) in views {
            tensors.push(view.tensor(&bytes, count, end)?);
        }
    }
    Ok(tensors)
}

/// The arguments of the function that makes a plain tensor, be it wrapped as a parameter or a subclass; `None` where none is made.
fn tensor_arguments(object: Object) -> Result<Option<Vec<Object>>, &'static str> {
    const TOO_LITTLE: &str = "described by too little";
    let Object::Reduce { callable, args } = object else { return Ok(None) };
    let Object::Class { module_name, class_name } = *callable else { return Ok(None) };
    let arguments = || args.tuple().map_err(|_| TOO_LITTLE);
    match (module_name.as_str(), class_name.as_str()) {
        ("torch._utils", "_rebuild_tensor_v2") => arguments().map(Some),
        // (tensor, requires_grad, backward_hooks)
        ("torch._utils", "_rebuild_parameter") => tensor_arguments(arguments()?.into_iter().next().ok_or(TOO_LITTLE)?),
        // (function, type, its arguments, state)
        ("torch._tensor", "_rebuild_from_type_v2") => {
            let mut arguments = arguments()?.into_iter();
            let (callable, args) = (arguments.next().ok_or(TOO_LITTLE)?, arguments.nth(1).ok_or(TOO_LITTLE)?);
            tensor_arguments(Object::Reduce { callable: Box::new(callable), args: Box::new(args) })
        }
        _ => Ok(None),
    }
}

fn dtype(storage_class: &str) -> Option<DType> {
    Some(match storage_class {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "ByteStorage" => DType::U8,
        "LongStorage" => DType::I64,
        _ => return None,
    })
}

fn whole(object: Object) -> Option<usize> {
    usize::try_from(object.int_or_long().ok()?).ok()
}

fn wholes(object: Object) -> Option<Vec<usize>> {
    object.tuple().ok()?.into_iter().map(whole).collect()
}
