//! L-BFGS for smooth convex functions (Liu & Nocedal 1989), in f64.

use std::collections::VecDeque;

/// Steps whose curvature is remembered.
const MEMORY: usize = 10;
/// Sufficient decrease and curvature of a step: the usual constants of the weak Wolfe conditions (Nocedal & Wright, 3.1).
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Trials of a line search; each halves or doubles the step.
const TRIALS: usize = 40;
/// Values that differ by less than this share may differ by rounding alone: then the slope decides (the approximate Wolfe
/// condition of Hager & Zhang 2005, eq. 27).
const ROUNDING: f64 = 1e-6;

/// Where a minimisation ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Minimum {
    pub(super) point: Vec<f64>,
    pub(super) value: f64,
    /// The largest entry of the gradient there, in magnitude.
    pub(super) largest_gradient: f64,
    pub(super) iterations: usize,
}

/// Minimises `function`, which gives its value at a point and writes its gradient there, from `start` until no entry of the
/// gradient is larger than `tolerance`, for at most `max_iterations` steps or until rounding hides any further descent.
pub(super) fn minimise(
    start: Vec<f64>,
    tolerance: f64,
    max_iterations: usize,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Minimum {
    let mut gradient = vec![0.0; start.len()];
    let mut value = function(&start, &mut gradient);
    let mut point = start;
    let mut memory = VecDeque::with_capacity(MEMORY);
    let mut iterations = 0;
    while iterations < max_iterations && largest(&gradient) > tolerance {
        let mut direction = descent(&gradient, &memory);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            memory.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = -dot(&gradient, &gradient);
        }
        // The first step has no curvature to go by: it is one unit long.
        let first = if memory.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
        let Some(next) = search(&point, value, &direction, slope, first, &mut function) else { break };
        let step: Vec<f64> = next.point.iter().zip(&point).map(|(new, old)| new - old).collect();
        let change: Vec<f64> = next.gradient.iter().zip(&gradient).map(|(new, old)| new - old).collect();
        let curvature = dot(&step, &change);
        if curvature > 0.0 {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back(CurvaturePair { step, change, curvature });
        }
        (point, value, gradient) = (next.point, next.value, next.gradient);
        iterations += 1;
    }
    Minimum { value, largest_gradient: largest(&gradient), iterations, point }
}

/// A step and what it changed of the gradient.
struct CurvaturePair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

struct LineSearchTrial {
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// Minus the gradient times the inverse Hessian that the memory approximates: the two-loop recursion.
fn descent(gradient: &[f64], memory: &VecDeque<CurvaturePair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let share = dot(&pair.step, &direction) / pair.curvature;
        add(&mut direction, -share, &pair.change);
        shares.push(share);
    }
    if let Some(last) = memory.back() {
        let scale = last.curvature / dot(&last.change, &last.change);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (pair, share) in memory.iter().zip(shares.into_iter().rev()) {
        let correction = share - dot(&pair.change, &direction) / pair.curvature;
        add(&mut direction, correction, &pair.step);
    }
    direction
}

/// A step along `direction` that satisfies the weak Wolfe conditions, by bisection and doubling; `None` where none is found.
fn search(
    point: &[f64],
    value: f64,
    direction: &[f64],
    slope: f64,
    first: f64,
    function: &mut impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Option<LineSearchTrial> {
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, first);
    for _ in 0..TRIALS {
        let mut trial = LineSearchTrial { point: point.to_vec(), value: 0.0, gradient: vec![0.0; point.len()] };
        add(&mut trial.point, length, direction);
        trial.value = function(&trial.point, &mut trial.gradient);
        let end_slope = dot(&trial.gradient, direction);
        // Written so that a value which is NaN is a step too long.
        let lower = trial.value <= value + DECREASE * length * slope;
        let level = trial.value <= value + ROUNDING * value.abs() && end_slope <= (2.0 * DECREASE - 1.0) * slope;
        if !(lower || level) {
            high = length;
        } else if end_slope < CURVATURE * slope {
            low = length;
        } else {
            return Some(trial);
        }
        length = if high.is_finite() { (low + high) / 2.0 } else { 2.0 * low };
    }
    None
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += factor * value);
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| value.abs().max(most))
}

#[cfg(test)]
mod tests {
    use super::minimise;

    #[test]
    fn a_stretched_bowl_is_minimised() {
        // Σ s_i (x_i − i)² / 2 with scales from 1 to 10,000.
        let scales = [1.0, 10.0, 100.0, 1000.0, 10_000.0];
        let minimum = minimise(vec![3.0; 5], 1e-9, 200, |x, gradient| {
            for i in 0..5 {
                gradient[i] = scales[i] * (x[i] - i as f64);
            }
            (0..5).map(|i| scales[i] * (x[i] - i as f64).powi(2) / 2.0).sum()
        });
        assert!(minimum.largest_gradient <= 1e-9 && minimum.iterations < 100, "{minimum:?}");
        assert!(minimum.point.iter().enumerate().all(|(i, x)| (x - i as f64).abs() < 1e-8), "{minimum:?}");
    }

    #[test]
    fn a_start_at_the_minimum_stays_there() {
        let minimum = minimise(vec![0.0], 1e-9, 10, |x, gradient| {
            gradient[0] = x[0];
            x[0] * x[0] / 2.0
        });
        assert_eq!((minimum.point, minimum.iterations), (vec![0.0], 0));
    }

    #[test]
    fn a_function_without_a_minimum_ends_at_the_limit() {
        let minimum = minimise(vec![0.0], 1e-9, 7, |x, gradient| {
            gradient[0] = -(-x[0]).exp();
            (-x[0]).exp()
        });
        assert!(minimum.iterations <= 7 && minimum.value < 1.0, "{minimum:?}");
    }
}
