//! Accuracy class by class, and which classes are taken for which.

use maud::{Markup, html};
use relata_artifact::ProbeResult;

use crate::numbers::{count, percent};
use crate::scores::probe_title;

/// A larger matrix would not be readable; the most frequent confusions are listed instead.
const MAX_MATRIX: usize = 20;
/// Of more classes than twice this only the best and the worst are shown.
const MAX_BARS_HALF: usize = 12;
const MAX_CONFUSIONS: usize = 12;

/// The section for the first probe that has such scores; nothing where none has.
pub(crate) fn section(probes: &[(String, ProbeResult)]) -> Markup {
    let detailed = |probe: &&ProbeResult| !recalls(probe).is_empty();
    let Some(probe) = probes.iter().map(|(_, probe)| probe).find(detailed) else {
        return html! {};
    };
    html! {
        section #classes {
            h2 { "Class by class" }
            p { (probe_title(probe)) " on " (probe.data) ", " (probe.split) " split." }
            div.classes {
                (bars(probe))
                @if is_square(probe) {
                    @if probe.confusion.len() <= MAX_MATRIX { (matrix(probe)) } @else { (confusions(probe)) }
                }
            }
        }
    }
}

/// Recall by class in percent, from the result itself or from its confusion matrix.
fn recalls(probe: &ProbeResult) -> Vec<f64> {
    if !probe.per_class_accuracy_pct.is_empty() || !is_square(probe) {
        return probe.per_class_accuracy_pct.clone();
    }
    let recall = |(class, row): (usize, &Vec<u32>)| 100.0 * f64::from(row[class]) / total(row).max(1) as f64;
    probe.confusion.iter().enumerate().map(recall).collect()
}

fn is_square(probe: &ProbeResult) -> bool {
    !probe.confusion.is_empty() && probe.confusion.iter().all(|row| row.len() == probe.confusion.len())
}

fn total(row: &[u32]) -> u64 {
    row.iter().map(|&n| u64::from(n)).sum()
}

fn name(probe: &ProbeResult, class: usize) -> String {
    probe.class_names.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
}

fn bars(probe: &ProbeResult) -> Markup {
    let mut recalls: Vec<_> = recalls(probe).into_iter().enumerate().collect();
    recalls.sort_by(|a, b| b.1.total_cmp(&a.1));
    let hidden = recalls.len().saturating_sub(2 * MAX_BARS_HALF);
    let (best, worst) = if hidden > 0 {
        (&recalls[..MAX_BARS_HALF], &recalls[recalls.len() - MAX_BARS_HALF..])
    } else {
        (&recalls[..], &recalls[..0])
    };
    let item = |(class, recall): &(usize, f64)| {
        html! {
            li {
                span.name { (name(probe, *class)) }
                span.bar aria-hidden="true" { span style=(format!("width:{:.1}%", recall.clamp(0.0, 100.0))) {} }
                span.value { (percent(*recall)) }
            }
        }
    };
    html! {
        div {
            h3 { "Rightly told, by class" }
            ol.bars {
                @for entry in best { (item(entry)) }
                @if hidden > 0 { li.gap { (count(hidden as u64)) " classes between" } }
                @for entry in worst { (item(entry)) }
            }
        }
    }
}

fn matrix(probe: &ProbeResult) -> Markup {
    html! {
        div {
            h3 #confusion-title { "What is taken for what" }
            div.scroll tabindex="0" role="region" aria-labelledby="confusion-title" {
                table.confusion {
                    caption { "Rows: true class. Columns: the probe's answer. Share of the row in percent." }
                    thead {
                        tr {
                            td {}
                            @for class in 0..probe.confusion.len() { th scope="col" { span { (name(probe, class)) } } }
                        }
                    }
                    tbody {
                        @for (truth, row) in probe.confusion.iter().enumerate() {
                            tr {
                                th scope="row" { (name(probe, truth)) }
                                @for (answer, &n) in row.iter().enumerate() { (cell(probe, row, truth, answer, n)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(probe: &ProbeResult, row: &[u32], truth: usize, answer: usize, n: u32) -> Markup {
    let all = total(row);
    let share = 100.0 * f64::from(n) / all.max(1) as f64;
    let kind = if truth == answer { "right" } else { "wrong" };
    let title = format!("{} called {}: {n} of {all}", name(probe, truth), name(probe, answer));
    html! {
        td class=(kind) style=(format!("--share:{share:.0}%")) title=(title) {
            @if n > 0 { @if share < 1.0 { "·" } @else { (format!("{share:.0}")) } }
        }
    }
}

fn confusions(probe: &ProbeResult) -> Markup {
    let mut all = Vec::new();
    for (truth, row) in probe.confusion.iter().enumerate() {
        let wrong = row.iter().enumerate().filter(|&(answer, &n)| answer != truth && n > 0);
        all.extend(wrong.map(|(answer, &n)| (n, truth, answer, total(row))));
    }
    all.sort_by_key(|&(n, truth, answer, _)| (std::cmp::Reverse(n), truth, answer));
    all.truncate(MAX_CONFUSIONS);
    html! {
        div {
            h3 { "Most frequent confusions" }
            ol.confusions {
                @for (n, truth, answer, row) in all {
                    li { (name(probe, truth)) " called " (name(probe, answer)) ": " (n) " of " (count(row)) }
                }
            }
        }
    }
}
