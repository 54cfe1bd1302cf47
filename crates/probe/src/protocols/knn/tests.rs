use relata_ops::Compute;
use relata_testkit::hash_uniform;

use super::{Knn, Nearest};
use crate::score::first_largest;
use crate::test_clouds::{clouds, names, with_random_labels};
use crate::{Error, Features};

fn compute(threads: usize) -> Compute {
    Compute::new(threads).unwrap()
}

/// Sorts every training row by its similarity in f64 and counts the votes. Gives the class and how far its votes lead.
fn reference(knn: &Knn, train: &Features, row: &[f32]) -> (usize, f64) {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = |other: &[f32]| dot(row, other) / (dot(row, row).sqrt() * dot(other, other).sqrt());
    let mut nearest: Vec<(f64, usize)> = (0..train.rows()).map(|other| (cosine(train.row(other)), other)).collect();
    nearest.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut votes = vec![0.0; train.class_names().len()];
    for (similarity, other) in nearest.into_iter().take(knn.k) {
        votes[train.labels().unwrap()[other]] += (similarity / knn.temperature).exp();
    }
    let first = |votes: &[f64]| (0..votes.len()).fold(0, |best, class| if votes[class] > votes[best] { class } else { best });
    let winner = first(&votes);
    let most = std::mem::replace(&mut votes[winner], 0.0);
    (winner, 1.0 - votes[first(&votes)] / most)
}

#[test]
fn predicted_are_those_of_an_f64_reference() {
    // More rows than a block holds on either side, and widths that are no multiple of a vector.
    for (train_rows, test_rows, width, k) in [(4200, 30, 9, 200), (300, 1100, 5, 7), (90, 60, 33, 1)] {
        let (train, test) = (clouds(0, train_rows, width, 4, 2.0), clouds(train_rows, test_rows, width, 4, 2.0));
        let knn = Knn { k, ..Knn::default() };
        let labels = train.labels().unwrap();
        let votes = compute(2).install(|| knn.votes(k, &train, labels, &test, compute(1).isa()));
        let predicted = votes.chunks_exact(4).map(first_largest);
        let mut checked = 0;
        for (row, answer) in predicted.enumerate() {
            let (expected, lead) = reference(&knn, &train, test.row(row));
            // Where two classes all but tie, rounding decides in f32 and in f64 apart.
            if lead > 1e-3 {
                assert_eq!(answer, expected, "row {row}, lead {lead}");
                checked += 1;
            }
        }
        assert!(checked > test_rows * 9 / 10, "{checked} of {test_rows}");
    }
}

#[test]
fn clouds_that_lie_apart_are_told_apart() {
    let (train, test) = (clouds(0, 2000, 16, 10, 0.2), clouds(2000, 500, 16, 10, 0.2));
    let score = Knn::default().score(&train, &test, &compute(2)).unwrap();
    assert_eq!(score.accuracy_pct, 100.0);
    assert_eq!(score.settings["k"], 200);
    assert!(!score.settings.contains_key("k_asked_for"));
}

#[test]
fn labels_without_meaning_give_chance() {
    let train = with_random_labels(&clouds(0, 4000, 16, 10, 0.2), "train labels");
    let test = with_random_labels(&clouds(4000, 4000, 16, 10, 0.2), "test labels");
    let score = Knn::default().score(&train, &test, &compute(2)).unwrap();
    // 10 % with a standard deviation of sqrt(0.1 · 0.9 / 4000) = 0.47 points.
    assert!((score.accuracy_pct - 10.0).abs() < 2.5, "{}", score.accuracy_pct);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (train, test) = (clouds(0, 5000, 7, 6, 2.5), clouds(5000, 1100, 7, 6, 2.5));
    let score = |threads| Knn::default().score(&train, &test, &compute(threads)).unwrap();
    assert_eq!(score(1), score(4));
}

