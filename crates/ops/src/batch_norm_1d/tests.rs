use super::{BatchNorm1d, reference};
use crate::Buffers;
use crate::test_support::{assert_close, f32s, noise, rounded};

const EPS: f64 = 1e-5;
/// Of values that are rounded twice, against f64, relative to the largest entry.
const TOLERANCE: f64 = 1e-6;

/// (rows, channels): two rows, odd numbers, a single column, no multiple of a vector.
const SIZES: [(usize, usize); 5] = [(2, 1), (3, 7), (5, 16), (130, 33), (64, 1)];

struct Case {
    x: Vec<f64>,
    gamma: Vec<f64>,
    beta: Vec<f64>,
    /// The loss is `Σ slopes · y`.
    slopes: Vec<f64>,
}

impl Case {
    fn new(rows: usize, channels: usize) -> Self {
        let some = |what: &str, len: usize| rounded(noise(&format!("{what} {rows} {channels}"), len));
        // Far from zero, so that a mean which cancels would show.
        let x = rounded(some("x", rows * channels).iter().map(|x| 20.0 + x).collect());
        Self { x, gamma: some("gamma", channels), beta: some("beta", channels), slopes: some("slopes", rows * channels) }
    }

    fn loss(&self) -> f64 {
        let (y, _) = reference::forward(&self.x, &self.gamma, &self.beta, EPS);
        y.iter().zip(&self.slopes).map(|(y, slope)| y * slope).sum()
    }

    /// The slope of the loss by each of some numbers, by central differences.
    fn differences(&self, which: fn(&mut Self) -> &mut Vec<f64>) -> Vec<f64> {
        let at = |index: usize, step: f64| {
            let mut moved =
                Self { x: self.x.clone(), gamma: self.gamma.clone(), beta: self.beta.clone(), slopes: self.slopes.clone() };
            which(&mut moved)[index] += step;
            moved.loss()
        };
        let count = which(&mut Self::new(self.x.len() / self.gamma.len(), self.gamma.len())).len();
        (0..count).map(|index| (at(index, 1e-5) - at(index, -1e-5)) / 2e-5).collect()
    }
}

#[test]
fn rows_are_normalised_as_the_definition_says_and_running_statistics_move() {
    for (rows, channels) in SIZES {
        let case = Case::new(rows, channels);
        let (expected, statistics) = reference::forward(&case.x, &vec![1.0; channels], &vec![0.0; channels], EPS);
        let mut norm = BatchNorm1d::new(channels, EPS, &mut Buffers::allocated());
        let mut x = f32s(&case.x);
        norm.standardise(&mut x);
        assert_close(&x, &expected, TOLERANCE, &format!("{rows} x {channels}"));
        let (mut mean, mut var) = (vec![0.5; channels], vec![2.0; channels]);
        norm.update_running_stats(0.1, Some(&vec![3.0; channels]), &mut mean, &mut var);
        let unbiased = rows as f64 / (rows as f64 - 1.0);
        let (means, vars): (Vec<f64>, Vec<f64>) =
            statistics.iter().map(|(m, v)| (0.45 + 0.1 * (m + 3.0), 1.8 + 0.1 * v * unbiased)).unzip();
        assert_close(&mean, &means, TOLERANCE, "running means");
        assert_close(&var, &vars, TOLERANCE, "running variances");
    }
}

/// Central differences in f64 have errors of their own, of two sums of some hundred terms.
const OF_DIFFERENCES: f64 = 1e-4;

#[test]
fn gradients_are_the_slopes_of_the_definition() {
    for (rows, channels) in [(2, 1), (3, 7), (5, 16), (13, 5)] {
        let case = Case::new(rows, channels);
        let mut norm = BatchNorm1d::new(channels, EPS, &mut Buffers::allocated());
        let (mut x, mut d) = (f32s(&case.x), f32s(&case.slopes));
        norm.standardise(&mut x);
        norm.backward(&x, Some(&f32s(&case.gamma)), &mut d);
        let (mut d_gamma, mut d_beta) = (vec![f32::NAN; channels], vec![f32::NAN; channels]);
        norm.write_gradients(&mut d_gamma, &mut d_beta);
        let what = format!("{rows} x {channels}");
        // Of two rows the slope is nearly 0: it is measured against the gradient of a single row's scale.
        let bound = case.differences(|case| &mut case.x).iter().fold(1e-2, |most: f64, d| most.max(d.abs()));
        for (at, (found, expected)) in d.iter().zip(case.differences(|case| &mut case.x)).enumerate() {
            assert!((f64::from(*found) - expected).abs() <= OF_DIFFERENCES * bound, "{what}, x {at}: {found}, {expected}");
        }
        assert_close(&d_gamma, &case.differences(|case| &mut case.gamma), OF_DIFFERENCES, &format!("gamma, {what}"));
        assert_close(&d_beta, &case.differences(|case| &mut case.beta), OF_DIFFERENCES, &format!("beta, {what}"));
    }
}

#[test]
fn without_gamma_it_counts_as_one() {
    let case = Case::new(5, 3);
    let mut norm = BatchNorm1d::new(3, EPS, &mut Buffers::allocated());
    let mut x = f32s(&case.x);
    norm.standardise(&mut x);
    let (mut plain, mut ones) = (f32s(&case.slopes), f32s(&case.slopes));
    norm.backward(&x, None, &mut plain);
    norm.backward(&x, Some(&[1.0; 3]), &mut ones);
    assert_eq!(plain, ones);
}

#[test]
fn a_single_row_and_a_constant_column_are_zeros() {
    let mut norm = BatchNorm1d::new(2, EPS, &mut Buffers::allocated());
    let mut row = [3.0, -4.0];
    norm.standardise(&mut row);
    assert_eq!(row, [0.0, 0.0]);
    let (mut mean, mut var) = ([0.0; 2], [1.0; 2]);
    norm.update_running_stats(0.5, None, &mut mean, &mut var);
    assert_eq!((mean, var), ([1.5, -2.0], [0.5, 0.5]));
    let mut d = [5.0, 1.0];
    norm.backward(&row, None, &mut d);
    assert_eq!(d, [0.0, 0.0]);
}
