//! Several runs on one page: scores side by side, curves laid over each other.

use std::collections::BTreeSet;

use maud::{Markup, html};
use relata_artifact::{Metrics, ProbeResult, RunFolder};

use crate::headline::Facts;
use crate::line_chart::{LineChart, MAX_SERIES};
use crate::numbers::{THIN, counted, percent, short};
use crate::scores::{accuracy, gain, in_order, label_share_pct, protocol_title, rank, with_share};
use crate::shell::page;
use crate::{Error, Result, curves};

struct Run {
    name: String,
    facts: Facts,
    metrics: Vec<Metrics>,
    probes: Vec<(String, ProbeResult)>,
}

/// Renders a page that compares runs: a score table and the curves of loss and pair accuracy.
///
/// # Errors
/// [`Error::NoRuns`], a file that is there but cannot be read, or a chart that cannot be drawn.
pub fn render_comparison(runs: &[RunFolder]) -> Result<String> {
    if runs.is_empty() {
        return Err(Error::NoRuns);
    }
    let runs = runs.iter().map(gather).collect::<Result<Vec<_>>>()?;
    let lead = html! {
        p.outcome { (best(&runs)) }
    };
    let sections = [scores(&runs), training(&runs)?];
    let title = format!("{} compared", counted(runs.len() as u64, "run"));
    Ok(page(&title, "Relata comparison", &lead, &sections, env!("CARGO_PKG_VERSION")))
}

fn gather(run: &RunFolder) -> Result<Run> {
    let metrics = run.metrics()?;
    let facts = Facts::gather(&run.config_table()?, run.provenance()?.as_ref(), &metrics);
    Ok(Run { name: run.name(), facts, metrics, probes: in_order(run.probes()?) })
}

/// Scores are comparable only where these agree; in the order of the table.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    rank: usize,
    protocol: String,
    data: String,
    split: String,
    /// Share of the labels in hundredths of a percent; `None` for all.
    share: Option<u64>,
}

impl Column {
    fn of(probe: &ProbeResult) -> Self {
        Self {
            rank: rank(&probe.protocol),
            protocol: probe.protocol.clone(),
            data: probe.data.clone(),
            split: probe.split.clone(),
            share: label_share_pct(probe).map(|pct| (100.0 * pct).round() as u64),
        }
    }

    fn title(&self) -> String {
        with_share(&protocol_title(&self.protocol), self.share.map(|share| share as f64 / 100.0))
    }

    fn find<'a>(&self, run: &'a Run) -> Option<&'a ProbeResult> {
        run.probes.iter().map(|(_, probe)| probe).find(|probe| Self::of(probe) == *self)
    }
}

/// The first column that all probed runs share decides.
fn best(runs: &[Run]) -> String {
    let probed: Vec<_> = runs.iter().filter(|run| !run.probes.is_empty()).collect();
    let columns: BTreeSet<_> = probed.iter().flat_map(|run| &run.probes).map(|(_, probe)| Column::of(probe)).collect();
    if columns.is_empty() {
        return "None of these runs has been probed yet.".to_owned();
    }
    for column in columns {
        let scores: Vec<_> = probed.iter().filter_map(|run| Some((column.find(run)?.accuracy_pct, &run.name))).collect();
        let highest = scores.iter().max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((score, name)) = highest.filter(|_| scores.len() == probed.len()) {
            let title = column.title();
            return format!("{title} on {}: {name} is best with {}.", column.data, percent(*score));
        }
    }
    "These runs share no protocol on the same data, so their scores cannot be ranked.".to_owned()
}

fn scores(runs: &[Run]) -> Markup {
    let probes = runs.iter().flat_map(|run| &run.probes);
    let columns: BTreeSet<_> = probes.map(|(_, probe)| Column::of(probe)).collect();
    html! {
        section #scores {
            h2 { "Scores" }
            div.scroll tabindex="0" role="region" aria-label="Scores of all runs" {
                table.compare {
                    thead {
                        tr {
                            th scope="col" { "Run" }
                            @for column in &columns {
                                th scope="col" { (column.title()) br; span.soft { (column.data) ", " (column.split) } }
                            }
                        }
                    }
                    tbody {
                        @for run in runs {
                            tr {
                                th scope="row" { (run.name) br; span.soft { (what(&run.facts)) } }
                                @for column in &columns {
                                    td { (score(column.find(run))) }
                                }
                            }
                        }
                    }
                }
            }
            @if columns.is_empty() { p.missing { "No run has been probed yet." } }
        }
    }
}

fn score(probe: Option<&ProbeResult>) -> Markup {
    html! {
        @match probe {
            None => span.soft { "not probed" },
            Some(probe) => {
                span.score { (accuracy(probe)) }
                @if let Some((points, baseline)) = probe.gain_points().zip(probe.baseline_random_pct) {
                    br; (gain(points)) " " span.soft { "over " (percent(baseline)) }
                }
            },
        }
    }
}

fn what(facts: &Facts) -> String {
    let mut words = vec![facts.method_title()];
    words.extend(facts.backbone.clone());
    words.extend(facts.dataset.clone());
    words.extend(facts.views.map(|views| format!("K = {views}")));
    words.extend(facts.epochs_words());
    words.join(", ")
}

fn training(runs: &[Run]) -> Result<Markup> {
    // Steps of one run and epochs of another have no common axis.
    let by_epoch = runs.iter().all(|run| curves::has_epochs(&run.metrics));
    let x_label = curves::x_label(by_epoch);
    let lines = |field: &dyn Fn(&Metrics) -> Option<f64>| {
        let shown = runs.iter().take(MAX_SERIES);
        shown.map(|run| curves::series(&run.name, &run.metrics, by_epoch, field)).collect::<Vec<_>>()
    };
    let chart = |title, y_label: fn(f64) -> String, reference, series| LineChart {
        title,
        alt: format!("{title} of {}", counted(runs.len().min(MAX_SERIES) as u64, "run")),
        x_label,
        y_label,
        y_floor: None,
        reference,
        series,
    };
    let loss = chart("Loss", short, None, lines(&|line| line.loss));
    let pairs = lines(&|line| line.pair_acc.map(|share| 100.0 * share));
    let pairs = chart("Pairs told rightly", |v| format!("{v:.0}{THIN}%"), Some((50.0, "guessing")), pairs);
    let mut charts = vec![loss.figure()?, pairs.figure()?];
    let own: BTreeSet<&str> = runs.iter().flat_map(|run| curves::own_figures(&run.metrics)).collect();
    for name in own {
        let factor = if curves::is_share(name) { 100.0 } else { 1.0 };
        let series = lines(&|line| Some(factor * line.extra.get(name)?.as_f64()?));
        charts.push(chart(name, curves::own_label(name), None, series).figure()?);
    }
    Ok(html! {
        section #training {
            h2 { "Training" }
            div.charts.two { @for chart in charts.iter().flatten() { (chart) } }
            @if charts.iter().all(Option::is_none) { p.missing { "No run has metrics yet." } }
            @if runs.len() > MAX_SERIES { p.note { "The first " (MAX_SERIES) " runs are drawn." } }
        }
    })
}
