use relata_artifact::{
    FeatureHealth, FeatureSample, Metrics, Neighbour, NeighbourRow, Neighbours, ProbeResult, Provenance, ViewGrid,
};
use serde_json::json;

use super::*;
use crate::render_comparison;

const CONFIG: &str = "[data]\ndataset = \"shapes\"\n[method]\nkind = \"relational\"\n[model]\nbackbone = \"conv4\"\n";

pub(crate) fn empty_run(parent: &tempfile::TempDir, name: &str) -> RunFolder {
    let run = RunFolder::create(parent.path().join(name), false).unwrap();
    run.write_config(CONFIG).unwrap();
    run
}

pub(crate) fn full_run(parent: &tempfile::TempDir, name: &str, text: &str) -> RunFolder {
    let run = empty_run(parent, name);
    let mut metrics = run.metrics_writer().unwrap();
    for step in 1..=400 {
        let line = Metrics {
            step,
            epoch: Some(step as f64 / 100.0),
            loss: Some(1.0 / step as f64),
            views_per_s: Some(3000.0),
            extra: [("pair_acc".to_owned(), json!(0.75))].into_iter().collect(),
            ..Metrics::default()
        };
        metrics.append(&line).unwrap();
    }
    run.write_provenance(&Provenance { command: text.to_owned(), version: "0.1.0".into(), ..Provenance::default() }).unwrap();
    let linear = ProbeResult {
        protocol: "linear".into(),
        data: text.to_owned(),
        split: "test".into(),
        accuracy_pct: 58.8,
        baseline_random_pct: Some(14.7),
        classes: 2,
        settings: [("note".to_owned(), json!(text))].into_iter().collect(),
        class_names: vec![text.to_owned(), "ring".into()],
        confusion: vec![vec![3, 1], vec![0, 4]],
        ..ProbeResult::default()
    };
    run.write_probe("linear", &linear).unwrap();
    run.write_probe("knn", &ProbeResult { protocol: "knn".into(), accuracy_pct: 13.0, ..linear }).unwrap();
    let grid = ViewGrid { rows: 1, columns: 2, captions: vec![text.to_owned(), "b".into()], augmentation: text.to_owned() };
    run.write_views(&grid, b"not really a PNG").unwrap();
    let features = (0..200).map(|index| (index as f32 * 0.7).sin()).collect();
    let labels = (0..50).map(|row| row % 2).collect();
    let sample =
        FeatureSample { features, dim: 4, labels, class_names: vec![text.to_owned(), "ring".into()], split: "test".into() };
    run.write_feature_sample(&sample).unwrap();
    let found = vec![Neighbour { image: text.to_owned(), class: Some("ring".into()), similarity: 0.5 }];
    let row = NeighbourRow { image: text.to_owned(), class: Some(text.to_owned()), found };
    let neighbours = Neighbours { tile_px: 8, columns: 2, asked: text.to_owned(), searched: text.to_owned(), rows: vec![row] };
    run.write_neighbours(&neighbours, b"not really a PNG").unwrap();
    run
}

/// Names of the elements that are still open at the end of a page; panics where one closes another.
pub(crate) fn unclosed(page: &str) -> Vec<&str> {
    let void = ["meta", "br", "img", "!DOCTYPE"];
    let mut open = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
        } else if !void.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    open
}

