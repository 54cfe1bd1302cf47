//! The published figures that a run can be held against, where data set, backbone and method are theirs.
//!
//! Patacchiola & Storkey, *Self-Supervised Relational Reasoning for Representation Learning*, NeurIPS 2020 (arXiv 2006.05849):
//! mean test accuracy over seeds 1, 2, 3; 200 epochs of training (300 on STL-10), then 100 epochs of a linear layer. And the
//! notebook in the authors' repository (commit 70bf129): Conv-4, 4 views, 10 epochs, one run.
//!
//! The figures come from this project's notes on the paper, not from its file; 60.43 and 61.03 (Conv-4, CIFAR-10) and 42.13
//! (ResNet-32, CIFAR-100) were confirmed in issue 2 of the authors' repository.

use maud::{Markup, html};
use relata_artifact::{ProbeResult, RunFolder};

use crate::Result;
use crate::headline::Facts;
use crate::numbers::{count, counted, percent, short};
use crate::scores::{gain, label_share_pct, protocol_title};

/// Trained on, scored on: the columns of the table of linear evaluation, cross-domain and coarse classes behind the first three.
const COLUMNS: [(&str, &str); 6] = [
    ("cifar10", "cifar10"),
    ("cifar100", "cifar100"),
    ("tiny", "tiny"),
    ("cifar10", "cifar100"),
    ("cifar100", "cifar10"),
    ("cifar100", "supercifar100"),
];

/// Backbone, method, percent for each of the first of [`COLUMNS`].
const LINEAR: [(&str, &str, &[f64]); 14] = [
    ("conv4", "supervised", &[80.46, 49.29, 36.47]),
    ("conv4", "random", &[32.92, 10.79, 6.19]),
    ("conv4", "deepcluster", &[42.88, 21.03, 12.60]),
    ("conv4", "rotation", &[56.73, 27.45, 18.40]),
    ("conv4", "deepinfomax", &[44.60, 22.74, 14.19]),
    ("conv4", "simclr", &[60.43, 30.45, 20.90]),
    ("conv4", "relational", &[61.03, 33.38, 22.31]),
    ("resnet32", "supervised", &[90.87, 65.32, 50.09, 33.98, 71.01, 76.35]),
    ("resnet32", "random", &[27.47, 7.65, 3.24, 7.65, 27.47, 16.56]),
    ("resnet32", "deepcluster", &[43.31, 20.44, 11.64, 18.37, 43.39, 29.49]),
    ("resnet32", "rotation", &[62.00, 29.02, 14.73, 27.02, 52.22, 40.45]),
    ("resnet32", "deepinfomax", &[47.13, 24.07, 17.51, 23.73, 45.05, 33.92]),
    ("resnet32", "simclr", &[77.02, 42.13, 25.79, 36.20, 65.59, 51.88]),
    ("resnet32", "relational", &[74.99, 46.17, 30.54, 41.50, 67.81, 52.44]),
];

/// STL-10's unlabelled images on a ResNet-34, fine-tuned with the labels.
const FINETUNED: [(&str, f64); 3] = [("supervised", 69.82), ("simclr", 89.31), ("relational", 89.67)];

/// The notebook's only figure.
const NOTEBOOK_PCT: f64 = 52.33;

/// Training images of the data sets in the tables; STL-10's are its unlabelled ones.
const SIZES: [(&str, u64); 5] =
    [("cifar10", 50_000), ("cifar100", 50_000), ("supercifar100", 50_000), ("tiny", 100_000), ("stl10", 100_000)];

/// Where a figure was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Paper,
    Notebook,
}

/// The paper's linear evaluation, which the notebook's is too: a probe's setting, its value, and how a reader is told.
const LINEAR_SETTINGS: [(&str, f64, &str); 3] = [
    ("epochs", 100.0, "epochs of the probe"),
    ("batch_size", 128.0, "images a step of the probe"),
    ("lr", 1e-3, "learning rate of the probe"),
];

/// A figure beside the budget that it was reached with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Published {
    pub(crate) source: Source,
    pub(crate) score_pct: f64,
    /// The paper's bounds on the same backbone and data; the notebook has none.
    pub(crate) random_pct: Option<f64>,
    pub(crate) supervised_pct: Option<f64>,
    pub(crate) epochs: u64,
    /// Where the method is the paper's own.
    pub(crate) views: Option<u64>,
}

