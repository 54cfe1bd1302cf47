/// A repeatable number in [-1, 1) that depends on `name` and `index` alone, exact in f32.
///
/// FNV-1a of the name, moved on by `index + 1` steps of SplitMix64; a few lines in any language give the same numbers:
///
/// ```text
/// h = FNV1a64(name);  z = h + (index + 1) * 0x9e3779b97f4a7c15
/// z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;  z = (z ^ z >> 27) * 0x94d049bb133111eb;  z ^= z >> 31
/// value = (z >> 40) / 2^23 - 1                                                     all modulo 2^64
/// ```
#[must_use]
pub fn hash_uniform(name: &str, index: usize) -> f64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let steps = (index as u64).wrapping_add(1);
    let mut z = hash.wrapping_add(steps.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// The first `count` numbers of [`hash_uniform`].
#[must_use]
pub fn hash_uniforms(name: &str, count: usize) -> Vec<f64> {
    (0..count).map(|index| hash_uniform(name, index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_never_change() {
        // Computed apart from this code, in Python's integers, from the formula above.
        let expected = [0.3470611572265625, 0.3802194595336914, 0.8214874267578125];
        assert_eq!(hash_uniforms("weights", 3), expected);
    }

    #[test]
    fn they_fill_the_interval_and_depend_on_the_name() {
        let numbers = hash_uniforms("a", 10_000);
        let mean = numbers.iter().sum::<f64>() / 10_000.0;
        // Standard error of the mean of U(-1, 1) at 10,000 draws: 0.0058; five of them.
        assert!(mean.abs() < 0.029, "mean {mean}");
        assert!(numbers.iter().all(|v| (-1.0..1.0).contains(v) && f64::from(*v as f32) == *v));
        assert!(numbers.iter().any(|v| *v < -0.99) && numbers.iter().any(|v| *v > 0.99));
        assert_ne!(numbers[..4], hash_uniforms("b", 4)[..]);
    }
}
