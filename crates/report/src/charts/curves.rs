//! Lines of metrics as curves, and which of their figures share a chart.

use std::collections::BTreeSet;

use relata_artifact::{CurveFacts, FigureFacts, FigureUnit, Metrics};

use super::line_chart::Series;
use crate::numbers::{THIN, percent, short};

/// More points than the chart has room for are joined into this many means.
pub(crate) const MAX_POINTS: usize = 180;

/// The curve of one field over epochs or steps, finite values only, long ones joined into means.
pub(crate) fn series(
    name: impl Into<String>,
    metrics: &[Metrics],
    by_epoch: bool,
    field: impl Fn(&Metrics) -> Option<f64>,
) -> Series {
    let x_of = |line: &Metrics| {
        if by_epoch { line.epoch.unwrap_or(0.0) } else { line.step as f64 }
    };
    let points: Vec<_> = metrics
        .iter()
        .filter_map(|line| Some((x_of(line), field(line)?)))
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect();
    let bin = points.len().div_ceil(MAX_POINTS).max(1);
    let mean = |chunk: &[(f64, f64)]| {
        let sum = chunk.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / chunk.len() as f64, sum.1 / chunk.len() as f64)
    };
    Series { name: name.into(), points: points.chunks(bin).map(mean).collect() }
}

/// Whether every line says its epoch; if not, curves go over steps.
pub(crate) fn has_epochs(metrics: &[Metrics]) -> bool {
    metrics.iter().all(|line| line.epoch.is_some())
}

pub(crate) fn x_label(by_epoch: bool) -> &'static str {
    if by_epoch { "epoch" } else { "step" }
}

/// The charts of the figures that `metrics` hold: first those that are `described`, in that order; then the others by name, those whose
/// name begins with another's in the chart of that one.
pub(crate) fn charts_of<'a>(
    described: impl IntoIterator<Item = &'a FigureFacts>,
    metrics: impl IntoIterator<Item = &'a Metrics>,
) -> Vec<FigureFacts> {
    let numbers = metrics.into_iter().flat_map(|line| &line.extra).filter(|(_, value)| value.is_number());
    let mut left: BTreeSet<&str> = numbers.map(|(name, _)| name.as_str()).collect();
    let mut charts: Vec<FigureFacts> = Vec::new();
    for figure in described {
        let names: Vec<&str> = figure.curves.iter().map(|curve| curve.name.as_str()).filter(|name| left.contains(name)).collect();
        names.iter().for_each(|name| _ = left.remove(name));
        if !names.is_empty() {
            charts.push(figure.clone());
        }
    }
    let first_of_others = charts.len();
    for name in left {
        let belongs =
            |chart: &&mut FigureFacts| name.strip_prefix(&*chart.curves[0].name).is_some_and(|rest| rest.starts_with('_'));
        match charts[first_of_others..].iter_mut().find(belongs) {
            Some(chart) => chart.curves.push(CurveFacts { name: name.to_owned(), title: name.to_owned() }),
            None => {
                let mut chart = FigureFacts::single(name, name);
                chart.curves[0].title.clone_from(&chart.title);
                charts.push(chart);
            }
        }
    }
    charts
}

/// A figure of a line of metrics in the unit in which it is drawn: shares in percent.
pub(crate) fn drawn(line: &Metrics, name: &str, unit: FigureUnit) -> Option<f64> {
    Some(drawn_value(line.figure(name)?, unit))
}

pub(crate) fn drawn_value(value: f64, unit: FigureUnit) -> f64 {
    if unit == FigureUnit::Share { 100.0 * value } else { value }
}

/// How the axis is labelled.
pub(crate) fn axis_label(unit: FigureUnit) -> fn(f64) -> String {
    match unit {
        FigureUnit::Plain => short,
        FigureUnit::Share | FigureUnit::Percent => |value| format!("{}{THIN}%", short(value)),
    }
}

/// How one value is written in a sentence.
pub(crate) fn in_words(unit: FigureUnit) -> fn(f64) -> String {
    if unit == FigureUnit::Plain { short } else { percent }
}

/// What the axis reaches down to at least.
pub(crate) fn floor(unit: FigureUnit) -> Option<f64> {
    (unit == FigureUnit::Percent).then_some(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(names: &[&str]) -> Metrics {
        Metrics { extra: names.iter().map(|name| ((*name).to_owned(), 0.5.into())).collect(), ..Metrics::default() }
    }

    #[test]
    fn described_figures_come_first_and_the_others_by_name() {
        let described = [FigureFacts::single("spread", "Spread"), FigureFacts::single("absent", "Absent")];
        let metrics = [line(&["apex_acc", "spread"]), line(&["apex_acc_low", "zeta"])];
        let charts = charts_of(&described, &metrics);
        let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(titles, ["Spread", "apex_acc", "zeta"]);
        let curves: Vec<&str> = charts[1].curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!((curves, charts[1].unit), (vec!["apex_acc", "apex_acc_low"], FigureUnit::Share));
    }
}
