use relata_artifact::{
    BackboneUse, FeatureHealth, FeatureSample, FigureFacts, MethodFacts, Metrics, ProbeResult, Provenance, RunFacts, RunFolder,
};
use serde_json::json;

use super::{CONFIG, empty_run, facts, full_run, unclosed};
use crate::page::NO_OWN_SCORE;
use crate::{render_comparison, render_run, write_report};

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
    assert!(render_run(&run).unwrap().contains("puzzle_acc at the end: 62.5"));
}

#[test]
fn a_run_without_training_is_not_said_to_be_unfinished() {
    let parent = tempfile::tempdir().unwrap();
    let run = empty_run(&parent, "random");
    let says_so = |run: &RunFolder, words: &str| {
        let page = render_run(run).unwrap();
        assert!(page.contains("None, by intention") && page.contains(words) && page.contains("random weights"), "{words}");
        assert!(!page.contains("Not trained yet") && !page.contains("has not finished"), "{words}");
    };
    // A run of an older version: its checkpoint is of step 0, and it has no metrics.
    run.save_checkpoint("last", &[], &[("train.step".to_owned(), "0".to_owned())].into()).unwrap();
    says_so(&run, "No training on a conv4 backbone");
    let method = MethodFacts { title: "Chance".into(), trains: false, ..MethodFacts::default() };
    let facts = RunFacts { method: Some(method), ..RunFacts::default() };
    run.write_provenance(&Provenance { facts, ..Provenance::default() }).unwrap();
    says_so(&run, "Chance on a conv4 backbone");
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
    assert_eq!(deed(&run), "Training: images of shapes, 8 epochs.", "no checkpoint yet");
    let metadata = [("train.head", "vicreg"), ("train.architecture", "conv4")];
    let metadata = metadata.map(|(key, name)| (key.to_owned(), name.to_owned())).into();
    run.save_checkpoint("last", &[], &metadata).unwrap();
    assert_eq!(deed(&run), "vicreg on a conv4 backbone: images of shapes, 8 epochs.");
    let page = render_comparison(std::slice::from_ref(&run)).unwrap();
    assert!(page.contains("<td>vicreg</td>") && page.contains("<td>conv4</td>"));
    // The configuration's name wins over the checkpoint's, and the run's own description over both.
    run.write_config(CONFIG).unwrap();
    assert_eq!(deed(&run), "relational on a conv4 backbone: images of shapes, 8 epochs.");
    run.write_provenance(&Provenance { facts: facts(), ..Provenance::default() }).unwrap();
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
    let probe = |pct| ProbeResult {
        protocol: "linear".into(),
        title: Some("Linear probe".into()),
        accuracy_pct: pct,
        ..ProbeResult::default()
    };
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
        let title = Some("Linear probe".into());
        ProbeResult { protocol, title, data, split, accuracy_pct, request, ..ProbeResult::default() }
    };
    let page = || render_run(&run).unwrap().replace(['\u{202f}', '\u{a0}'], " ");
    run.write_result(&probe("5", 90.0)).unwrap();
    assert!(page().contains(NO_OWN_SCORE) && !page().contains("reaches"));
    run.write_result(&probe("100", 60.0)).unwrap();
    assert!(page().contains("reaches <strong>60.0 %</strong>"), "{}", page());
    assert!(page().contains("Linear probe, epochs = 5"));
    assert!(page().contains("not the run's own settings: probe.epochs 5 (the run's own: 100)"));

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
    let probe = ProbeResult {
        protocol: "supervised".into(),
        title: Some("Supervised".into()),
        backbone: Some(BackboneUse::FromScratch),
        ..ProbeResult::default()
    };
    run.write_probe("supervised", &probe).unwrap();
    let page = render_run(&run).unwrap();
    assert!(page.contains("Supervised training from random weights reaches") && page.contains("trained on 0"));
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
    let row =
        |truth: usize| (0..classes).map(|predicted| u32::from(predicted == truth) * 7 + u32::from(predicted == 3)).collect();
    let confusion = (0..classes).map(row).collect();
    let probe = ProbeResult { protocol: "linear".into(), classes, confusion, ..ProbeResult::default() };
    run.write_probe("linear", &probe).unwrap();
    let page = render_run(&run).unwrap();
    assert!(page.contains("class=\"heat condensed\"") && !page.contains("class=\"heat\""));
    assert!(page.contains("76 classes between"));
    assert!(page.contains("class 0 predicted as class 3: 1 of 8"));
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
    let titles = [
        ("online_knn_acc", "online kNN (train split)"),
        ("online_effective_rank", "online effective rank"),
        ("online_dead_dimensions_pct", "online dead dimensions"),
    ];
    let mut provenance = run.provenance().unwrap().unwrap();
    provenance.facts.online = titles.map(|(name, title)| FigureFacts::single(name, title)).into();
    run.write_provenance(&provenance).unwrap();
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
        for (_, title) in titles {
            assert!(page.contains(title), "{title}");
        }
        assert!(page.contains("are no scores") && unclosed(&page).is_empty());
        let scores = &page[page.find("id=\"scores\"").unwrap()..];
        let scores = &scores[..scores.find("</section>").unwrap()];
        assert!(!scores.contains("online") && !scores.contains("43.7") && scores.contains("58.8"), "{scores}");
    }
    // What the training says of itself is what it said before.
    let summary = |page: &str| page[page.find("id=\"training\"").unwrap()..].split("</p>").next().unwrap().to_owned();
    assert_eq!(summary(&render_run(&run).unwrap()), summary(&before));
}
