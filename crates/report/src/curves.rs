//! The training section: loss, the method's own figures and speed over epochs or steps.

use std::collections::BTreeSet;

use maud::{Markup, html};
use relata_artifact::Metrics;

use crate::Result;
use crate::headline::Facts;
use crate::line_chart::{LineChart, Series};
use crate::numbers::{NBSP, THIN, count, counted, duration, percent, short};

/// More points than the chart has room for are joined into this many means.
const MAX_POINTS: usize = 180;

/// Picks a curve's value from a line of metrics.
type Field = fn(&Metrics) -> Option<f64>;

/// What a reader of such a curve must know.
pub(crate) const ONLINE_NOTE: &str = "What is called online was measured while the run trained, on images of the training split: it shows how training goes and is no score.";

pub(crate) fn section(metrics: &[Metrics], facts: &Facts) -> Result<Markup> {
    let (online, training): (Vec<_>, Vec<_>) = metrics.iter().cloned().partition(Metrics::is_online);
    let metrics = &training[..];
    let Some(last) = metrics.last() else {
        return Ok(html! {
            section #training {
                h2 { "Training" }
                @if facts.is_untrained() {
                    p { "None, by intention: the backbone keeps its random weights. What this run scores is what training adds to." }
                } @else {
                    p.missing { "No metrics yet: the run has not finished its first steps." }
                }
            }
        });
    };
    let mut charts = Vec::new();
    for chart in [loss(metrics), pair_accuracy(metrics)] {
        charts.extend(chart.figure()?);
    }
    for name in own_figures(metrics) {
        charts.extend(own_figure(metrics, name).figure()?);
    }
    for name in own_figures(&online) {
        charts.extend(own_figure(&online, name).figure()?);
    }
    charts.extend(speed(metrics).figure()?);
    let bin = metrics.len().div_ceil(MAX_POINTS);
    Ok(html! {
        section #training {
            h2 { "Training" }
            p { (summary(metrics, last)) }
            @if charts.is_empty() {
                p.missing { "The metrics hold neither loss, pair accuracy nor speed." }
            }
            div.charts { @for chart in &charts { (chart) } }
            @if !online.is_empty() { p.note { (ONLINE_NOTE) } }
            @if bin > 1 {
                p.note { "Each point is the mean of " (bin) " lines of metrics.jsonl." }
            }
        }
    })
}

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

fn loss(metrics: &[Metrics]) -> LineChart<'static> {
    let series = series("loss", metrics, has_epochs(metrics), |line| line.loss);
    LineChart {
        title: "Loss",
        alt: from_to("Training loss", &series, short),
        x_label: x_label(has_epochs(metrics)),
        y_label: short,
        y_floor: None,
        reference: None,
        series: vec![series],
    }
}

fn pair_accuracy(metrics: &[Metrics]) -> LineChart<'static> {
    let fields: [(&str, Field); 3] = [
        ("all pairs", |line| line.figure("pair_acc")),
        ("same image", |line| line.figure("pair_acc_pos")),
        ("different images", |line| line.figure("pair_acc_neg")),
    ];
    let series: Vec<_> = fields
        .into_iter()
        .map(|(name, field)| as_percent(series(name, metrics, has_epochs(metrics), field)))
        .filter(|series| !series.points.is_empty())
        .collect();
    LineChart {
        title: "Pairs told rightly",
        alt: series.first().map_or_else(String::new, |all| from_to("Pair accuracy", all, percent)),
        x_label: x_label(has_epochs(metrics)),
        y_label: |value| format!("{value:.0}{THIN}%"),
        y_floor: None,
        reference: Some((50.0, "guessing")),
        series,
    }
}

/// Names of the numbers that the method reports beside the loss, whatever they are, in order.
pub(crate) fn own_figures(metrics: &[Metrics]) -> BTreeSet<&str> {
    let numbers =
        metrics.iter().flat_map(|line| &line.extra).filter(|(name, value)| value.is_number() && !name.starts_with("pair_acc"));
    numbers.map(|(name, _)| name.as_str()).collect()
}

