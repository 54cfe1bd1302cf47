//! How training went: loss, the method's own figures and speed over epochs or steps.

use maud::{Markup, html};
use relata_artifact::{FigureFacts, FigureUnit, Metrics};

use crate::Result;
use crate::charts::curves::{
    MAX_POINTS, axis_label, charts_of, drawn, drawn_value, floor, has_epochs, in_words, series, x_label,
};
use crate::charts::line_chart::{LineChart, MAX_SERIES, Series};
use crate::numbers::{NBSP, count, counted, duration, short};
use crate::run::Run;
use crate::section::Section;

pub(super) const SECTION: Section = Section {
    anchor: "training",
    title: "Training",
    of_run: |run| of_run(run).map(Some),
    of_comparison: |runs| of_comparison(runs).map(Some),
};

/// What a reader of such a curve must know.
const ONLINE_NOTE: &str = "Figures called online were measured while the run trained, on images of the training split: they show how training goes and are no scores.";

fn of_run(run: &Run) -> Result<Markup> {
    let metrics = &run.metrics[..];
    let Some(last) = metrics.last() else {
        return Ok(html! {
            @if run.summary.is_untrained {
                p { "None, by intention: the backbone keeps its random weights. Trained runs are measured against the scores of this one." }
            } @else {
                p.missing { "No metrics yet: the run has not finished its first steps." }
            }
        });
    };
    let figures = own_figures(run);
    let mut charts = Vec::new();
    charts.extend(loss(metrics).figure()?);
    for figure in &figures {
        charts.extend(chart_of_run(metrics, figure).figure()?);
    }
    for figure in &charts_of(&run.summary.facts.online, &run.online) {
        charts.extend(chart_of_run(&run.online, figure).figure()?);
    }
    charts.extend(speed(metrics).figure()?);
    let bin = metrics.len().div_ceil(MAX_POINTS);
    Ok(html! {
        p { (in_sentences(metrics, last, &figures)) }
        @if charts.is_empty() {
            p.missing { "The metrics hold neither loss, figures of the method nor speed." }
        }
        div.charts { @for chart in &charts { (chart) } }
        @if !run.online.is_empty() { p.note { (ONLINE_NOTE) } }
        @if bin > 1 {
            p.note { "Each point is the mean of " (bin) " lines of metrics.jsonl." }
        }
    })
}

/// The charts of the method's own figures.
fn own_figures(run: &Run) -> Vec<FigureFacts> {
    charts_of(run.summary.method_facts().into_iter().flat_map(|method| &method.figures), &run.metrics)
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

fn chart_of_run<'a>(metrics: &[Metrics], figure: &'a FigureFacts) -> LineChart<'a> {
    let unit = figure.unit;
    let by_epoch = has_epochs(metrics);
    let curves = figure.curves.iter().map(|curve| series(&curve.title, metrics, by_epoch, |line| drawn(line, &curve.name, unit)));
    let series: Vec<_> = curves.filter(|series| !series.points.is_empty()).collect();
    LineChart {
        alt: series.first().map_or_else(String::new, |first| from_to(&figure.title, first, in_words(unit))),
        x_label: x_label(by_epoch),
        series,
        ..empty_chart(figure)
    }
}

/// Title, axis and reference of a figure's chart.
fn empty_chart(figure: &FigureFacts) -> LineChart<'_> {
    LineChart {
        title: &figure.title,
        alt: String::new(),
        x_label: "",
        y_label: axis_label(figure.unit),
        y_floor: floor(figure.unit),
        reference: figure.reference.as_ref().map(|(value, meaning)| (drawn_value(*value, figure.unit), meaning.as_str())),
        series: Vec::new(),
    }
}

fn from_to(what: &str, series: &Series, shown: fn(f64) -> String) -> String {
    match (series.points.first(), series.points.last()) {
        (Some(first), Some(last)) => format!("{what}, from {} to {}", shown(first.1), shown(last.1)),
        _ => what.to_owned(),
    }
}

/// How long it took, and what the shares among the method's figures came to.
fn in_sentences(metrics: &[Metrics], last: &Metrics, figures: &[FigureFacts]) -> String {
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
    for figure in figures.iter().filter(|figure| figure.unit == FigureUnit::Share) {
        let shown = |name: &str| Some(in_words(figure.unit)(drawn(last, name, figure.unit)?));
        let (Some(first), rest) = (shown(&figure.curves[0].name), &figure.curves[1..]) else { continue };
        text.push_str(&format!(" {} at the end: {first}", figure.title));
        let rest: Vec<String> =
            rest.iter().filter_map(|curve| Some(format!("{} {}", curve.title, shown(&curve.name)?))).collect();
        if !rest.is_empty() {
            text.push_str(&format!(" ({})", rest.join(", ")));
        }
        text.push('.');
    }
    text
}

fn of_comparison(runs: &[Run]) -> Result<Markup> {
    // Steps of one run and epochs of another have no common axis.
    let by_epoch = runs.iter().all(|run| has_epochs(&run.metrics));
    let shown = &runs[..runs.len().min(MAX_SERIES)];
    let lines = |of: fn(&Run) -> &[Metrics], field: &dyn Fn(&Metrics) -> Option<f64>| {
        shown.iter().map(|run| series(&run.name, of(run), by_epoch, field)).collect::<Vec<_>>()
    };
    let complete = |chart: LineChart<'_>, series| {
        let alt = format!("{} of {}", chart.title, counted(shown.len() as u64, "run"));
        LineChart { alt, x_label: x_label(by_epoch), series, ..chart }.figure()
    };
    let metrics: fn(&Run) -> &[Metrics] = |run| &run.metrics;
    let online: fn(&Run) -> &[Metrics] = |run| &run.online;
    let mut charts = vec![complete(loss(&[]), lines(metrics, &|line| line.loss))?];
    let methods = runs.iter().filter_map(|run| run.summary.method_facts());
    let own = charts_of(methods.flat_map(|method| &method.figures), runs.iter().flat_map(metrics));
    let between = charts_of(runs.iter().flat_map(|run| &run.summary.facts.online), runs.iter().flat_map(online));
    for (figures, of) in [(own, metrics), (between, online)] {
        for figure in &figures {
            // A line a run: the figure that is the most important one of the chart.
            let name = &figure.curves[0].name;
            charts.push(complete(empty_chart(figure), lines(of, &|line| drawn(line, name, figure.unit)))?);
        }
    }
    charts.push(complete(speed(&[]), lines(metrics, &|line| line.views_per_s))?);
    Ok(html! {
        div.charts { @for chart in charts.iter().flatten() { (chart) } }
        @if charts.iter().all(Option::is_none) { p.missing { "No run has metrics yet." } }
        @if have_several_methods(runs) {
            p.note { "Losses of different methods measure different things; their heights cannot be compared." }
        }
        @if runs.iter().any(|run| !run.online.is_empty()) { p.note { (ONLINE_NOTE) } }
        @if runs.len() > MAX_SERIES { p.note { "The first " (MAX_SERIES) " runs are drawn." } }
    })
}

fn have_several_methods(runs: &[Run]) -> bool {
    let mut methods = runs.iter().filter_map(|run| run.summary.method.as_ref());
    let first = methods.next();
    methods.any(|other| Some(other) != first)
}
