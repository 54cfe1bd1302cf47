use relata_ops::Compute;

use super::{Gallery, Retrieval};
use crate::fixture::Fixture;
use crate::test_clouds::{clouds, names};
use crate::{Error, Features};

fn compute(threads: usize) -> Compute {
    Compute::new(threads).unwrap()
}

fn within(gallery: Gallery) -> Retrieval {
    Retrieval { gallery }
}

#[test]
fn figures_are_those_of_numpy() {
    let fixture = Fixture::load("retrieval");
    let (train, test) = (fixture.features("train"), fixture.features("test"));
    for (gallery, name) in [(Gallery::Train, "train"), (Gallery::Test, "test")] {
        let score = within(gallery).score(&train, &test, &compute(2)).unwrap();
        for k in [1, 5, 10] {
            let expected = 100.0 * fixture.number(&format!("{name}.recall_at_{k}"));
            assert_eq!(score.other_scores[&format!("recall_at_{k}_pct")], expected, "{name} at {k}");
        }
        // The ranking is the same, so only the order of the sums differs.
        let expected = 100.0 * fixture.number(&format!("{name}.map"));
        assert!((score.other_scores["map_pct"] - expected).abs() < 1e-10, "{name}: {:?} {expected}", score.other_scores);
        assert_eq!(score.accuracy_pct, score.other_scores["recall_at_1_pct"]);
        assert!(score.notes.is_empty());
    }
}

#[test]
fn a_ranking_written_out_by_hand_has_its_figures() {
    // Directions at 0, 10, 20, 30 degrees from the query; relevant are the second and the fourth: AP = (1/2 + 2/4) / 2.
    let row = |degrees: f32| [degrees.to_radians().cos() * 3.0, degrees.to_radians().sin() * 3.0];
    let train = Features::new([0.0, 10.0, 20.0, 30.0].map(row).concat(), 2, vec![1, 0, 1, 0], names(2)).unwrap();
    let test = Features::new(row(0.0).to_vec(), 2, vec![0], names(2)).unwrap();
    let score = within(Gallery::Train).score(&train, &test, &compute(1)).unwrap();
    assert_eq!(["recall_at_1_pct", "recall_at_5_pct", "map_pct"].map(|name| score.other_scores[name]), [0.0, 100.0, 50.0]);
    assert_eq!(score.confusion, [[0, 1], [0, 0]]);
}

#[test]
fn a_query_never_finds_itself() {
    // Each image's own class lies on the other side; only itself would be right.
    let test = Features::new(vec![1.0, 0.1, 1.0, -0.1, -1.0, 0.1, -1.0, -0.1], 2, vec![0, 1, 0, 1], names(2)).unwrap();
    let score = within(Gallery::Test).score(&test, &test, &compute(1)).unwrap();
    assert_eq!(score.other_scores["recall_at_1_pct"], 0.0);
    assert_eq!(within(Gallery::Train).score(&test, &test, &compute(1)).unwrap().other_scores["recall_at_1_pct"], 100.0);
}

#[test]
fn of_equally_similar_images_the_first_comes_first() {
    let train = Features::new(vec![2.0, 1.0, 4.0], 1, vec![1, 0, 1], names(2)).unwrap();
    let test = Features::new(vec![1.0], 1, vec![0], names(2)).unwrap();
    let score = within(Gallery::Train).score(&train, &test, &compute(1)).unwrap();
    assert_eq!((score.other_scores["recall_at_1_pct"], score.other_scores["map_pct"]), (0.0, 50.0));
}

#[test]
fn queries_with_nothing_to_find_are_counted_and_said() {
    let train = Features::new(vec![1.0, -1.0], 1, vec![0, 1], names(3)).unwrap();
    let test = Features::new(vec![1.0, 1.0], 1, vec![0, 2], names(3)).unwrap();
    let score = within(Gallery::Train).score(&train, &test, &compute(1)).unwrap();
    assert_eq!((score.other_scores["recall_at_10_pct"], score.other_scores["map_pct"]), (50.0, 50.0));
    assert_eq!(score.notes, ["1 of 2 queries have no image of their class to find"]);
}

#[test]
fn blocks_and_threads_change_no_bit() {
    // 17,000 images to search: 986 queries a block, and two blocks.
    let (train, test) = (clouds(0, 17_000, 3, 4, 2.0), clouds(17_000, 1100, 3, 4, 2.0));
    let score = |threads| within(Gallery::Train).score(&train, &test, &compute(threads)).unwrap();
    let whole = score(1);
    assert_eq!(whole, score(3));
    let late = Features::new(test.row(1050).to_vec(), 3, vec![test.labels().unwrap()[1050]], names(4)).unwrap();
    let alone = within(Gallery::Train).score(&train, &late, &compute(1)).unwrap();
    assert!(alone.other_scores["map_pct"] > 0.0 && whole.other_scores["map_pct"] > 25.0);
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let (train, test) = (clouds(0, 20, 4, 2, 1.0), clouds(20, 20, 4, 2, 1.0));
    let refused = |gallery, train: &Features, test: &Features| within(gallery).score(train, test, &compute(1)).unwrap_err();
    assert!(matches!(refused(Gallery::Train, &train, &clouds(0, 20, 5, 2, 1.0)), Error::WidthDiffers { .. }));
    let unlabelled = Features::unlabelled(vec![0.0; 8], 4).unwrap();
    assert!(matches!(refused(Gallery::Train, &unlabelled, &test), Error::Unlabelled { .. }));
    let single = Features::new(vec![0.5; 4], 4, vec![1], names(2)).unwrap();
    assert!(matches!(refused(Gallery::Test, &train, &single), Error::TooFewRows { rows: 1, needed: 2, .. }));
}
