//! The table of a run's scores: each with its lower bound, its protocol and its settings.

use std::collections::BTreeMap;

use maud::{Markup, html};
use relata_artifact::{BackboneUse, Difference, ProbeResult};

use crate::numbers::{count, counted, duration, percent, settings};
use crate::results::{accuracy, gain, other_score, probe_title};
use crate::run::Run;

pub(super) fn body(run: &Run) -> Markup {
    html! {
        @if run.probes.is_empty() {
            p.missing {
                "Not probed yet, so there is no score. A probe freezes the backbone and measures how well its features \
                 separate the classes."
            }
        } @else {
            (table(&run.probes))
            (legend(&run.probes))
        }
    }
}

fn table(probes: &[(String, ProbeResult)]) -> Markup {
    html! {
        table.scores {
            thead {
                tr {
                    th scope="col" { "Probe" }
                    th scope="col" { "Accuracy" }
                    th scope="col" { "Random weights" }
                    th scope="col" { "Difference" }
                    th.wide scope="col" { span.scale aria-hidden="true" { span { "0" } span { "50" } span { "100 %" } } }
                }
            }
            @for (name, probe) in probes { (rows(name, probe)) }
        }
    }
}

fn rows(name: &str, probe: &ProbeResult) -> Markup {
    html! {
        tbody {
            tr {
                th scope="row" { (probe_title(probe)) }
                td.score data-label="Accuracy" { (accuracy(probe)) }
                td data-label="Random weights" {
                    @match probe.baseline_random_pct {
                        Some(baseline) => (percent(baseline)),
                        None => span.soft { "not measured" },
                    }
                }
                td data-label="Difference" {
                    @match probe.gain_points() {
                        Some(points) => (gain(points)),
                        None => span.soft { "unknown" },
                    }
                }
                td.wide { (track(probe)) }
            }
            tr.protocol { td colspan="5" { (protocol(name, probe)) } }
        }
    }
}

fn protocol(name: &str, probe: &ProbeResult) -> Markup {
    let used = match probe.backbone {
        Some(BackboneUse::Frozen) => "fitted on",
        Some(_) => "trained on",
        None => "with",
    };
    let mut facts = vec![
        format!("{}, {} split, {}", probe.data, probe.split, counted(probe.test_images as u64, "image")),
        format!("{used} {}", counted(probe.train_images as u64, "labelled image")),
    ];
    if probe.accuracy_std_points.is_some() {
        let each: Vec<_> = probe.accuracy_by_seed_pct.iter().map(|&accuracy| percent(accuracy)).collect();
        facts.push(format!("mean and standard deviation over {}: {}", counted(each.len() as u64, "seed"), each.join(", ")));
    }
    if !probe.settings.is_empty() {
        facts.push(settings(&probe.settings));
    }
    if !probe.checkpoint.is_empty() {
        facts.push(format!("checkpoint {}", probe.checkpoint));
    }
    if probe.seconds > 0.0 {
        facts.push(duration(probe.seconds));
    }
    if !probe.differs.is_empty() {
        let all: Vec<String> = probe.differs.iter().map(Difference::to_string).collect();
        facts.push(format!("not the run's own settings: {}", all.join(", ")));
    }
    html! {
        (facts.join("; ")) "; "
        span.file { "probes/" (name) ".json" }
        @for (name, value) in by_number(&probe.other_scores) { br; (other_score(name, value)) }
        @for note in &probe.notes { br; strong { (note) } }
    }
}

/// By name, numbers in names by their size: recall at 5 before recall at 10.
fn by_number(scores: &BTreeMap<String, f64>) -> Vec<(&str, f64)> {
    let key = |name: &str| {
        let digits = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
        let number: String = name[digits..].chars().take_while(char::is_ascii_digit).collect();
        (name[..digits].to_owned(), number.parse::<u64>().unwrap_or(0))
    };
    let mut scores: Vec<_> = scores.iter().map(|(name, &value)| (name.as_str(), value)).collect();
    scores.sort_by_key(|(name, _)| key(name));
    scores
}

/// A line from 0 to 100 % with marks for chance, random weights, this run and supervised training.
fn track(probe: &ProbeResult) -> Markup {
    let clamp = |value: f64| {
        if value.is_finite() { value.clamp(0.0, 100.0) } else { 0.0 }
    };
    let score = clamp(probe.accuracy_pct);
    let left = |value: f64| format!("left:{:.2}%", clamp(value));
    html! {
        div.track role="img" aria-label=(track_words(probe)) {
            @if let Some(baseline) = probe.baseline_random_pct {
                @let baseline = clamp(baseline);
                span.span style=(format!("left:{:.2}%;width:{:.2}%", baseline.min(score), (score - baseline).abs())) {}
                span.mark.random style=(left(baseline)) {}
            }
            @if let Some(chance) = chance(probe) { span.mark.chance style=(left(chance)) {} }
            @if let Some(bound) = probe.baseline_supervised_pct { span.mark.supervised style=(left(bound)) {} }
            span.mark.run style=(left(score)) {}
        }
    }
}

fn track_words(probe: &ProbeResult) -> String {
    let mut words = format!("this run {}", percent(probe.accuracy_pct));
    let others = [
        ("random weights", probe.baseline_random_pct),
        ("chance", chance(probe)),
        ("trained with labels", probe.baseline_supervised_pct),
    ];
    for (name, value) in others {
        if let Some(value) = value {
            words.push_str(&format!(", {name} {}", percent(value)));
        }
    }
    words
}

fn chance(probe: &ProbeResult) -> Option<f64> {
    (probe.classes > 0).then(|| 100.0 / probe.classes as f64)
}

fn legend(probes: &[(String, ProbeResult)]) -> Markup {
    let any = |has: fn(&ProbeResult) -> bool| probes.iter().any(|(_, probe)| has(probe));
    let supervised: Vec<f64> = probes.iter().filter_map(|(_, probe)| probe.baseline_supervised_pct).collect();
    html! {
        ul.legend.bounds {
            li { span.key.run {} "this run" }
            @if any(|probe| probe.baseline_random_pct.is_some()) {
                li { span.key.random {} "random weights, the lower bound: the same backbone untrained, the same protocol" }
            }
            @if any(|probe| probe.classes > 0) {
                @let classes: Vec<_> = probes.iter().map(|(_, probe)| probe.classes).collect();
                li {
                    span.key.chance {} "chance"
                    @if classes.windows(2).all(|pair| pair[0] == pair[1]) {
                        ", " (percent(100.0 / classes[0] as f64)) " with " (count(classes[0] as u64)) " classes"
                    }
                }
            }
            @if let Some(bound) = supervised.first() {
                li {
                    span.key.supervised {} "trained with labels, the upper bound"
                    // The bound differs with the images and with the share of the labels.
                    @if supervised.iter().all(|other| other == bound) { ": " (percent(*bound)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_stand_in_the_order_of_their_numbers() {
        let names = ["recall_at_10_pct", "map_pct", "recall_at_1_pct", "recall_at_5_pct", "nmi"];
        let scores: BTreeMap<String, f64> = names.iter().map(|name| ((*name).to_owned(), 1.0)).collect();
        let order: Vec<&str> = by_number(&scores).into_iter().map(|(name, _)| name).collect();
        assert_eq!(order, ["map_pct", "nmi", "recall_at_1_pct", "recall_at_5_pct", "recall_at_10_pct"]);
    }
}
