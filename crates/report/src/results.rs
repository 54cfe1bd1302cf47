//! How results are called, ordered and put into numbers.

use std::collections::BTreeMap;

use maud::{Markup, html};
use relata_artifact::{Difference, ProbeResult};

use crate::numbers::{THIN, percent, short, signed};

/// Results in the order of the pages: first those that the run itself requests, of its last weights; then by the protocol's rank. Results
/// of older versions have no rank: their protocols come in the order in which the run `requested` them, then by name.
pub(crate) fn in_order(mut probes: Vec<(String, ProbeResult)>, requested: &BTreeMap<String, u32>) -> Vec<(String, ProbeResult)> {
    probes.sort_by_cached_key(|(name, probe)| {
        let rank = probe.rank.or_else(|| requested.get(&probe.protocol).copied()).unwrap_or(u32::MAX);
        (!probe.differs.is_empty(), rank, name.clone())
    });
    probes
}

/// The protocol as a reader says it: `Linear probe`; its plain name in results of older versions.
pub(crate) fn protocol_title(probe: &ProbeResult) -> &str {
    probe.title.as_deref().unwrap_or(&probe.protocol)
}

/// The title with the share of the labels that the probe had, where that is not all; with the split, where that is not the test split;
/// and with the settings that are not the run's own: `Linear probe, 1.0 % of the labels`, `Linear probe, validation`,
/// `Linear probe, epochs = 5`.
pub(crate) fn probe_title(probe: &ProbeResult) -> String {
    let title = with_share(protocol_title(probe), label_share_pct(probe));
    let split = (!["", "test"].contains(&probe.split.as_str())).then(|| probe.split.clone());
    [title].into_iter().chain(split).chain(other_settings(probe)).collect::<Vec<_>>().join(", ")
}

/// `Linear probe on shapes, test split`
pub(crate) fn title_on_data(probe: &ProbeResult) -> String {
    let title = with_share(protocol_title(probe), label_share_pct(probe));
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
