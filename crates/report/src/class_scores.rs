//! Accuracy class by class, and which classes are taken for which.

use maud::{Markup, html};
use relata_artifact::ProbeResult;

use crate::heat_map::{self, class_name, is_square, total};
use crate::numbers::{count, percent};
use crate::scores::{accuracy, other_score, probe_title};

/// Of more classes than twice this only the best and the worst are shown.
const MAX_BARS_HALF: usize = 12;
const MAX_CONFUSIONS: usize = 12;

/// One fold for each probe that knows its classes, the first of them open; nothing where none does.
pub(crate) fn section(probes: &[(String, ProbeResult)]) -> Markup {
    let detailed: Vec<_> = probes.iter().map(|(_, probe)| probe).filter(|probe| !recalls(probe).is_empty()).collect();
    html! {
        @if !detailed.is_empty() {
            section #classes {
                h2 { "Class by class" }
                @for (place, probe) in detailed.into_iter().enumerate() {
                    details.probe open[place == 0] {
                        summary { (summary(probe)) }
                        div.classes {
                            (bars(probe))
                            @if is_square(probe) { (matrix(probe)) }
                        }
                    }
                }
            }
        }
    }
}

/// Protocol, what was scored, and the figures that belong to the answers as a whole.
fn summary(probe: &ProbeResult) -> Markup {
    let mut facts = vec![accuracy(probe)];
    for name in ["top5_accuracy_pct", "expected_calibration_error_pct"] {
        facts.extend(probe.other_scores.get(name).map(|&value| other_score(name, value)));
    }
    html! {
        strong { (probe_title(probe)) } " on " (probe.data) ", " (probe.split) " split"
        @if !["", "last"].contains(&probe.checkpoint.as_str()) { ", checkpoint " (probe.checkpoint) }
        span.soft { ": " (facts.join(" · ")) }
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
                span.name { (class_name(probe, *class)) }
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
            h3 { "What is taken for what" }
            figure.matrix { (heat_map::figure(probe)) }
            @if probe.confusion.len() > heat_map::MAX_NAMED { (confusions(probe)) }
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
        h3 { "Most frequent confusions" }
        ol.confusions {
            @for (n, truth, answer, row) in all {
                li { (class_name(probe, truth)) " called " (class_name(probe, answer)) ": " (n) " of " (count(row)) }
            }
        }
    }
}
