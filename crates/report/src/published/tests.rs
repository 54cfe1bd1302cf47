use super::*;

fn summary(backbone: &str, method: &str, dataset: &str, epochs: u64, views: u64) -> Summary {
    Summary {
        method: Some(method.into()),
        backbone: Some(backbone.into()),
        dataset: Some(dataset.into()),
        views: Some(views),
        epochs: Some(epochs),
        is_untrained: method == "random",
        ..Summary::default()
    }
}

fn probe(protocol: &str, data: &str) -> ProbeResult {
    let (protocol, data, split) = (protocol.into(), data.into(), "test".into());
    ProbeResult { protocol, data, split, train_images: 50_000, ..ProbeResult::default() }
}

#[test]
fn every_row_fits_its_table() {
    for table in &PUBLICATION.table {
        assert_eq!(table.on.len(), table.views.len());
        assert!(table.pct.values().all(|row| !row.is_empty() && row.len() <= table.on.len()));
        for name in [&table.random, &table.supervised].into_iter().flatten() {
            assert!(table.pct.contains_key(name), "{name}");
        }
        assert!(table.on.iter().flat_map(|(a, b)| [a, b]).all(|name| PUBLICATION.images.contains_key(name)));
    }
}

#[test]
fn scores_on_held_out_training_images_are_not_held_against_it() {
    let validation = ProbeResult { split: "validation".into(), ..probe("linear", "cifar10") };
    assert_eq!(find(&summary("conv4", "relational", "cifar10", 200, 32), &validation), []);
}

#[test]
fn a_figure_needs_its_data_set_backbone_method_and_protocol() {
    let found = |backbone, method, dataset, protocol, data| {
        find(&summary(backbone, method, dataset, 200, 32), &probe(protocol, data)).first().map(|found| found.score_pct)
    };
    assert_eq!(found("conv4", "relational", "cifar10", "linear", "cifar10"), Some(61.03));
    assert_eq!(found("resnet32", "simclr", "cifar10", "linear", "cifar100"), Some(36.20));
    assert_eq!(found("resnet34", "relational", "stl10", "finetune", "stl10"), Some(89.67));
    assert_eq!(found("conv4", "relational", "cifar10", "linear", "cifar100"), None, "no cross-domain figure for Conv-4");
    assert_eq!(found("conv4", "relational", "cifar10", "knn", "cifar10"), None);
    assert_eq!(found("resnet8", "relational", "cifar10", "linear", "cifar10"), None);
    assert_eq!(found("conv4", "relational", "shapes", "linear", "shapes"), None);
    let few =
        ProbeResult { settings: [("label_fraction".to_owned(), 0.1.into())].into_iter().collect(), ..probe("linear", "cifar10") };
    assert_eq!(find(&summary("conv4", "relational", "cifar10", 200, 32), &few), []);
}

#[test]
fn the_bounds_are_of_the_same_backbone_and_data() {
    let found = find(&summary("resnet32", "relational", "tiny", 200, 16), &probe("linear", "tiny"));
    assert_eq!((found[0].random_pct, found[0].supervised_pct, found[0].views), (Some(3.24), Some(50.09), Some(16)));
}

#[test]
fn another_budget_is_said() {
    let linear = probe("linear", "cifar10");
    let paper = summary("conv4", "relational", "cifar10", 200, 32);
    assert_eq!(find(&paper, &linear)[0].differences(&paper, &linear), Vec::<String>::new());
    let short = summary("conv4", "simclr", "cifar10", 10, 2);
    assert_eq!(find(&short, &linear)[0].differences(&short, &linear).len(), 1, "views are the paper's own method's");
    let part = Summary { images: Some(2000), ..summary("conv4", "relational", "cifar10", 10, 8) };
    let few = ProbeResult { train_images: 2000, ..linear };
    assert_eq!(find(&part, &few)[0].differences(&part, &few).len(), 4);
}

#[test]
fn a_probe_of_a_part_of_the_images_is_not_the_papers() {
    let on = PUBLICATION.table.iter().find(|table| table.backbone == "resnet32").map(|table| &table.on).unwrap();
    assert_eq!(on.len(), 6);
    for (trained_on, scored_on) in on {
        let paper = summary("resnet32", "simclr", trained_on, 200, 2);
        let part = ProbeResult { train_images: 20_000, ..probe("linear", scored_on) };
        let differences = find(&paper, &part)[0].differences(&paper, &part);
        assert!(differences.iter().any(|words| words.starts_with("probe fitted on 20,000 of ")), "{scored_on}");
    }
}

#[test]
fn random_weights_have_no_epochs_to_differ_in() {
    let (random, linear) = (summary("conv4", "random", "cifar10", 20, 4), probe("linear", "cifar10"));
    assert_eq!(find(&random, &linear)[0].differences(&random, &linear), Vec::<String>::new());
}

#[test]
fn a_linear_probe_of_another_budget_is_not_the_papers() {
    let paper = summary("conv4", "relational", "cifar10", 200, 32);
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
        let found = find(&summary("conv4", "relational", "cifar10", epochs, views), &probe("linear", "cifar10"));
        found.iter().map(Published::source).collect()
    };
    assert_eq!(sources(10, 4), ["the paper", "the authors' notebook"]);
    assert_eq!(sources(10, 8), ["the paper"]);
}
