//! Shares of every class, and held-out images.

use std::collections::HashSet;
use std::sync::Arc;

use relata_data::{
    DataConfig, Dataset, Error, Folder, FolderOptions, Shapes, ShapesOptions, Split, Subset, TrainingImages, open,
    open_with_validation,
};
use relata_testkit::datasets::write_class_folder;

/// 10,000 images, 1000 a class.
fn shapes() -> Arc<dyn Dataset> {
    Arc::new(Shapes::new(ShapesOptions::default()).unwrap())
}

fn indices(subset: &Subset) -> Vec<usize> {
    (0..subset.len()).map(|index| subset.index_in_whole(index).unwrap()).collect()
}

fn per_class(dataset: &dyn Dataset) -> Vec<usize> {
    let mut counts = vec![0; dataset.class_names().len()];
    (0..dataset.len()).for_each(|index| counts[dataset.label(index).unwrap()] += 1);
    counts
}

/// Three classes of 1, 10 and 25 images.
fn uneven() -> (tempfile::TempDir, Arc<dyn Dataset>) {
    let root = tempfile::tempdir().unwrap();
    write_class_folder(&root.path().join("train"), &[("a", 1), ("b", 10), ("c", 25)], "png");
    let dataset = Folder::open(root.path(), FolderOptions::default()).unwrap();
    (root, Arc::new(dataset))
}

#[test]
fn every_class_has_its_share_and_at_least_one_image() {
    for (fraction, each) in [(0.0001, 1), (0.01, 10), (0.1, 100), (0.5, 500), (1.0, 1000)] {
        assert_eq!(per_class(&Subset::stratified(shapes(), fraction, 1).unwrap()), [each; 10], "{fraction}");
    }
    let (_root, uneven) = uneven();
    assert_eq!(per_class(&Subset::stratified(uneven, 0.1, 1).unwrap()), [1, 1, 3]);
}

#[test]
fn shares_of_one_seed_are_nested_in_order_and_repeatable() {
    let of = |fraction: f64, seed: u64| indices(&Subset::stratified(shapes(), fraction, seed).unwrap());
    let (one, ten) = (of(0.01, 7), of(0.1, 7));
    assert!(one.iter().all(|index| ten.binary_search(index).is_ok()));
    assert!(ten.is_sorted_by(|a, b| a < b));
    assert_eq!(one, of(0.01, 7));
    assert_ne!(one, of(0.01, 8));
    assert_eq!(of(1.0, 7), (0..10_000).collect::<Vec<_>>());
}

#[test]
fn a_share_is_spread_over_the_whole_class() {
    // Of 1000 positions in each of ten classes a tenth each: the mean of 1000 of them is 4999.5 give or take 2887 / sqrt(1000).
    let picked = indices(&Subset::stratified(shapes(), 0.1, 3).unwrap());
    let mean = picked.iter().sum::<usize>() as f64 / picked.len() as f64;
    assert!((mean - 4999.5).abs() < 5.0 * 91.3, "mean {mean}");
    // Each class is drawn by itself, not all alike.
    let positions = |class: usize| picked.iter().filter(|index| *index % 10 == class).map(|index| index / 10).collect::<Vec<_>>();
    assert_ne!(positions(0), positions(1));
}

#[test]
fn held_out_images_and_the_others_are_the_whole() {
    let (train, validation) = Subset::hold_out(shapes(), 0.1, 5).unwrap();
    assert_eq!((per_class(&train), per_class(&validation)), (vec![900; 10], vec![100; 10]));
    let mut both = [indices(&train), indices(&validation)].concat();
    both.sort_unstable();
    assert_eq!(both, (0..10_000).collect::<Vec<_>>());
    assert_ne!(train.fingerprint(), validation.fingerprint());
    // It says nothing about shares of the same seed.
    let share = indices(&Subset::stratified(shapes(), 0.1, 5).unwrap());
    let common = share.iter().filter(|index| indices(&validation).binary_search(index).is_ok()).count();
    // 1000 draws of which a tenth is expected: 100, give or take 9.
    assert!((50..150).contains(&common), "{common} in common");
}

#[test]
fn a_class_is_never_held_out_whole() {
    let (_root, uneven) = uneven();
    let (train, validation) = Subset::hold_out(uneven, 0.9, 1).unwrap();
    assert_eq!((per_class(&train), per_class(&validation)), (vec![1, 1, 2], vec![0, 9, 23]));
}

#[test]
fn images_without_labels_are_one_class() {
    let whole: Arc<dyn Dataset> =
        Arc::new(Shapes::new(ShapesOptions { split: Split::Unlabelled, ..ShapesOptions::default() }).unwrap());
    let (train, validation) = Subset::hold_out(Arc::clone(&whole), 0.25, 1).unwrap();
    assert_eq!((train.len(), validation.len(), validation.label(0)), (7500, 2500, None));
    assert_eq!(Subset::stratified(whole, 0.3, 1).unwrap().len(), 3000);
}

#[test]
fn fractions_that_mean_nothing_are_refused() {
    for fraction in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = Subset::stratified(shapes(), fraction, 1).err();
        assert!(matches!(error, Some(Error::Setting { key: "fraction", .. })), "{fraction}: {error:?}");
        let error = Subset::hold_out(shapes(), fraction, 1).err();
        assert!(matches!(error, Some(Error::Setting { key: "fraction", .. })), "{fraction}: {error:?}");
    }
    for fraction in [1.0, 0.0001] {
        assert!(matches!(Subset::hold_out(shapes(), fraction, 1), Err(Error::Setting { key: "fraction", .. })));
    }
}

