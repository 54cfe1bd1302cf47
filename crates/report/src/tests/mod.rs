//! Both pages, of made-up runs.

mod comparison_page;
mod run_page;

use relata_artifact::{
    BackboneUse, CurveFacts, FeatureSample, FigureFacts, MethodFacts, Metrics, Neighbour, NeighbourRow, Neighbours, ProbeResult,
    Provenance, RunFacts, RunFolder, ViewGrid,
};
use serde_json::json;

/// Data set, method and backbone of a made-up run.
const CONFIG: &str = "[data]\ndataset = \"shapes\"\n[method]\nkind = \"relational\"\n[model]\nbackbone = \"conv4\"\n";

fn empty_run(parent: &tempfile::TempDir, name: &str) -> RunFolder {
    let run = RunFolder::create(parent.path().join(name), false).unwrap();
    run.write_config(CONFIG).unwrap();
    run
}

fn full_run(parent: &tempfile::TempDir, name: &str, text: &str) -> RunFolder {
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
    let (command, version, facts) = (text.to_owned(), "0.1.0".into(), facts());
    run.write_provenance(&Provenance { command, version, facts, ..Provenance::default() }).unwrap();
    let linear = ProbeResult {
        protocol: "linear".into(),
        title: Some("Linear probe".into()),
        rank: Some(0),
        backbone: Some(BackboneUse::Frozen),
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
    run.write_probe("knn", &ProbeResult { protocol: "knn".into(), title: None, rank: Some(1), accuracy_pct: 13.0, ..linear })
        .unwrap();
    let grid = ViewGrid { rows: 1, columns: 2, captions: vec![text.to_owned(), "b".into()], augmentation: text.to_owned() };
    run.write_views(&grid, b"not really a PNG").unwrap();
    let features = (0..200).map(|index| (index as f32 * 0.7).sin()).collect();
    let labels = (0..50).map(|row| row % 2).collect();
    let sample =
        FeatureSample { features, dim: 4, labels, class_names: vec![text.to_owned(), "ring".into()], split: "test".into() };
    run.write_feature_sample(&sample).unwrap();
    let found = vec![Neighbour { image: text.to_owned(), class: Some("ring".into()), similarity: 0.5 }];
    let row = NeighbourRow { image: text.to_owned(), class: Some(text.to_owned()), found };
    let neighbours = Neighbours { tile_px: 8, columns: 2, queries: text.to_owned(), searched: text.to_owned(), rows: vec![row] };
    run.write_neighbours(&neighbours, b"not really a PNG").unwrap();
    run
}

/// What a made-up method says of itself.
fn facts() -> RunFacts {
    let curves = vec![CurveFacts { name: "pair_acc".into(), title: "all pairs".into() }];
    let reference = Some((0.5, "guessing".into()));
    let pairs = FigureFacts { curves, reference, ..FigureFacts::single("pair_acc", "Pairs predicted correctly") };
    let (name, title) = ("relational".into(), "Relational reasoning".into());
    let views_note = "Two views of one row are a positive pair.".into();
    let method = MethodFacts { name, title, views_note, figures: vec![pairs], ..MethodFacts::default() };
    RunFacts { method: Some(method), ..RunFacts::default() }
}

/// Names of the elements that are still open at the end of a page; panics where one closes another.
fn unclosed(page: &str) -> Vec<&str> {
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