/// The figures for a result of a run; none for what the tables do not have.
pub(crate) fn find(facts: &Facts, probe: &ProbeResult) -> Vec<Published> {
    let (Some(backbone), Some(method), Some(dataset)) = (&facts.backbone, &facts.method, &facts.dataset) else {
        return Vec::new();
    };
    // What was published is of the test split.
    if probe.split != "test" {
        return Vec::new();
    }
    let all_labels = label_share_pct(probe).is_none();
    match probe.protocol.as_str() {
        "linear" if all_labels => linear(backbone, method, dataset, &probe.data, facts),
        "finetune"
            if all_labels && (backbone.as_str(), dataset.as_str(), probe.data.as_str()) == ("resnet34", "stl10", "stl10") =>
        {
            finetuned(method).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The published figure for a result of `run`, percent, where it was reached with the run's own budget; none for other budgets.
///
/// # Errors
/// A file of the run that cannot be read.
pub fn published_pct(run: &RunFolder, probe: &ProbeResult) -> Result<Option<f64>> {
    let facts = Facts::gather(&run.config_table()?, run.provenance()?.as_ref(), &run.metrics()?);
    let same = |found: &Published| found.differences(&facts, probe).is_empty();
    Ok(find(&facts, probe).into_iter().find(same).map(|found| found.score_pct))
}

fn linear(backbone: &str, method: &str, trained_on: &str, scored_on: &str, facts: &Facts) -> Vec<Published> {
    let Some(column) = COLUMNS.iter().position(|&column| column == (trained_on, scored_on)) else {
        return Vec::new();
    };
    let figure = |wanted: &str| {
        let row = LINEAR.iter().find(|(of, method, _)| (*of, *method) == (backbone, wanted))?;
        row.2.get(column).copied()
    };
    let is_relational = method == "relational";
    let views = if (backbone, trained_on) == ("resnet32", "tiny") { 16 } else { 32 };
    let paper = figure(method).map(|score_pct| Published {
        source: Source::Paper,
        score_pct,
        random_pct: figure("random"),
        supervised_pct: figure("supervised"),
        epochs: 200,
        views: is_relational.then_some(views),
    });
    // The notebook is worth a row only to a run of its own budget.
    let same_budget =
        is_relational && backbone == "conv4" && column == 0 && (facts.views, facts.whole_epochs()) == (Some(4), Some(10));
    let notebook = same_budget.then_some(Published {
        source: Source::Notebook,
        score_pct: NOTEBOOK_PCT,
        random_pct: None,
        supervised_pct: None,
        epochs: 10,
        views: Some(4),
    });
    paper.into_iter().chain(notebook).collect()
}

fn finetuned(method: &str) -> Option<Published> {
    let figure = |wanted: &str| FINETUNED.iter().find(|(method, _)| *method == wanted).map(|(_, pct)| *pct);
    Some(Published {
        source: Source::Paper,
        score_pct: figure(method)?,
        random_pct: None,
        supervised_pct: figure("supervised"),
        epochs: 300,
        views: (method == "relational").then_some(25),
    })
}

impl Published {
    /// What the run had other than the published figure; empty for the same budget.
    pub(crate) fn differences(&self, facts: &Facts, probe: &ProbeResult) -> Vec<String> {
        let mut differences = Vec::new();
        let done = facts.whole_epochs();
        // Nothing was trained, there or here.
        if !facts.is_untrained() && done != Some(self.epochs) {
            let here = done.map_or_else(|| "an unknown number".to_owned(), count);
            differences.push(format!("{} there, {here} here", counted(self.epochs, "epoch")));
        }
        if let Some(views) = self.views.filter(|_| facts.views != self.views) {
            let here = facts.views.map_or_else(|| "an unknown number".to_owned(), count);
            differences.push(format!("{} there, {here} here", counted(views, "view")));
        }
        let size = |name: &str| SIZES.iter().find(|(of, _)| *of == name).map(|(_, size)| *size);
        let trained_on = facts.dataset.as_deref().and_then(size).zip(facts.images);
        if let Some((all, images)) = trained_on.filter(|(all, images)| all != images) {
            differences.push(format!("trained on {} of {} images", count(images), count(all)));
        }
        let fitted_on = size(&probe.data).filter(|_| probe.protocol == "linear").zip(Some(probe.train_images as u64));
        if let Some((all, images)) = fitted_on.filter(|(all, images)| all != images) {
            differences.push(format!("probe fitted on {} of {} images", count(images), count(all)));
        }
        for (setting, there, words) in LINEAR_SETTINGS.iter().filter(|_| probe.protocol == "linear") {
            let here = probe.settings.get(*setting).and_then(serde_json::Value::as_f64);
            if let Some(here) = here.filter(|here| here != there) {
                differences.push(format!("{words}: {} there, {} here", short(*there), short(here)));
            }
        }
        differences
    }

    fn source_words(&self) -> &'static str {
        match self.source {
            Source::Paper => "the paper",
            Source::Notebook => "the authors' notebook",
        }
    }
}

/// A result of a run that has published figures.
pub(crate) struct Beside<'a> {
    pub(crate) run: &'a str,
    pub(crate) facts: &'a Facts,
    pub(crate) probe: &'a ProbeResult,
}

/// The section that lays published figures beside the runs'; nothing where none fits.
pub(crate) fn section(results: &[Beside<'_>]) -> Markup {
    let rows: Vec<_> = results
        .iter()
        .flat_map(|result| find(result.facts, result.probe).into_iter().map(move |found| (result, found)))
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    html! {
        section #published {
            h2 { "Beside the published figures" }
            p {
                "Patacchiola & Storkey, " em { "Self-Supervised Relational Reasoning for Representation Learning" }
                ", NeurIPS 2020 (arXiv 2006.05849), mean of three seeds; where it fits, their notebook. Same data set, backbone and "
                "method. " strong { "‡" } " marks a figure that was reached with another budget than the run's, so the two are not like for like."
            }
            div.scroll tabindex="0" role="region" aria-label="Published figures beside those of the runs" {
                table.compare.published {
                    thead {
                        tr {
                            @for title in ["Run", "This run", "Published", "Difference", "Random weights", "Supervised", "Budget"] {
                                th scope="col" { (title) }
                            }
                        }
                    }
                    tbody { @for (result, found) in &rows { (row(result, found)) } }
                }
            }
        }
    }
}

fn row(result: &Beside<'_>, found: &Published) -> Markup {
    let probe = result.probe;
    let differences = found.differences(result.facts, probe);
    html! {
        tr {
            th scope="row" {
                (result.run) br;
                span.soft { (protocol_title(&probe.protocol)) ", " (probe.data) }
            }
            td.score { (percent(probe.accuracy_pct)) }
            td {
                span.score { (percent(found.score_pct)) @if !differences.is_empty() { strong { " ‡" } } }
                br; span.soft { (found.source_words()) }
            }
            td { (gain(probe.accuracy_pct - found.score_pct)) }
            td { (bounds(probe.baseline_random_pct, found.random_pct)) }
            td { (bounds(probe.baseline_supervised_pct, found.supervised_pct)) }
            td.budget { @if differences.is_empty() { "the same" } @else { "‡ " (differences.join("; ")) } }
        }
    }
}

/// A bound as measured here and as published.
fn bounds(here: Option<f64>, there: Option<f64>) -> Markup {
    html! {
        @match here {
            Some(here) => (percent(here)),
            None => span.soft { "not measured" },
        }
        @if let Some(there) = there { br; span.soft { "published " (percent(there)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(backbone: &str, method: &str, dataset: &str, epochs: u64, views: u64) -> Facts {
        Facts {
            method: Some(method.into()),
            backbone: Some(backbone.into()),
            dataset: Some(dataset.into()),
            views: Some(views),
            epochs: Some(epochs),
            ..Facts::default()
        }
    }

    fn probe(protocol: &str, data: &str) -> ProbeResult {
        let (protocol, data, split) = (protocol.into(), data.into(), "test".into());
        ProbeResult { protocol, data, split, train_images: 50_000, ..ProbeResult::default() }
    }

    #[test]
    fn scores_on_held_out_training_images_are_not_held_against_it() {
        let validation = ProbeResult { split: "validation".into(), ..probe("linear", "cifar10") };
        assert_eq!(find(&facts("conv4", "relational", "cifar10", 200, 32), &validation), []);
    }

    #[test]
    fn a_figure_needs_its_data_set_backbone_method_and_protocol() {
        let found = |backbone, method, dataset, protocol, data| {
            find(&facts(backbone, method, dataset, 200, 32), &probe(protocol, data)).first().map(|found| found.score_pct)
        };
        assert_eq!(found("conv4", "relational", "cifar10", "linear", "cifar10"), Some(61.03));
        assert_eq!(found("resnet32", "simclr", "cifar10", "linear", "cifar100"), Some(36.20));
        assert_eq!(found("resnet34", "relational", "stl10", "finetune", "stl10"), Some(89.67));
        assert_eq!(found("conv4", "relational", "cifar10", "linear", "cifar100"), None, "no cross-domain figure for Conv-4");
        assert_eq!(found("conv4", "relational", "cifar10", "knn", "cifar10"), None);
        assert_eq!(found("resnet8", "relational", "cifar10", "linear", "cifar10"), None);
        assert_eq!(found("conv4", "relational", "shapes", "linear", "shapes"), None);
        let few = ProbeResult {
            settings: [("label_fraction".to_owned(), 0.1.into())].into_iter().collect(),
            ..probe("linear", "cifar10")
        };
        assert_eq!(find(&facts("conv4", "relational", "cifar10", 200, 32), &few), []);
    }

    #[test]
    fn the_bounds_are_of_the_same_backbone_and_data() {
        let found = find(&facts("resnet32", "relational", "tiny", 200, 16), &probe("linear", "tiny"));
        assert_eq!((found[0].random_pct, found[0].supervised_pct, found[0].views), (Some(3.24), Some(50.09), Some(16)));
    }

    #[test]
    fn another_budget_is_said() {
        let linear = probe("linear", "cifar10");
        let paper = facts("conv4", "relational", "cifar10", 200, 32);
        assert_eq!(find(&paper, &linear)[0].differences(&paper, &linear), Vec::<String>::new());
        let short = facts("conv4", "simclr", "cifar10", 10, 2);
        assert_eq!(find(&short, &linear)[0].differences(&short, &linear).len(), 1, "views are the paper's own method's");
        let part = Facts { images: Some(2000), ..facts("conv4", "relational", "cifar10", 10, 8) };
        let few = ProbeResult { train_images: 2000, ..linear };
        assert_eq!(find(&part, &few)[0].differences(&part, &few).len(), 4);
    }

    #[test]
    fn a_probe_of_a_part_of_the_images_is_not_the_papers() {
        for (trained_on, scored_on) in COLUMNS {
            let paper = facts("resnet32", "simclr", trained_on, 200, 2);
            let part = ProbeResult { train_images: 20_000, ..probe("linear", scored_on) };
            let differences = find(&paper, &part)[0].differences(&paper, &part);
            assert!(differences.iter().any(|words| words.starts_with("probe fitted on 20,000 of ")), "{scored_on}");
        }
    }

    #[test]
    fn random_weights_have_no_epochs_to_differ_in() {
        let (random, linear) = (facts("conv4", "random", "cifar10", 20, 4), probe("linear", "cifar10"));
        assert_eq!(find(&random, &linear)[0].differences(&random, &linear), Vec::<String>::new());
    }

    #[test]
    fn a_linear_probe_of_another_budget_is_not_the_papers() {
        let paper = facts("conv4", "relational", "cifar10", 200, 32);
        let differences = |settings: serde_json::Value| {
            let probe = ProbeResult { settings: settings.as_object().cloned().unwrap(), ..probe("linear", "cifar10") };
            find(&paper, &probe)[0].differences(&paper, &probe)
        };
        assert_eq!(differences(serde_json::json!({"epochs": 100, "batch_size": 128, "lr": 1e-3})), Vec::<String>::new());
        assert_eq!(differences(serde_json::json!({"epochs": 5, "batch_size": 128})), ["epochs of the probe: 100 there, 5 here"]);
        assert_eq!(differences(serde_json::json!({"batch_size": 64, "lr": 0.01})).len(), 2);
    }

    #[test]
    fn the_notebook_is_for_runs_of_its_budget() {
        let sources = |epochs, views| -> Vec<_> {
            let found = find(&facts("conv4", "relational", "cifar10", epochs, views), &probe("linear", "cifar10"));
            found.iter().map(|found| found.source).collect()
        };
        assert_eq!(sources(10, 4), [Source::Paper, Source::Notebook]);
        assert_eq!(sources(10, 8), [Source::Paper]);
    }
}