#[test]
fn a_fresh_run_says_in_words_what_is_missing() {
    let parent = tempfile::tempdir().unwrap();
    let page = render_run(&empty_run(&parent, "fresh")).unwrap();
    assert_eq!(page.matches(r#"class="missing""#).count(), 5, "scores, metrics, views, features, provenance");
    assert!(unclosed(&page).is_empty());
}

#[test]
fn a_full_run_misses_nothing_and_states_its_gain() {
    let parent = tempfile::tempdir().unwrap();
    let page = render_run(&full_run(&parent, "full", "shapes")).unwrap();
    assert_eq!(page.matches(r#"class="missing""#).count(), 0);
    assert!(page.contains("+44.1 points"), "linear against random weights");
    assert!(page.contains("−1.7 points"), "kNN below random weights is shown as a loss");
    assert_eq!(page.matches("<figure class=\"chart\"").count(), 3);
    assert!(unclosed(&page).is_empty());
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let parent = tempfile::tempdir().unwrap();
    let page = render_run(&full_run(&parent, "full", "shapes")).unwrap();
    for outside in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn text_from_a_run_folder_is_escaped_everywhere() {
    let parent = tempfile::tempdir().unwrap();
    let hostile = "<img src=x onerror=alert(1)>\"'&";
    let run = full_run(&parent, "<b>bold & \"quoted\"", hostile);
    for page in [render_run(&run).unwrap(), render_comparison(&[run]).unwrap()] {
        assert!(!page.contains("<img src=x"));
        assert!(!page.contains("<b>"));
        assert!(page.contains("&lt;b&gt;bold &amp;"));
        assert!(unclosed(&page).is_empty());
    }
}

#[test]
fn the_same_run_gives_the_same_page() {
    let parent = tempfile::tempdir().unwrap();
    let run = full_run(&parent, "full", "shapes");
    let first = write_report(&run).unwrap();
    let written = std::fs::read_to_string(first).unwrap();
    assert!(written == render_run(&run).unwrap());
}

#[test]
fn metrics_that_are_not_finite_or_single_do_no_harm() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "short");
    let mut metrics = run.metrics_writer().unwrap();
    metrics.append(&Metrics { step: 1, loss: Some(f64::NAN), ..Metrics::default() }).unwrap();
    assert!(unclosed(&render_run(&run).unwrap()).is_empty());
    metrics
        .append(&Metrics {
            step: 2,
            loss: Some(0.5),
            extra: [("pair_acc".to_owned(), json!(0.5))].into_iter().collect(),
            ..Metrics::default()
        })
        .unwrap();
    assert!(unclosed(&render_run(&run).unwrap()).is_empty());
}

#[test]
fn figures_of_any_method_are_drawn_under_their_names() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "other");
    let mut metrics = run.metrics_writer().unwrap();
    for step in 1..=3 {
        let extra =
            [("puzzle_acc".to_owned(), json!(0.625)), ("entropy".to_owned(), json!(1.5)), ("kind".to_owned(), json!("x"))];
        metrics.append(&Metrics { step, loss: Some(0.5), extra: extra.into_iter().collect(), ..Metrics::default() }).unwrap();
    }
    for page in [render_run(&run).unwrap(), render_comparison(&[run.clone(), empty_run(&parent, "empty")]).unwrap()] {
        assert!(unclosed(&page).is_empty());
        assert!(page.contains("puzzle_acc") && page.contains("entropy") && !page.contains("<figcaption>kind"), "{page}");
    }
    assert!(render_run(&run).unwrap().contains("At the end puzzle_acc is 62.5"));
}

#[test]
fn a_run_without_training_is_not_said_to_be_unfinished() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "random");
    run.write_config(&CONFIG.replace("relational", "random")).unwrap();
    let page = render_run(&run).unwrap();
    assert!(page.contains("None, by intention") && page.contains("random weights"));
    assert!(!page.contains("Not trained yet") && !page.contains("has not finished"));
}

#[test]
fn a_method_from_elsewhere_is_called_as_its_checkpoint_calls_it() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "elsewhere");
    run.write_config("[data]\ndataset = \"shapes\"\n").unwrap();
    let mut metrics = run.metrics_writer().unwrap();
    metrics.append(&Metrics { step: 64, epoch: Some(8.0), loss: Some(0.5), ..Metrics::default() }).unwrap();
    let deed = |run: &RunFolder| {
        let page = render_run(run).unwrap().replace('\u{a0}', " ");
        page.split("<p class=\"deed\">").nth(1).unwrap().split("</p>").next().unwrap().to_owned()
    };
    assert_eq!(deed(&run), "Training: unlabelled images of shapes, 8 epochs.", "no checkpoint yet");
    let metadata = [("train.head", "vicreg"), ("train.architecture", "conv4")];
    let metadata = metadata.map(|(key, name)| (key.to_owned(), name.to_owned())).into();
    run.save_checkpoint("last", &[], &metadata).unwrap();
    assert_eq!(deed(&run), "vicreg on a conv4 backbone: unlabelled images of shapes, 8 epochs.");
    let page = render_comparison(std::slice::from_ref(&run)).unwrap();
    assert!(page.contains("<td>vicreg</td>") && page.contains("<td>conv4</td>"));
    // What the configuration says is said.
    run.write_config(CONFIG).unwrap();
    assert_eq!(deed(&run), "Relational reasoning on a conv4 backbone: unlabelled images of shapes, 8 epochs.");
}

