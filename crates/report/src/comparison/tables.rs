//! The tables of a comparison: what each run was, and what it reached.

use maud::{Markup, html};
use relata_artifact::{ProbeResult, mean_and_deviation};

use super::{Column, Run, columns};
use crate::numbers::{THIN, count, counted, duration, percent};
use crate::scores::{accuracy, gain};

const UNKNOWN: &str = "–";

/// One row a run.
pub(super) fn settings(runs: &[Run]) -> Markup {
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| UNKNOWN.to_owned());
    html! {
        section #runs {
            h2 { "Runs" }
            div.scroll tabindex="0" role="region" aria-label="Settings of all runs" {
                table.compare {
                    thead {
                        tr {
                            @for title in ["Run", "Data", "Backbone", "Method", "Views", "Epochs", "Seed", "Training time"] {
                                th scope="col" { (title) }
                            }
                        }
                    }
                    tbody {
                        @for run in runs {
                            @let facts = &run.facts;
                            tr {
                                th scope="row" { (run.name) }
                                td {
                                    (or_unknown(facts.dataset.clone()))
                                    @if let Some(images) = facts.images { br; span.soft { (counted(images, "image")) } }
                                }
                                td { (or_unknown(facts.backbone.clone())) }
                                td { (facts.method_title()) }
                                td { (or_unknown(facts.views.map(count))) }
                                td { (or_unknown(epochs(run))) }
                                td { (or_unknown(run.seed.map(|seed| seed.to_string()))) }
                                td { (or_unknown(training_time(run))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `20`, or `12 of 20`
fn epochs(run: &Run) -> Option<String> {
    if run.facts.is_untrained() {
        return Some("none".to_owned());
    }
    let planned = run.facts.epochs.map(count);
    match (run.facts.epochs_done, run.facts.epochs) {
        (Some(done), Some(all)) if done < all as f64 => {
            let done = if done == done.floor() { format!("{done}") } else { format!("{done:.1}") };
            Some(format!("{done} of {all}"))
        }
        // More than is planned, where the plan was shortened.
        (Some(done), _) => Some(format!("{done:.0}")),
        (None, _) => planned,
    }
}

/// As the metrics say it; else about, from the views that were trained on and how many of them a second.
fn training_time(run: &Run) -> Option<String> {
    if let Some(seconds) = run.metrics.last().and_then(|line| line.elapsed_s) {
        return Some(duration(seconds));
    }
    // How many views an image has in other methods, the settings do not tell.
    let views = run.facts.views.filter(|_| run.facts.is_relational())? * run.facts.images?;
    let (mut seconds, mut before) = (0.0, 0.0);
    for line in &run.metrics {
        let epoch = line.epoch?;
        seconds += (epoch - before) * views as f64 / line.views_per_s.filter(|speed| *speed > 0.0)?;
        before = epoch;
    }
    (seconds > 0.0).then(|| format!("about {}", duration(seconds)))
}

/// One column a protocol and data set.
pub(super) fn scores(runs: &[Run]) -> Markup {
    let columns = columns(runs);
    let groups = groups_by_seed(runs);
    html! {
        section #scores {
            h2 { "Scores" }
            @if columns.is_empty() {
                p.missing { "No run has been probed yet." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Scores of all runs" {
                    table.compare {
                        thead {
                            tr {
                                th scope="col" { "Run" }
                                @for column in &columns {
                                    th scope="col" {
                                        (column.title()) br;
                                        span.soft {
                                            (column.data) ", " (column.split)
                                            @if column.settings_differ(runs) { br; "‡ settings differ" }
                                        }
                                    }
                                }
                            }
                        }
                        tbody {
                            @for run in runs {
                                tr {
                                    th scope="row" { (run.name) }
                                    @for column in &columns { td { (score(column.find(run))) } }
                                }
                            }
                            @for group in &groups {
                                tr.mean {
                                    th scope="row" {
                                        "Mean of " (counted(group.len() as u64, "seed")) br;
                                        span.soft { (group.iter().map(|run| run.name.as_str()).collect::<Vec<_>>().join(", ")) }
                                    }
                                    @for column in &columns { td { (mean(column, group)) } }
                                }
                            }
                        }
                    }
                }
                p.note {
                    "± is a standard deviation over seeds. Random: the same backbone untrained, by the same protocol, the lower bound. "
                    "Supervised: the same backbone trained with the labels, the upper bound."
                    @if columns.iter().any(|column| column.settings_differ(runs)) {
                        " ‡ The runs of this column were not scored by the same settings or on as many images; their own pages say by which."
                    }
                }
            }
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
                    br; (gain(points)) br; span.soft { "random " (percent(baseline)) }
                }
                @if let Some(bound) = probe.baseline_supervised_pct { br; span.soft { "supervised " (percent(bound)) } }
                @if probe.seconds > 0.0 { br; span.soft { "took " (duration(probe.seconds)) } }
            },
        }
    }
}

/// Runs that differ in their seed alone, two or more each, in the order of the runs.
fn groups_by_seed(runs: &[Run]) -> Vec<Vec<&Run>> {
    let mut groups: Vec<Vec<&Run>> = Vec::new();
    for run in runs {
        let same = |group: &&mut Vec<&Run>| {
            group[0].settings == run.settings && group.iter().all(|other| other.seed.is_some() && other.seed != run.seed)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// Mean and sample standard deviation of the runs' scores, where all of them have one.
fn mean(column: &Column, group: &[&Run]) -> Markup {
    let scores: Vec<f64> = group.iter().filter_map(|run| column.find(run)).map(|probe| probe.accuracy_pct).collect();
    if scores.len() < group.len() {
        return html! { span.soft { "not all probed" } };
    }
    let (mean, deviation) = mean_and_deviation(&scores);
    let deviation = deviation.map_or_else(String::new, |points| format!(" ± {points:.1}"));
    html! { span.score { (format!("{mean:.1}{deviation}{THIN}%")) } }
}
