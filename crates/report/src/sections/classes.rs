//! Accuracy class by class, and which classes are confused.

use maud::{Markup, html};
use relata_artifact::ProbeResult;

use crate::charts::heat_map::{self, class_name, is_square, total};
use crate::numbers::{count, percent};
use crate::results::{accuracy, other_score, title_on_data};
use crate::section::Section;

/// Of more classes than twice this only the best and the worst are shown.
const MAX_BARS_HALF: usize = 12;
const MAX_CONFUSIONS: usize = 12;

pub(super) const SECTION: Section = Section {
    anchor: "classes",
    title: "Class by class",
    of_run: |run| Ok(folds(&run.probes)),
    of_comparison: Section::on_no_comparison,
};

/// One fold for each result that knows its classes, the first of them open; `None` where none does.
fn folds(probes: &[(String, ProbeResult)]) -> Option<Markup> {
    let detailed: Vec<_> = probes.iter().map(|(_, probe)| probe).filter(|probe| !recalls(probe).is_empty()).collect();
    let markup = html! {
        @for (place, probe) in detailed.iter().enumerate() {
            details.probe open[place == 0] {
                summary { (summary(probe)) }
                div.classes {
                    (bars(probe))
                    @if is_square(probe) { (matrix(probe)) }
                }
            }
        }
    };
    (!detailed.is_empty()).then_some(markup)
}

/// Protocol, data, and the figures that belong to the predictions as a whole.
fn summary(probe: &ProbeResult) -> Markup {
    let mut facts = vec![accuracy(probe)];
    for name in ["top5_accuracy_pct", "expected_calibration_error_pct"] {
        facts.extend(probe.other_scores.get(name).map(|&value| other_score(name, value)));
    }
    html! {
        strong { (title_on_data(probe)) }
        span.soft { ": " (facts.join(" · ")) }
    }
}

/// Recall by class in percent, from the result itself or from its confusion matrix; a class of which no image was scored has none.
fn recalls(probe: &ProbeResult) -> Vec<(usize, f64)> {
    let recall = |(class, row): (usize, &Vec<u32>)| 100.0 * f64::from(row[class]) / total(row).max(1) as f64;
    let all = if !probe.per_class_accuracy_pct.is_empty() || !is_square(probe) {
        probe.per_class_accuracy_pct.clone()
    } else {
        probe.confusion.iter().enumerate().map(recall).collect()
    };
    let was_scored = |class: usize| probe.confusion.get(class).is_none_or(|row| total(row) > 0);
    all.into_iter().enumerate().filter(|&(class, _)| was_scored(class)).collect()
}

fn bars(probe: &ProbeResult) -> Markup {
    let mut recalls = recalls(probe);
    let without_images = probe.confusion.len().saturating_sub(recalls.len());
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
            h3 { "Predicted correctly, by class" }
            ol.bars {
                @for entry in best { (item(entry)) }
                @if hidden > 0 { li.gap { (count(hidden as u64)) " classes between" } }
                @for entry in worst { (item(entry)) }
            }
            @if without_images > 0 {
                p.note { "Without an image here, so not listed: " (without_images) " of " (probe.confusion.len()) " classes." }
            }
        }
    }
}

fn matrix(probe: &ProbeResult) -> Markup {
    html! {
        div {
            h3 { "Confusion matrix" }
            figure.matrix { (heat_map::figure(probe)) }
            @if probe.confusion.len() > heat_map::MAX_NAMED { (confusions(probe)) }
        }
    }
}

fn confusions(probe: &ProbeResult) -> Markup {
    let mut all = Vec::new();
    for (truth, row) in probe.confusion.iter().enumerate() {
        let wrong = row.iter().enumerate().filter(|&(predicted, &n)| predicted != truth && n > 0);
        all.extend(wrong.map(|(predicted, &n)| (n, truth, predicted, total(row))));
    }
    all.sort_by_key(|&(n, truth, predicted, _)| (std::cmp::Reverse(n), truth, predicted));
    all.truncate(MAX_CONFUSIONS);
    html! {
        h3 { "Most frequent confusions" (heat_map::over_seeds(probe)) }
        ol.confusions {
            @for (n, truth, predicted, row) in all {
                li { (class_name(probe, truth)) " predicted as " (class_name(probe, predicted)) ": " (n) " of " (count(row)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(probe: ProbeResult) -> String {
        folds(&[("linear".to_owned(), probe)]).unwrap().into_string().replace(['\u{202f}', '\u{a0}'], " ")
    }

    #[test]
    fn a_class_without_images_is_not_among_the_worst() {
        let probe = |per_class_accuracy_pct| ProbeResult {
            class_names: ["ring", "star", "ghost"].map(str::to_owned).into(),
            confusion: vec![vec![3, 1, 0], vec![2, 0, 2], vec![0, 0, 0]],
            per_class_accuracy_pct,
            ..ProbeResult::default()
        };
        for page in [page(probe(vec![75.0, 0.0, 0.0])), page(probe(Vec::new()))] {
            let bars = page.split("</ol>").next().unwrap();
            assert!(bars.contains("star") && !bars.contains("ghost"), "{bars}");
            assert!(page.contains("Without an image here, so not listed: 1 of 3 classes."));
        }
        let whole = ProbeResult { confusion: vec![vec![1, 0], vec![0, 1]], ..ProbeResult::default() };
        assert!(!self::page(whole).contains("not listed"));
    }

    #[test]
    fn confusions_of_several_seeds_are_called_a_sum() {
        let classes = heat_map::MAX_NAMED + 1;
        let row = |truth| (0..classes).map(|predicted| if predicted == truth { 2 } else { u32::from(predicted == 0) }).collect();
        let probe = ProbeResult { confusion: (0..classes).map(row).collect(), ..ProbeResult::default() };
        assert!(page(probe.clone()).contains("Most frequent confusions</h3>"));
        let seeds = ProbeResult { accuracy_by_seed_pct: vec![60.0, 70.0, 80.0], ..probe };
        assert!(page(seeds).contains("Most frequent confusions over 3 seeds</h3>"));
    }
}