#[test]
fn further_figures_and_notes_stand_beside_the_score() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "noted");
    let scores = [("map_pct", 56.78), ("nmi", 0.25), ("expected_calibration_error_pct", 2.0), ("of_tomorrow", 3.0)];
    let probe = ProbeResult {
        protocol: "retrieval".into(),
        other_scores: scores.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
        notes: vec!["3 of 5 <queries>".into()],
        accuracy_pct: 20.0,
        accuracy_std_points: Some(2.0),
        accuracy_by_seed_pct: vec![18.0, 20.0, 22.0],
        ..ProbeResult::default()
    };
    run.write_probe("retrieval", &probe).unwrap();
    let page = render_run(&run).unwrap().replace(['\u{202f}', '\u{a0}'], " ");
    for words in [
        "20.0 ± 2.0 %",
        "mean and standard deviation over 3 seeds: 18.0 %, 20.0 %, 22.0 %",
        "mean average precision 56.8 %",
        "normalised mutual information 0.25",
        "expected calibration error 2.0 %",
        "of tomorrow 3",
        "<strong>3 of 5 &lt;queries&gt;</strong>",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(unclosed(&page).is_empty());
}

#[test]
fn images_that_were_held_out_are_called_so() {
    let parent = tempfile::tempdir().unwrap();
    let run = full_run(&parent, "validated", "shapes");
    assert!(render_run(&run).unwrap().contains("50 test images, placed by"));
    for (split, words) in [("validation", "50 validation images, placed by"), ("", "50 images, placed by")] {
        let sample = run.feature_sample().unwrap().unwrap();
        run.write_feature_sample(&FeatureSample { split: split.into(), ..sample }).unwrap();
        for page in [render_run(&run).unwrap(), render_comparison(std::slice::from_ref(&run)).unwrap()] {
            assert!(page.contains(words) && !page.contains("est images"), "{split}");
        }
    }
}

#[test]
fn a_share_of_the_labels_is_no_full_score() {
    let parent = tempfile::tempdir().unwrap();
    let runs = ["all", "few"].map(|name| empty_run(&parent, name));
    let probe = |pct| ProbeResult { protocol: "linear".into(), accuracy_pct: pct, ..ProbeResult::default() };
    runs[0].write_probe("linear", &probe(60.0)).unwrap();
    let settings = [("label_fraction".to_owned(), json!(0.01))].into_iter().collect();
    runs[1].write_probe("linear-label-fraction-0_01", &ProbeResult { settings, ..probe(30.0) }).unwrap();
    let page = render_run(&runs[1]).unwrap().replace(['\u{202f}', '\u{a0}'], " ");
    assert!(page.contains("Linear probe, 1.0 % of the labels"));
    let page = render_comparison(&runs).unwrap();
    assert_eq!(page.matches("not probed").count(), 2, "each run has a column of its own");
    assert!(page.contains("share no protocol"));
}

#[test]
fn a_run_whose_plan_was_shortened_says_what_it_trained() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "shortened");
    run.write_config(&format!("{CONFIG}[train]\nepochs = 1\n")).unwrap();
    let line = Metrics { step: 570, epoch: Some(57.0), loss: Some(0.5), ..Metrics::default() };
    run.metrics_writer().unwrap().append(&line).unwrap();
    assert!(render_run(&run).unwrap().replace('\u{a0}', " ").contains("57 epochs"));
    assert!(render_comparison(&[run, empty_run(&parent, "other")]).unwrap().contains("<td>57</td>"));
}