#[test]
fn where_there_are_fewer_rows_than_k_all_vote_and_the_settings_say_so() {
    let (train, test) = (clouds(0, 12, 8, 3, 0.1), clouds(12, 9, 8, 3, 0.1));
    let score = Knn::default().score(&train, &test, &compute(1)).unwrap();
    assert_eq!((&score.settings["k"], &score.settings["k_asked_for"]), (&12.into(), &200.into()));
    assert_eq!(score.accuracy_pct, 100.0);
}

#[test]
fn of_equally_similar_rows_the_first_votes_and_of_equal_votes_the_lower_class_wins() {
    let train = Features::new(vec![2.0, 0.0, 1.0, 0.0, 4.0, 0.0, 0.0, 1.0], 2, vec![2, 0, 1, 0], names(3)).unwrap();
    let answer = |k, row: [f32; 2]| {
        let test = Features::new(row.to_vec(), 2, vec![0], names(3)).unwrap();
        let score = Knn { k, temperature: 0.1 }.score(&train, &test, &compute(1)).unwrap();
        score.confusion[0].iter().position(|count| *count == 1).unwrap()
    };
    assert_eq!(answer(1, [1.0, 0.0]), 2); // row 0, 1 and 2 are equally near
    assert_eq!(answer(3, [1.0, 0.0]), 0); // a vote each
    assert_eq!(answer(1, [0.0, 0.0]), 2); // no direction: all rows are equally near
}

#[test]
fn a_temperature_near_zero_asks_the_nearest_row_alone() {
    let (train, test) = (clouds(0, 400, 6, 3, 1.5), clouds(400, 100, 6, 3, 1.5));
    let confusion = |knn: Knn| knn.score(&train, &test, &compute(1)).unwrap().confusion;
    assert_eq!(confusion(Knn { k: 50, temperature: 1e-9 }), confusion(Knn { k: 1, temperature: 0.1 }));
}

#[test]
fn the_nearest_are_those_of_a_full_sort() {
    // Sixteen steps between -1 and 1, so that many are equal.
    let similarities: Vec<f32> = (0..5000).map(|row| (hash_uniform("rows", row) * 8.0).floor() as f32 / 8.0).collect();
    let mut sorted: Vec<(usize, f32)> = similarities.iter().copied().enumerate().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (k, block) in [(1, 5000), (3, 7), (200, 1024), (4999, 1000), (5000, 4096)] {
        let mut nearest = Nearest::new(k);
        for (number, similarities) in similarities.chunks(block).enumerate() {
            nearest.offer(number * block, similarities);
        }
        assert_eq!(nearest.into_sorted(), sorted[..k], "k = {k}, blocks of {block}");
    }
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let (train, test) = (clouds(0, 20, 4, 2, 1.0), clouds(20, 20, 4, 2, 1.0));
    let score = |knn: Knn, train: &Features, test: &Features| knn.score(train, test, &compute(1)).unwrap_err();
    let knn = Knn::default();
    for (wrong, name) in [
        (Knn { k: 0, ..knn }, "k"),
        (Knn { temperature: 0.0, ..knn }, "temperature"),
        (Knn { temperature: f64::INFINITY, ..knn }, "temperature"),
    ] {
        assert!(matches!(score(wrong, &train, &test), Error::Setting { key, .. } if key == name), "{name}");
    }
    let unlabelled = Features::unlabelled(vec![0.0; 8], 4).unwrap();
    assert!(matches!(score(knn, &unlabelled, &test), Error::Unlabelled { .. }));
    assert!(matches!(score(knn, &train, &unlabelled), Error::Unlabelled { .. }));
    assert!(matches!(score(knn, &train, &clouds(0, 20, 5, 2, 1.0)), Error::WidthDiffers { train: 4, test: 5 }));
    assert!(matches!(score(knn, &train, &clouds(0, 20, 4, 3, 1.0)), Error::ClassCountDiffers { train: 2, test: 3 }));
    let one_class = Features::new(vec![0.0; 8], 4, vec![1, 1], names(2)).unwrap();
    assert!(matches!(score(knn, &one_class, &test), Error::OneClass { rows: 2, .. }));
}
