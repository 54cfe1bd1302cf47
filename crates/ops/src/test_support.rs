//! What the tests of this crate share.

/// `n` repeatable numbers in [-1, 1), exact in f32.
pub(crate) fn noise(name: &str, n: usize) -> Vec<f64> {
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    (0..n)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 23) - 1.0
        })
        .collect()
}

/// Every entry within `tolerance` of the largest expected magnitude.
#[track_caller]
pub(crate) fn assert_close(actual: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "lengths of {what}");
    let largest = expected.iter().fold(1e-30, |m: f64, x| m.max(x.abs()));
    for (i, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        let error = (f64::from(a) - e).abs() / largest;
        assert!(error <= tolerance, "{what}: entry {i} is {a}, expected {e}: off by {error:.2e} of the largest, {largest}");
    }
}

pub(crate) fn f32s(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

/// As f32 holds it.
pub(crate) fn rounded(values: Vec<f64>) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x as f32)).collect()
}