#[test]
fn the_headline_is_the_runs_own_score_and_others_say_what_they_are() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "run");
    run.write_config(&format!("{CONFIG}[probe]\nepochs = 100\n")).unwrap();
    let probe = |epochs: &str, accuracy_pct| {
        let request = [("probe.epochs".to_owned(), epochs.to_owned())].into();
        let (protocol, data, split) = ("linear".into(), "shapes".into(), "test".into());
        ProbeResult { protocol, data, split, accuracy_pct, request, ..ProbeResult::default() }
    };
    let page = || render_run(&run).unwrap().replace(['\u{202f}', '\u{a0}'], " ");
    run.write_result(&probe("5", 90.0)).unwrap();
    assert!(page().contains(crate::headline::NO_OWN_SCORE) && !page().contains("reaches"));
    run.write_result(&probe("100", 60.0)).unwrap();
    assert!(page().contains("reaches <strong>60.0 %</strong>"), "{}", page());
    assert!(page().contains("Linear probe, epochs = 5"));
    assert!(page().contains("not as the run itself asks for: probe.epochs 5 (the run's own: 100)"));

    let both = render_comparison(&[run.clone(), empty_run(&parent, "other")]).unwrap().replace(['\u{202f}', '\u{a0}'], " ");
    assert!(both.contains("Linear probe, epochs = 5<br>") && !both.contains("90.0 % on"), "{both}");
}

#[test]
fn a_mean_over_seeds_is_said_to_be_one_in_the_headline_too() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "run");
    let probe = ProbeResult {
        protocol: "linear".into(),
        data: "shapes".into(),
        split: "test".into(),
        accuracy_pct: 58.8,
        accuracy_std_points: Some(0.25),
        accuracy_by_seed_pct: vec![58.5, 58.8, 59.1],
        ..ProbeResult::default()
    };
    run.write_probe("linear", &probe).unwrap();
    let page = render_run(&run).unwrap().replace(['\u{202f}', '\u{a0}'], " ");
    assert!(page.contains("reaches <strong>58.8 ± 0.2 %</strong> on shapes (test, 3 seeds)"), "{page}");
}

#[test]
fn an_upper_bound_is_a_number_in_the_legend_only_where_it_is_that_of_all() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "run");
    let page = |bounds: [f64; 2]| {
        for (name, bound) in ["linear", "knn"].iter().zip(bounds) {
            let probe = ProbeResult { baseline_supervised_pct: Some(bound), ..ProbeResult::default() };
            run.write_probe(name, &probe).unwrap();
        }
        render_run(&run).unwrap().replace(['\u{202f}', '\u{a0}'], " ")
    };
    assert!(page([71.0, 71.0]).contains("the upper bound: 71.0 %</li>"));
    assert!(page([71.0, 45.0]).contains("the upper bound</li>"));
}

#[test]
fn fine_tuning_is_not_said_to_be_of_frozen_features() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "tuned");
    run.write_probe("supervised", &ProbeResult { protocol: "supervised".into(), ..ProbeResult::default() }).unwrap();
    let page = render_run(&run).unwrap();
    assert!(page.contains("Training with the labels, from random weights,") && page.contains("trained on 0"));
    assert!(!page.contains("on the frozen features reaches") && !page.contains("Random weights were not measured"));
}

#[test]
fn a_collapse_of_the_features_is_said() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "collapsed");
    let health = FeatureHealth {
        dimensions: 64,
        effective_rank: 1.25,
        uniformity: -0.5,
        alignment: Some(0.125),
        warnings: vec!["the features have collapsed".into()],
        ..FeatureHealth::default()
    };
    run.write_probe("knn", &ProbeResult { feature_health: Some(health), ..ProbeResult::default() }).unwrap();
    let page = render_run(&run).unwrap();
    for words in ["effective rank 1.25 of 64", "views 0.125", "<strong>the features have collapsed</strong>"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(unclosed(&page).is_empty());
}

