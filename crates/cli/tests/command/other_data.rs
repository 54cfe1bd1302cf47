//! Trained on one data set, evaluated on another: the paper's 10→100, 100→10 and grain 100→20.

use std::fs;

use serde_json::Value;

use crate::Place;

/// CIFAR-10 and CIFAR-100 of few images, and a run trained on one of them.
fn trained_on(dataset: &str) -> Place {
    let place = Place::new();
    relata_testkit::datasets::write_cifar10(&place.path("datasets"), 24);
    relata_testkit::datasets::write_cifar100(&place.path("datasets"), 120, 40);
    let data = [&format!("data.dataset={dataset}"), "data.root=datasets", "data.limit=64"];
    let settings = ["augment.views=2", "train.epochs=1", "train.batch_size=16", "probe.epochs=2", "probe.k=5", "--out", "run"];
    place.run(&[&["train"], &data[..], &settings].concat()).succeeded();
    place
}

fn result(place: &Place, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(place.path(&format!("run/probes/{name}.json"))).unwrap()).unwrap()
}

#[test]
fn each_pair_of_the_paper_is_scored_under_its_own_name() {
    for (own, others) in
        [("cifar10", [("cifar100", 100), ("supercifar100", 20)]), ("cifar100", [("cifar10", 10), ("supercifar100", 20)])]
    {
        let place = trained_on(own);
        let kept = ["linear.json", "knn.json", "sample.safetensors"].map(|file| place.path("run/probes").join(file));
        let before = kept.clone().map(|file| fs::read(file).unwrap());
        for (other, classes) in others {
            let ended = place.run(&["probe", "run", "--data", other, "--protocol", "linear,knn"]).succeeded();
            assert_eq!(ended.stdout.lines().count(), 4, "{ended:?}");
            for protocol in ["linear", "knn"] {
                let result = result(&place, &format!("{protocol}-{other}"));
                assert_eq!(
                    (&result["data"], &result["classes"], &result["split"]),
                    (&other.into(), &classes.into(), &"test".into())
                );
                assert!(result["baseline_random_pct"].is_number() && result["class_names"].as_array().unwrap().len() == classes);
                // All of them: that training took the first 64 of its own images says nothing of these.
                assert_eq!(result["train_images"], 120, "{own} to {other}");
            }
        }
        assert_eq!(before, kept.map(|file| fs::read(file).unwrap()), "{own}: the run's own results stay");
        let page = fs::read_to_string(place.path("run/report.html")).unwrap();
        let headline: String = page[page.find("class=\"outcome\"").unwrap()..].chars().take(600).collect();
        assert!(headline.contains(&format!(" on {own} (test)")), "{headline}");
        for (other, _) in others {
            assert!(page.contains(&format!("{other}, test split")), "{own} to {other}");
        }
    }
}

#[test]
fn a_limit_is_that_of_the_images_it_was_given_for() {
    let place = trained_on("cifar10");
    let probe = ["probe", "run", "--protocol", "knn"];
    place.run(&probe).succeeded();
    assert_eq!(result(&place, "knn")["train_images"], 64);
    place.run(&[&probe[..], &["--data", "cifar100", "data.limit=110"]].concat()).succeeded();
    assert_eq!(result(&place, "knn-cifar100-limit=110")["train_images"], 110);
}

#[test]
fn other_data_are_columns_of_their_own_when_runs_are_compared() {
    let place = trained_on("cifar10");
    place.run(&["probe", "run", "--data", "supercifar100", "--protocol", "finetune", "probe.finetune.epochs=1"]).succeeded();
    assert!(!place.path("run/probes/finetune.json").exists());
    place.run(&["report", "run", "run", "--out", "both.html"]).succeeded();
    let page = fs::read_to_string(place.path("both.html")).unwrap();
    for column in ["cifar10, test", "supercifar100, test"] {
        assert!(page.contains(column), "{column}");
    }
}
