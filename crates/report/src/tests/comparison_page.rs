use relata_artifact::{DataFingerprint, MethodFacts, Metrics, ProbeResult, Provenance, RunFacts, RunFolder};

use super::{empty_run, full_run, unclosed};
use crate::{Error, render_comparison};

fn plain(page: &str) -> String {
    page.replace(['\u{202f}', '\u{a0}'], " ")
}

/// A probed run of the paper's kind.
fn cifar10_run(parent: &tempfile::TempDir, name: &str, seed: u64, epochs: u64, linear_pct: f64) -> RunFolder {
    let run = empty_run(parent, name);
    run.write_config(&format!(
        "seed = {seed}\nthreads = {seed}\n[data]\ndataset = \"cifar10\"\nsplit = \"train\"\nroot = \"somewhere-{seed}\"\n\
         [augment]\nviews = 4\n[method]\nkind = \"relational\"\n[model]\nbackbone = \"conv4\"\n[train]\nepochs = {epochs}\n\
         workers = {seed}\nlog_every = {seed}\n"
    ))
    .unwrap();
    let data = DataFingerprint { name: "cifar10".into(), split: "train".into(), images: 50_000, ..DataFingerprint::default() };
    let method = MethodFacts { name: "relational".into(), views: Some(4), ..MethodFacts::default() };
    let facts = RunFacts { method: Some(method), ..RunFacts::default() };
    run.write_provenance(&Provenance { data: vec![data], facts, ..Provenance::default() }).unwrap();
    let probe = ProbeResult {
        protocol: "linear".into(),
        title: Some("Linear probe".into()),
        rank: Some(0),
        data: "cifar10".into(),
        split: "test".into(),
        accuracy_pct: linear_pct,
        baseline_random_pct: Some(35.22),
        baseline_supervised_pct: Some(71.44),
        train_images: 50_000,
        seconds: 12.0,
        ..ProbeResult::default()
    };
    run.write_probe("linear", &probe).unwrap();
    run
}

#[test]
fn runs_lie_side_by_side() {
    let parent = tempfile::tempdir().unwrap();
    let runs = [full_run(&parent, "one", "shapes"), full_run(&parent, "two", "shapes"), empty_run(&parent, "three")];
    let page = render_comparison(&runs).unwrap();
    assert!(page.contains("not probed") && page.contains("one and two are level with"));
    assert_eq!(page.matches("<figure class=\"chart\"").count(), 3, "loss, pairs, speed");
    assert_eq!(page.matches("<svg class=\"heat\"").count(), 2, "of the runs that have one");
    assert_eq!(page.matches("<svg class=\"points\"").count(), 2);
    assert_eq!(page.matches("1 of 1 are of the same class").count() + page.matches("0 of 1 are of the same class").count(), 2);
    assert!(!page.contains("id=\"health\""), "no run was looked at without its labels");
    assert!(!page.contains("id=\"published\""), "nobody published figures on these data");
    assert!(unclosed(&page).is_empty());
    assert!(matches!(render_comparison(&[]), Err(Error::NoRuns)));
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let parent = tempfile::tempdir().unwrap();
    let page = render_comparison(&[full_run(&parent, "one", "a"), cifar10_run(&parent, "two", 1, 10, 53.0)]).unwrap();
    for outside in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn bounds_time_and_published_figures_stand_beside_a_score() {
    let parent = tempfile::tempdir().unwrap();
    let page = plain(&render_comparison(&[cifar10_run(&parent, "ten", 1, 10, 53.42)]).unwrap());
    for words in [
        "random 35.2 %",
        "supervised 71.4 %",
        "took 12 s",
        "61.0 %<strong> ‡</strong>",
        "‡ 200 epochs there, 10 here; 32 views there, 4 here",
        "52.3 %</span>",
        "published 32.9 %",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn runs_that_differ_in_their_seed_alone_have_a_mean() {
    let parent = tempfile::tempdir().unwrap();
    let run = |name: &str, seed, epochs, pct| cifar10_run(&parent, name, seed, epochs, pct);
    let runs = [run("a", 1, 10, 50.0), run("b", 2, 10, 52.0), run("c", 3, 10, 54.0), run("longer", 4, 20, 60.0)];
    let page = plain(&render_comparison(&runs).unwrap());
    assert!(page.contains("Mean of 3 seeds") && page.contains("52.0 ± 2.0 %"));
    assert_eq!(page.matches("Mean of").count(), 1);
    // A seed twice is one run twice, no deviation.
    assert!(!render_comparison(&[run("d", 1, 30, 50.0), run("e", 1, 30, 50.0)]).unwrap().contains("Mean of"));
}

#[test]
fn runs_of_one_name_get_numbers() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let page = render_comparison(&[cifar10_run(&here, "x", 1, 10, 50.0), cifar10_run(&there, "x", 1, 20, 51.0)]).unwrap();
    assert!(page.contains("x (2) is best"));
    let page = render_comparison(&[cifar10_run(&here, "y", 1, 10, 50.0), cifar10_run(&there, "z", 1, 20, 50.0)]).unwrap();
    assert!(plain(&page).contains("y and z are level with 50.0 %."));
}

#[test]
fn scores_by_other_settings_are_marked() {
    let parent = tempfile::tempdir().unwrap();
    let runs = [cifar10_run(&parent, "a", 1, 10, 50.0), cifar10_run(&parent, "b", 2, 10, 52.0)];
    assert!(!render_comparison(&runs).unwrap().contains("settings differ"));
    let settings = [("epochs".to_owned(), 20.into())].into_iter().collect();
    let probe = ProbeResult { settings, ..runs[1].probes().unwrap().remove(0).1 };
    runs[1].write_probe("linear", &probe).unwrap();
    let page = render_comparison(&runs).unwrap();
    assert!(page.contains("‡ settings differ") && page.contains("not fair"));
}

#[test]
fn the_column_of_most_runs_decides() {
    let parent = tempfile::tempdir().unwrap();
    let runs = [cifar10_run(&parent, "a", 1, 10, 50.0), full_run(&parent, "b", "shapes"), cifar10_run(&parent, "c", 2, 10, 52.0)];
    let page = plain(&render_comparison(&runs).unwrap());
    assert!(page.contains("Linear probe on cifar10: of 2 runs c is best with 52.0 %."));
}

#[test]
fn training_time_is_counted_from_views_where_it_was_not_taken() {
    let parent = tempfile::tempdir().unwrap();
    let run = cifar10_run(&parent, "a", 1, 2, 50.0);
    let mut metrics = run.metrics_writer().unwrap();
    let line = |step, epoch, speed| Metrics { step, epoch: Some(epoch), views_per_s: Some(speed), ..Metrics::default() };
    // 4 views of 50,000 images an epoch: 100 s, then 50 s.
    metrics.append(&line(1, 1.0, 2000.0)).unwrap();
    metrics.append(&line(2, 2.0, 4000.0)).unwrap();
    assert!(plain(&render_comparison(&[run]).unwrap()).contains("about 2 min 30 s"));
}