#[test]
fn a_matrix_that_is_not_square_is_left_out() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "odd");
    let probe =
        ProbeResult { per_class_accuracy_pct: vec![50.0, 70.0], confusion: vec![vec![1], vec![1, 2]], ..ProbeResult::default() };
    run.write_probe("odd", &probe).unwrap();
    let page = render_run(&run).unwrap();
    assert!(page.contains("class=\"bars\"") && !page.contains("class=\"matrix\""));
}

#[test]
fn many_classes_are_listed_by_their_confusions() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "many");
    let classes = 100;
    let row = |truth: usize| (0..classes).map(|answer| u32::from(answer == truth) * 7 + u32::from(answer == 3)).collect();
    let confusion = (0..classes).map(row).collect();
    let probe = ProbeResult { protocol: "linear".into(), classes, confusion, ..ProbeResult::default() };
    run.write_probe("linear", &probe).unwrap();
    let page = render_run(&run).unwrap();
    assert!(page.contains("class=\"heat condensed\"") && !page.contains("class=\"heat\""));
    assert!(page.contains("76 classes between"));
    assert!(page.contains("class 0 called class 3: 1 of 8"));
    assert!(unclosed(&page).is_empty());
}

#[test]
fn a_damaged_file_is_an_error_not_a_gap() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "damaged");
    std::fs::write(run.probes_dir().join("linear.json"), b"{").unwrap();
    assert!(matches!(render_run(&run), Err(crate::Error::Artifact(relata_artifact::Error::Json { .. }))));
}

#[test]
fn every_probe_has_a_fold_with_its_matrix_and_its_further_figures() {
    let parent = tempfile::tempdir().unwrap();
    let run = full_run(&parent, "full", "shapes");
    let scores = [("top5_accuracy_pct", 95.0), ("expected_calibration_error_pct", 2.5)];
    let probe = ProbeResult {
        protocol: "logistic".into(),
        other_scores: scores.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
        confusion: vec![vec![3, 1], vec![0, 4]],
        ..ProbeResult::default()
    };
    run.write_probe("logistic", &probe).unwrap();
    let page = render_run(&run).unwrap().replace(['\u{202f}', '\u{a0}'], " ");
    assert_eq!(page.matches("<details class=\"probe\"").count(), 3);
    assert_eq!(page.matches("<details class=\"probe\" open").count(), 1);
    assert_eq!(page.matches("class=\"heat\"").count(), 3);
    assert!(page.contains("top-5 accuracy 95.0 % · expected calibration error 2.5 %"));
    assert!(unclosed(&page).is_empty());
}

#[test]
fn what_was_measured_online_is_a_curve_of_its_own_and_no_score() {
    let parent = tempfile::tempdir().unwrap();
    let run = full_run(&parent, "run", "shapes");
    let before = render_run(&run).unwrap();
    let mut metrics = run.resume_metrics(400).unwrap();
    for (step, share) in [(200, 0.412), (400, 0.437)] {
        let line = json!({
            "step": step,
            "epoch": step as f64 / 100.0,
            "online_knn_acc": share,
            "online_effective_rank": 31.5,
            "online_dead_dimensions_pct": 12.5,
        });
        metrics.append(&line).unwrap();
    }
    let both = render_comparison(&[run.clone(), empty_run(&parent, "other")]).unwrap();
    for (page, charts) in [(render_run(&run).unwrap(), 3 + before.matches("<figure class=\"chart\"").count()), (both, 6)] {
        assert_eq!(page.matches("<figure class=\"chart\"").count(), charts);
        for title in ["online kNN (train split)", "online effective rank", "online dead dimensions"] {
            assert!(page.contains(title), "{title}");
        }
        assert!(page.contains("is no score") && unclosed(&page).is_empty());
        let scores = &page[page.find("id=\"scores\"").unwrap()..];
        let scores = &scores[..scores.find("</section>").unwrap()];
        assert!(!scores.contains("online") && !scores.contains("43.7") && scores.contains("58.8"), "{scores}");
    }
    // What the training says of itself is what it said before.
    let summary = |page: &str| page[page.find("id=\"training\"").unwrap()..].split("</p>").next().unwrap().to_owned();
    assert_eq!(summary(&render_run(&run).unwrap()), summary(&before));
}
