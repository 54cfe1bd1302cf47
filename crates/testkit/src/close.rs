use std::fmt;

/// How far an actual number may lie from the expected one: `|actual - expected| <= abs + rel * |expected|`,
/// as numpy's `allclose` has it.
///
/// Name each tolerance as a constant and give its reason there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Allowed distance whatever the size of the expected number.
    pub abs: f64,
    /// Allowed distance as a share of the expected number's magnitude.
    pub rel: f64,
}

impl Tolerance {
    /// Nothing but equality (`0.0 == -0.0`; NaN equals NaN).
    pub const EXACT: Self = Self { abs: 0.0, rel: 0.0 };

    /// The distance allowed from `expected`.
    #[must_use]
    pub fn around(self, expected: f64) -> f64 {
        self.abs + self.rel * expected.abs()
    }
}

/// Asserts that every entry lies within `tolerance` of the expected one.
///
/// NaN is close to NaN only, an infinity to itself only.
///
/// # Panics
/// Where the lengths differ or an entry is too far off; the message shows the worst entry (the one furthest over its
/// allowance), both values, and how many entries fail.
#[track_caller]
pub fn assert_close<T>(actual: &[T], expected: &[T], tolerance: Tolerance)
where
    T: Copy + Into<f64> + fmt::Display,
{
    assert!(actual.len() == expected.len(), "lengths differ: {} actual entries, {} expected", actual.len(), expected.len());
    let mut failing = 0;
    let mut worst = (f64::NEG_INFINITY, 0);
    for (index, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        let over = excess(a.into(), e.into(), tolerance);
        failing += usize::from(over > 0.0);
        if over > worst.0 {
            worst = (over, index);
        }
    }
    let at = worst.1;
    assert!(
        failing == 0,
        "{failing} of {} entries are not close; worst is entry {at}: {} where {} is expected, \
         off by {:.3e}, allowed {:.3e} (abs {:e}, rel {:e})",
        actual.len(),
        actual[at],
        expected[at],
        (actual[at].into() - expected[at].into()).abs(),
        tolerance.around(expected[at].into()),
        tolerance.abs,
        tolerance.rel,
    );
}

/// How much further off than allowed; infinite where only one side is NaN or infinite.
fn excess(actual: f64, expected: f64, tolerance: Tolerance) -> f64 {
    if actual == expected || (actual.is_nan() && expected.is_nan()) {
        return f64::NEG_INFINITY;
    }
    let over = (actual - expected).abs() - tolerance.around(expected);
    if over.is_nan() || !expected.is_finite() { f64::INFINITY } else { over }
}

/// `|actual - expected| / |expected|` in Euclidean norms, summed in f64; the plain distance where `expected` is zero.
///
/// NaN anywhere gives NaN, which fails every `<` that it meets.
///
/// # Panics
/// Where the lengths differ.
#[track_caller]
#[must_use]
pub fn relative_norm_error<T: Copy + Into<f64>>(actual: &[T], expected: &[T]) -> f64 {
    assert!(actual.len() == expected.len(), "lengths differ: {} actual entries, {} expected", actual.len(), expected.len());
    let (mut distance, mut size) = (0.0, 0.0);
    for (&a, &e) in actual.iter().zip(expected) {
        let (a, e): (f64, f64) = (a.into(), e.into());
        distance += (a - e) * (a - e);
        size += e * e;
    }
    if size == 0.0 { f64::sqrt(distance) } else { f64::sqrt(distance / size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOSE: Tolerance = Tolerance { abs: 0.01, rel: 0.1 };

    #[test]
    fn both_parts_of_the_tolerance_count() {
        assert_close(&[10.0, 0.009], &[11.0, 0.0], LOOSE);
    }

    #[test]
    #[should_panic(expected = "1 of 3 entries are not close; worst is entry 1: 2.5 where 2 is expected")]
    fn the_worst_entry_is_shown() {
        assert_close(&[1.0_f32, 2.5, 3.0], &[1.0, 2.0, 3.1], LOOSE);
    }

    #[test]
    #[should_panic(expected = "worst is entry 0: NaN")]
    fn nan_is_far_from_every_number() {
        assert_close(&[f32::NAN], &[0.0], LOOSE);
    }

    #[test]
    #[should_panic(expected = "worst is entry 0: 1 where inf")]
    fn a_number_is_far_from_infinity() {
        assert_close(&[1.0], &[f64::INFINITY], LOOSE);
    }

    #[test]
    fn nan_and_infinity_are_close_to_themselves() {
        let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        assert_close(&values, &values, Tolerance::EXACT);
    }

    #[test]
    #[should_panic(expected = "lengths differ: 1 actual entries, 2 expected")]
    fn lengths_must_agree() {
        assert_close(&[1.0], &[1.0, 2.0], LOOSE);
    }

    #[test]
    fn the_norm_error_is_relative_where_it_can_be() {
        assert!((relative_norm_error(&[3.0, 4.0 + 0.05], &[3.0, 4.0]) - 0.01).abs() < 1e-12);
        assert_eq!(relative_norm_error(&[3.0_f32, 4.0], &[0.0, 0.0]), 5.0);
        assert!(relative_norm_error(&[f64::NAN], &[1.0]).is_nan());
    }
}
