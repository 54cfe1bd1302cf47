use crate::{Tolerance, assert_close};

/// The gradient of `f` at `x` by central differences: entry i is `(f(x + h e_i) - f(x - h e_i)) / 2h`.
///
/// `h` is `step * max(1, |x_i|)`. In f64 the error is least near `step = 1e-5` to `1e-6`: the truncation falls with the
/// square of the step, the rounding grows with its inverse. Keep `x` away from kinks (a ReLU's zero) by more than `h`.
#[must_use]
pub fn central_difference(f: impl Fn(&[f64]) -> f64, x: &[f64], step: f64) -> Vec<f64> {
    let mut point = x.to_vec();
    (0..x.len())
        .map(|i| {
            let h = step * x[i].abs().max(1.0);
            point[i] = x[i] + h;
            let (above, upper) = (f(&point), point[i]);
            point[i] = x[i] - h;
            let (below, lower) = (f(&point), point[i]);
            point[i] = x[i];
            // The distance as it was rounded, not 2h.
            (above - below) / (upper - lower)
        })
        .collect()
}

/// Asserts that `gradient` is that of `f` at `x`, by [`central_difference`] with a step of 1e-5.
///
/// # Panics
/// As [`assert_close`].
#[track_caller]
pub fn assert_gradient(f: impl Fn(&[f64]) -> f64, x: &[f64], gradient: &[f64], tolerance: Tolerance) {
    assert_close(gradient, &central_difference(f, x, 1e-5), tolerance);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values up to 64 over a step of 2e-5 round to about 1e-9; the truncation, h^2 f''' / 6, is no larger.
    const DIFFERENCE: Tolerance = Tolerance { abs: 5e-9, rel: 1e-8 };

    fn product(x: &[f64]) -> f64 {
        x[0] * x[1].sin() + x[2].powi(3)
    }

    #[test]
    fn a_right_gradient_passes() {
        let x: [f64; 3] = [0.3, -1.2, 4.0];
        let gradient = [x[1].sin(), x[0] * x[1].cos(), 3.0 * x[2] * x[2]];
        assert_gradient(product, &x, &gradient, DIFFERENCE);
    }

    #[test]
    #[should_panic(expected = "worst is entry 1")]
    fn a_wrong_entry_is_named() {
        let x: [f64; 3] = [0.3, -1.2, 4.0];
        let gradient = [x[1].sin(), x[0] * x[1].sin(), 3.0 * x[2] * x[2]];
        assert_gradient(product, &x, &gradient, DIFFERENCE);
    }
}
