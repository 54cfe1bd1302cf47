//! The score table: every score with its lower bound, its protocol and its settings.

use std::collections::BTreeMap;

use maud::{Markup, html};
use relata_artifact::{Difference, ProbeResult};

use crate::numbers::{THIN, count, counted, duration, percent, settings, short, signed};

pub(crate) fn section(probes: &[(String, ProbeResult)]) -> Markup {
    html! {
        section #scores {
            h2 { "Scores" }
            @if probes.is_empty() {
                p.missing {
                    "Not probed yet, so there is no score. A probe freezes the backbone and asks how well its features \
                     tell classes apart."
                }
            } @else {
                (table(probes))
                (legend(probes))
            }
        }
    }
}

/// Probes in the order of telling: first those that the run itself asks for, of its last weights; linear first, kNN second, logistic
/// regression third, the rest by name.
pub(crate) fn in_order(mut probes: Vec<(String, ProbeResult)>) -> Vec<(String, ProbeResult)> {
    probes.sort_by_cached_key(|(name, probe)| (!probe.differs.is_empty(), rank(&probe.protocol), name.clone()));
    probes
}

/// Place of a protocol in that order.
pub(crate) fn rank(protocol: &str) -> usize {
    match protocol {
        "linear" => 0,
        "knn" => 1,
        "logistic" => 2,
        _ => 3,
    }
}

/// `linear` as a reader says it: `Linear probe`.
pub(crate) fn protocol_title(protocol: &str) -> String {
    let known = match protocol {
        "linear" => "Linear probe",
        "knn" => "k nearest neighbours",
        "logistic" => "Logistic regression",
        "kmeans" => "k-means",
        "retrieval" => "Retrieval",
        "finetune" => "Fine-tuning",
        "supervised" => "Supervised",
        other => other,
    };
    known.to_owned()
}

/// The same with the share of the labels that it had, where that is not all, with what it was scored on where that is not the
/// test split, and with the settings that are not the run's own: `Linear probe, 1.0 % of the labels`, `Linear probe, validation`,
/// `Linear probe, epochs = 5`.
pub(crate) fn probe_title(probe: &ProbeResult) -> String {
    let title = with_share(&protocol_title(&probe.protocol), label_share_pct(probe));
    let split = (!["", "test"].contains(&probe.split.as_str())).then(|| probe.split.clone());
    [title].into_iter().chain(split).chain(other_settings(probe)).collect::<Vec<_>>().join(", ")
}

/// `Linear probe on shapes, test split`
pub(crate) fn title_on_data(probe: &ProbeResult) -> String {
    let title = with_share(&protocol_title(&probe.protocol), label_share_pct(probe));
    let of_split = format!("{} split", probe.split);
    [format!("{title} on {}", probe.data), of_split].into_iter().chain(other_settings(probe)).collect::<Vec<_>>().join(", ")
}

/// The settings of a probe that are not the run's own, in words, but for those that are said wherever it is shown: data, split and
/// share of the labels.
pub(crate) fn other_settings(probe: &ProbeResult) -> Option<String> {
    let said = |difference: &&Difference| match difference.key.as_str() {
        "data.dataset" | "data.path" | "probe.label_fraction" => true,
        "data.validation" => difference.value == "0",
        _ => false,
    };
    let words = |difference: &Difference| {
        let Difference { key, value, .. } = difference;
        weights_in_words(difference).unwrap_or_else(|| format!("{} = {value}", key.rsplit('.').next().unwrap_or(key)))
    };
    let all: Vec<String> = probe.differs.iter().filter(|difference| !said(difference)).map(words).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Of a difference that says of which weights a probe is.
pub(crate) fn weights_in_words(Difference { key, value, .. }: &Difference) -> Option<String> {
    match key.as_str() {
        "checkpoint" => Some(format!("checkpoint {value}")),
        "step" => Some(format!("of step {value}")),
        _ => None,
    }
}

pub(crate) fn with_share(title: &str, share_pct: Option<f64>) -> String {
    share_pct.map_or_else(|| title.to_owned(), |share| format!("{title}, {} of the labels", percent(share)))
}

/// Share of the training labels that a probe had; `None` for all.
pub(crate) fn label_share_pct(probe: &ProbeResult) -> Option<f64> {
    probe.settings.get("label_fraction").and_then(serde_json::Value::as_f64).map(|fraction| 100.0 * fraction)
}

/// The gain in words and colour: `+44.1 points`.
pub(crate) fn gain(points: f64) -> Markup {
    let class = if points >= 0.05 {
        "gain up"
    } else if points <= -0.05 {
        "gain down"
    } else {
        "gain"
    };
    html! { span class=(class) { (signed(points)) " points" } }
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
    let trains = ["finetune", "supervised"].contains(&probe.protocol.as_str());
    let mut facts = vec![
        format!("{}, {} split, {}", probe.data, probe.split, counted(probe.test_images as u64, "image")),
        format!("{} {}", if trains { "trained on" } else { "fitted on" }, counted(probe.train_images as u64, "labelled image")),
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
        facts.push(format!("not as the run itself asks for: {}", all.join(", ")));
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

/// `58.8 %`; `58.8 ± 0.3 %` where there are several seeds.
pub(crate) fn accuracy(probe: &ProbeResult) -> String {
    match probe.accuracy_std_points {
        Some(points) => format!("{:.1} ± {points:.1}{THIN}%", probe.accuracy_pct),
        None => percent(probe.accuracy_pct),
    }
}

/// `top5_accuracy_pct` as a reader says it: `top-5 accuracy 88.8 %`.
pub(crate) fn other_score(name: &str, value: f64) -> String {
    let known = match name {
        "top5_accuracy_pct" => "top-5 accuracy",
        "recall_at_1_pct" => "recall at 1",
        "recall_at_5_pct" => "recall at 5",
        "recall_at_10_pct" => "recall at 10",
        "map_pct" => "mean average precision",
        "nmi" => "normalised mutual information",
        "ari" => "adjusted Rand index",
        "train_objective" => "objective on the training images",
        "train_inertia" => "inertia on the training images",
        other => &other.strip_suffix("_pct").unwrap_or(other).replace('_', " "),
    };
    let value = if name.ends_with("_pct") { percent(value) } else { short(value) };
    format!("{known} {value}")
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
    let others =
        [("random weights", probe.baseline_random_pct), ("chance", chance(probe)), ("supervised", probe.baseline_supervised_pct)];
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
                    // Of other images, or another share of the labels, it is another.
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
