use relata_cluster::{KMeans as Settings, Rows, contingency, optimal_assignment};
use relata_ops::{Compute, Isa};

use super::KMeans;
use super::agreement::{adjusted_rand_index, normalised_mutual_information};
use crate::fixture::Fixture;
use crate::test_clouds::{clouds, names, with_random_labels};
use crate::{Error, Features};

fn compute(threads: usize) -> Compute {
    Compute::new(threads).unwrap()
}

/// Sums of at most 300 terms in another order than scikit-learn's.
const SAME: f64 = 1e-12;

#[test]
fn agreement_is_that_of_scikit_learn() {
    let fixture = Fixture::load("kmeans");
    let labels = fixture.labels("labels");
    for case in ["same", "mixed", "merged", "split", "unrelated", "one", "singletons"] {
        let clusters = fixture.labels(&format!("{case}.clusters"));
        let counts = contingency(&clusters, &labels, clusters.iter().max().unwrap() + 1, 7);
        let close = |got: f64, name: &str| {
            let expected = fixture.number(&format!("{case}.{name}"));
            assert!((got - expected).abs() < SAME, "{case}, {name}: {got} against {expected}");
        };
        close(normalised_mutual_information(&counts), "nmi");
        close(adjusted_rand_index(&counts), "ari");
        let assigned = optimal_assignment(&counts);
        let right = assigned.iter().zip(&counts).filter_map(|(class, row)| class.map(|class| row[class])).sum::<u32>();
        close(f64::from(right) / 300.0, "accuracy");
    }
}

#[test]
fn the_best_of_many_restarts_is_that_of_scikit_learn() {
    let fixture = Fixture::load("kmeans");
    let train = fixture.features("train");
    let settings = Settings { clusters: 5, restarts: 200, max_iterations: 1000, seed: 3, round: 0 };
    let found = Rows::new(train.values(), 16, Isa::best()).cluster(&settings).unwrap();
    let expected = fixture.number("inertia");
    assert!(found.settled && (found.inertia / expected - 1.0).abs() < 1e-6, "{} against {expected}", found.inertia);
    let counts = contingency(&found.clusters, &fixture.labels("train.clusters"), 5, 5);
    assert_eq!(adjusted_rand_index(&counts), 1.0, "{counts:?}");
}

#[test]
fn clouds_that_lie_apart_are_told_apart_without_a_label() {
    let (train, test) = (clouds(0, 2000, 16, 10, 0.2), clouds(2000, 500, 16, 10, 0.2));
    let score = KMeans::default().score(&train, &test, &compute(2)).unwrap();
    assert_eq!((score.accuracy_pct, score.other_scores["nmi"], score.other_scores["ari"]), (100.0, 1.0, 1.0));
    assert_eq!(score.settings["clusters"], 10);
}

#[test]
fn labels_without_meaning_share_no_information() {
    let (train, test) = (clouds(0, 2000, 8, 5, 0.2), clouds(2000, 2000, 8, 5, 0.2));
    let (train, test) = (with_random_labels(&train, "train labels"), with_random_labels(&test, "test labels"));
    let score = KMeans::default().score(&train, &test, &compute(2)).unwrap();
    assert!(score.other_scores["nmi"] < 0.01 && score.other_scores["ari"].abs() < 0.01, "{score:?}");
    assert!((score.accuracy_pct - 20.0).abs() < 4.0, "{score:?}");
}

#[test]
fn any_number_of_threads_gives_the_same_bits_and_another_seed_another_start() {
    let (train, test) = (clouds(0, 3000, 7, 6, 2.5), clouds(3000, 500, 7, 6, 2.5));
    let kmeans = KMeans { restarts: 2, ..KMeans::default() };
    let score = |threads| kmeans.score(&train, &test, &compute(threads)).unwrap();
    assert_eq!(score(1), score(4));
    let other = KMeans { seed: 1, ..kmeans }.score(&train, &test, &compute(1)).unwrap();
    assert_ne!(score(1).other_scores, other.other_scores);
}

#[test]
fn rows_that_are_all_alike_leave_clusters_empty_and_do_no_harm() {
    let train = Features::new(vec![1.0; 12], 2, vec![0, 1, 2, 0, 1, 2], names(3)).unwrap();
    let score = KMeans::default().score(&train, &train, &compute(1)).unwrap();
    assert!((score.accuracy_pct - 100.0 / 3.0).abs() < 1e-9, "{score:?}");
}

#[test]
fn what_cannot_be_clustered_is_refused() {
    let (train, test) = (clouds(0, 20, 4, 2, 1.0), clouds(20, 20, 4, 2, 1.0));
    for (wrong, name) in [
        (KMeans { restarts: 0, ..KMeans::default() }, "restarts"),
        (KMeans { max_iterations: 0, ..KMeans::default() }, "max_iterations"),
    ] {
        let error = wrong.score(&train, &test, &compute(1)).unwrap_err();
        assert!(matches!(error, Error::Setting { key, .. } if key == name), "{name}");
    }
    let few = Features::new(vec![0.0, 1.0], 1, vec![0, 1], names(3)).unwrap();
    let error = KMeans::default().score(&few, &few, &compute(1)).unwrap_err();
    assert!(matches!(error, Error::TooFewRows { rows: 2, needed: 3, .. }));
}
