//! The numbers that the fixtures made by PyTorch were made with: fixtures/hashed.py, once more.

use crate::Parameters;

/// v(0) .. v(count − 1) of a name, in [−1, 1).
pub(crate) fn values(name: &str, count: usize) -> Vec<f64> {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let start = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    let value = |i: u64| {
        let x = start.wrapping_add(i.wrapping_mul(GOLDEN)).wrapping_add(GOLDEN);
        let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        2.0 * (((x ^ (x >> 31)) >> 40) as f64 / f64::from(1 << 24)) - 1.0
    };
    (0..count as u64).map(value).collect()
}

/// One entry of a hashed state dict, in PyTorch's layout.
pub(crate) fn tensor(prefix: &str, name: &str, shape: &[usize]) -> Vec<f32> {
    let layer = name.rsplit('.').nth(1).unwrap_or_default();
    let norm = layer.starts_with("bn") || name.contains("downsample.1.");
    let rule: Box<dyn Fn(f64) -> f64> = match *shape {
        _ if name.ends_with("running_mean") => Box::new(|v| 0.1 * v),
        _ if name.ends_with("running_var") => Box::new(|v| 1.0 + 0.5 * (v + 1.0) / 2.0),
        _ if norm && name.ends_with("weight") => Box::new(|v| 1.0 + 0.2 * v),
        _ if name.ends_with("bias") => Box::new(|v| 0.1 * v),
        [out, _, rows, columns] => Box::new(move |v| v * (6.0 / (rows * columns * out) as f64).sqrt()),
        [_, inputs] => Box::new(move |v| v * (3.0 / inputs as f64).sqrt()),
        _ => panic!("no rule for {name}"),
    };
    let count = shape.iter().product();
    values(&format!("{prefix}/{name}"), count).into_iter().map(|v| rule(v) as f32).collect()
}

/// Overwrites parameters and running statistics by the hashed ones.
pub(crate) fn fill(parameters: &mut Parameters, prefix: &str) {
    let mut tensors = parameters.torch_tensors();
    tensors.iter_mut().for_each(|entry| entry.data = tensor(prefix, &entry.name, &entry.shape));
    let find = |name: &str| tensors.iter().find(|t| t.name == name).map(|t| (t.shape.as_slice(), t.data.as_slice()));
    parameters.load_torch(find).expect("its own names and shapes");
}

/// Images as NHWC.
pub(crate) fn images(prefix: &str, count: usize, height: usize, width: usize) -> Vec<f32> {
    values(&format!("{prefix}/images"), count * height * width * 3).into_iter().map(|v| (1.5 * v) as f32).collect()
}
