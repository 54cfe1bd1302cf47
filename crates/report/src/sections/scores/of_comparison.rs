//! The table of several runs' scores, a column for each protocol and data set, and a mean over runs that differ in their seed alone.

use maud::{Markup, html};
use relata_artifact::{ProbeResult, mean_and_deviation};

use super::column::{Column, columns};
use crate::numbers::{THIN, counted, duration, percent};
use crate::results::{accuracy, gain};
use crate::run::Run;

pub(super) fn body(runs: &[Run]) -> Markup {
    let columns = columns(runs);
    let differ = columns.iter().any(|column| column.settings_differ(runs));
    html! {
        @if columns.is_empty() {
            p.missing { "No run has been probed yet." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Scores of all runs" { (table(runs, &columns)) }
            p.note {
                "± is a standard deviation over seeds. Random: the same backbone untrained, by the same protocol, the lower bound. "
                "Supervised: the same backbone trained with the labels, the upper bound."
                @if differ {
                    " ‡ The runs of this column were not scored with the same settings or on as many images; their own pages list the "
                    "settings."
                }
            }
        }
    }
}

/// One column a protocol and data set.
fn table(runs: &[Run], columns: &[Column]) -> Markup {
    html! {
        table.compare {
            thead {
                tr {
                    th scope="col" { "Run" }
                    @for column in columns {
                        th scope="col" {
                            (column.title()) br;
                            span.soft {
                                (column.data()) ", " (column.split())
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
                        @for column in columns { td { (score(column.find(run))) } }
                    }
                }
                @for group in &groups_by_seed(runs) {
                    tr.mean {
                        th scope="row" {
                            "Mean of " (counted(group.len() as u64, "seed")) br;
                            span.soft { (group.iter().map(|run| run.name.as_str()).collect::<Vec<_>>().join(", ")) }
                        }
                        @for column in columns { td { (mean(column, group)) } }
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
            group[0].settings_but_seed() == run.settings_but_seed()
                && group.iter().all(|other| other.seed().is_some() && other.seed() != run.seed())
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