#[test]
fn a_number_of_images_is_held_out_in_proportion() {
    let (train, validation) = Subset::hold_out_images(shapes(), 105, 5).unwrap();
    let counts = per_class(&validation);
    assert_eq!((validation.len(), train.len(), counts.iter().sum::<usize>()), (105, 9895, 105));
    assert!(counts.iter().all(|count| [10, 11].contains(count)), "{counts:?}");
    let mut both = [indices(&train), indices(&validation)].concat();
    both.sort_unstable();
    assert_eq!(both, (0..10_000).collect::<Vec<_>>());
    // 1, 10 and 25 images: 18 of 36 are 0.5, 5 and 12.5; the class of one keeps it.
    let (_root, whole) = uneven();
    let (train, validation) = Subset::hold_out_images(Arc::clone(&whole), 18, 1).unwrap();
    assert_eq!((per_class(&train), per_class(&validation)), (vec![1, 5, 12], vec![0, 5, 13]));
    let (train, _) = Subset::hold_out_images(whole, 33, 1).unwrap();
    assert_eq!(per_class(&train), [1, 1, 1]);
}

#[test]
fn fewer_held_out_images_are_among_more_and_the_seed_says_which() {
    let held = |images, seed| indices(&Subset::hold_out_images(shapes(), images, seed).unwrap().1);
    let more = held(500, 1);
    assert!(held(50, 1).iter().all(|index| more.binary_search(index).is_ok()));
    assert_ne!(more, held(500, 2));
}

#[test]
fn fewer_held_out_images_are_among_more_of_uneven_classes_too() {
    // By the largest remainders 60, 60 and 20 images would give 4, 4 and 2 of 10, and 5, 5 and 1 of 11.
    let root = tempfile::tempdir().unwrap();
    write_class_folder(&root.path().join("train"), &[("a", 60), ("b", 60), ("c", 20)], "png");
    let whole: Arc<dyn Dataset> = Arc::new(Folder::open(root.path(), FolderOptions::default()).unwrap());
    let mut before: Vec<usize> = Vec::new();
    for images in 1..=137 {
        let held = Subset::hold_out_images(Arc::clone(&whole), images, 1).unwrap().1;
        let counts = per_class(&held);
        assert!(
            counts.iter().zip([60, 60, 20]).all(|(&count, size)| {
                // Within one image of its share, or all but one.
                (count as f64 - images as f64 * size as f64 / 140.0).abs() < 1.0 || count == size - 1 || images > 130
            }),
            "{images}: {counts:?}"
        );
        let held = indices(&held);
        assert_eq!(held.len(), images);
        assert!(before.iter().all(|index| held.binary_search(index).is_ok()), "{images}: one was given back");
        before = held;
    }
}

#[test]
fn of_equal_classes_the_first_give_what_is_left_over() {
    for images in [1, 9, 10, 17, 500, 505, 5000] {
        let counts = per_class(&Subset::hold_out_images(shapes(), images, 1).unwrap().1);
        let expected: Vec<usize> = (0..10).map(|class| images / 10 + usize::from(class < images % 10)).collect();
        assert_eq!(counts, expected, "{images}");
    }
}

#[test]
fn images_that_cannot_be_spared_are_not_held_out() {
    let (_root, uneven) = uneven();
    for images in [34, 36, 1000, usize::MAX / 7, usize::MAX] {
        let error = Subset::hold_out_images(Arc::clone(&uneven), images, 1).err();
        assert!(matches!(error, Some(Error::HoldOut { images: refused, .. }) if refused == images), "{error:?}");
    }
    let unlabelled = Shapes::new(ShapesOptions { split: Split::Unlabelled, ..ShapesOptions::default() }).unwrap();
    assert!(matches!(Subset::hold_out_images(Arc::new(unlabelled), 10, 1), Err(Error::HoldOut { .. })));
}

#[test]
fn images_held_out_are_in_no_split_that_is_trained_on() {
    let (root, _) = uneven();
    let folder = DataConfig { dataset: "folder".into(), path: root.path().to_owned(), ..DataConfig::default() };
    for (config, images) in [(DataConfig::default(), 1000), (folder, 12)] {
        let whole = open(&config, Split::Train).unwrap();
        let config = DataConfig { validation: images, ..config };
        let TrainingImages { train, validation } = open_with_validation(&config).unwrap();
        let (validation, unlabelled) = (validation.unwrap(), open(&config, Split::Unlabelled).unwrap());
        assert_eq!((validation.len(), train.len(), unlabelled.len()), (images, whole.len() - images, whole.len() - images));
        let sources = |dataset: &dyn Dataset| (0..dataset.len()).map(|index| dataset.source(index)).collect::<HashSet<_>>();
        let held = sources(&*validation);
        assert!(sources(&*train).is_disjoint(&held) && sources(&*unlabelled).is_disjoint(&held));
        assert_eq!(open(&config, Split::Train).unwrap().fingerprint(), train.fingerprint());
        // A limit takes from the rest; what is held out stays the same.
        let few = open_with_validation(&DataConfig { limit: 5, ..config }).unwrap();
        assert_eq!((few.train.len(), few.validation.unwrap().fingerprint()), (5, validation.fingerprint()));
    }
    assert!(open_with_validation(&DataConfig::default()).unwrap().validation.is_none());
}
