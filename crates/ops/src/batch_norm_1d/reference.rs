//! The definition, in f64, a column after the other.

/// `y [N, C]`, and mean and biased variance of each column.
pub(super) fn forward(x: &[f64], gamma: &[f64], beta: &[f64], eps: f64) -> (Vec<f64>, Vec<(f64, f64)>) {
    let channels = gamma.len();
    let n = (x.len() / channels) as f64;
    let statistics: Vec<(f64, f64)> = (0..channels)
        .map(|c| {
            let column = || x.iter().skip(c).step_by(channels);
            let mean = column().sum::<f64>() / n;
            (mean, column().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
        })
        .collect();
    let y = x.iter().enumerate().map(|(at, x)| {
        let (c, (mean, var)) = (at % channels, statistics[at % channels]);
        gamma[c] * (x - mean) / (var + eps).sqrt() + beta[c]
    });
    (y.collect(), statistics)
}