/// What such a figure is called above its curve.
pub(crate) fn own_title(name: &str) -> &str {
    match name {
        "online_knn_acc" => "online kNN (train split)",
        "online_effective_rank" => "online effective rank",
        "online_dead_dimensions_pct" => "online dead dimensions",
        name => name,
    }
}

/// Whether a figure of that name is a share of right answers, in [0, 1].
pub(crate) fn is_share(name: &str) -> bool {
    name.ends_with("_acc")
}

/// How the axis of such a figure is labelled; shares are drawn in percent.
pub(crate) fn own_label(name: &str) -> fn(f64) -> String {
    if is_share(name) || name.ends_with("_pct") { |value| format!("{}{THIN}%", short(value)) } else { short }
}

/// What the axis of such a figure reaches down to at least: percentages start at none.
pub(crate) fn own_floor(name: &str) -> Option<f64> {
    name.ends_with("_pct").then_some(0.0)
}

fn own_figure<'a>(metrics: &[Metrics], name: &'a str) -> LineChart<'a> {
    let field = |line: &Metrics| line.extra.get(name)?.as_f64();
    let series = series(name, metrics, has_epochs(metrics), field);
    let series = if is_share(name) { as_percent(series) } else { series };
    LineChart {
        title: own_title(name),
        alt: from_to(own_title(name), &series, if is_share(name) || name.ends_with("_pct") { percent } else { short }),
        x_label: x_label(has_epochs(metrics)),
        y_label: own_label(name),
        y_floor: own_floor(name),
        reference: None,
        series: vec![series],
    }
}

fn as_percent(mut series: Series) -> Series {
    series.points.iter_mut().for_each(|point| point.1 *= 100.0);
    series
}

fn speed(metrics: &[Metrics]) -> LineChart<'static> {
    let series = series("views a second", metrics, has_epochs(metrics), |line| line.views_per_s);
    LineChart {
        title: "Views a second",
        alt: from_to("Training speed in views a second", &series, short),
        x_label: x_label(has_epochs(metrics)),
        y_label: short,
        y_floor: Some(0.0),
        reference: None,
        series: vec![series],
    }
}

fn from_to(what: &str, series: &Series, shown: fn(f64) -> String) -> String {
    match (series.points.first(), series.points.last()) {
        (Some(first), Some(last)) => {
            format!("{what}, from {} to {}", shown(first.1), shown(last.1))
        }
        _ => what.to_owned(),
    }
}

fn summary(metrics: &[Metrics], last: &Metrics) -> String {
    let mut parts = Vec::new();
    if let Some(epoch) = last.epoch {
        parts.push(if epoch == epoch.floor() { counted(epoch as u64, "epoch") } else { format!("{epoch:.1}{NBSP}epochs") });
    }
    parts.push(counted(last.step, "step"));
    if let Some(seconds) = last.elapsed_s {
        parts.push(duration(seconds));
    }
    let mut text = parts.join(", ");
    let speeds: Vec<_> = metrics.iter().filter_map(|line| line.views_per_s).filter(|v| v.is_finite()).collect();
    if !speeds.is_empty() {
        let mean = speeds.iter().sum::<f64>() / speeds.len() as f64;
        text.push_str(&format!(", {}{NBSP}views a second on average", count(mean.max(0.0) as u64)));
    }
    text.push('.');
    if let Some(pair_acc) = last.figure("pair_acc") {
        text.push_str(&format!(" At the end the relation head tells {} of the pairs rightly", percent(100.0 * pair_acc)));
        if let (Some(positive), Some(negative)) = (last.figure("pair_acc_pos"), last.figure("pair_acc_neg")) {
            text.push_str(&format!(
                ": {} of those from one image, {} of those from two",
                percent(100.0 * positive),
                percent(100.0 * negative)
            ));
        }
        text.push('.');
    }
    let shares = last.extra.iter().filter(|(name, _)| is_share(name) && *name != "pair_acc");
    for (name, share) in shares.filter_map(|(name, value)| Some((name, value.as_f64()?))) {
        text.push_str(&format!(" At the end {name} is {}.", percent(100.0 * share)));
    }
    text
}
