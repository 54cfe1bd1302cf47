//! Bytes of a weight file as numbers.

use candle_core::{DType, Device, Tensor};

/// What was read, or what is wrong with the file.
pub(super) type Outcome<T> = std::result::Result<T, String>;

/// Numbers of a little-endian buffer as f32.
pub(super) fn f32_from_bytes(bytes: &[u8], dtype: DType) -> Outcome<Vec<f32>> {
    let count = bytes.len() / dtype.size_in_bytes();
    if count == 0 {
        return Ok(Vec::new());
    }
    let tensor = Tensor::from_raw_buffer(bytes, dtype, &[count], &Device::Cpu).map_err(first_line)?;
    tensor.to_dtype(DType::F32).and_then(|tensor| tensor.to_vec1()).map_err(first_line)
}

/// candle's message without the backtrace that may hang on to it.
pub(super) fn first_line(error: candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
