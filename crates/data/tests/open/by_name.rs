//! Data sets by their names: configuration, catalogue, subsets, verification.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use relata_data::{
    Broken, DataConfig, Dataset, Error, OnBadImage, Opening, Shapes, ShapesOptions, Split, Subset, catalogue, entry, open,
    open_watched, open_with_validation_watched, verify,
};
use relata_testkit::datasets::{write_bytes, write_cifar10, write_class_folder, write_image, write_truncated};

fn read(toml: &str) -> Result<DataConfig, toml::de::Error> {
    toml::from_str(toml)
}

fn folder_config(path: PathBuf) -> DataConfig {
    DataConfig { dataset: "folder".to_owned(), path, ..DataConfig::default() }
}

fn error_of(config: &DataConfig) -> Error {
    open(config, Split::Train).err().expect("it cannot be opened")
}

#[test]
fn an_empty_table_is_the_defaults_and_they_read_back() {
    assert_eq!(read("").unwrap(), DataConfig::default());
    let config = DataConfig { split: Split::Unlabelled, on_bad_image: OnBadImage::Skip, ..DataConfig::default() };
    assert_eq!(read(&toml::to_string(&config).unwrap()).unwrap(), config);
    let hard = read("difficulty = \"hard\"\nsplit = \"test\"\nlimit = 7").unwrap();
    let expected = DataConfig { split: Split::Test, limit: 7, ..DataConfig::default() }.with("difficulty", "hard").unwrap();
    assert_eq!(hard, expected);
    assert_eq!(read(&toml::to_string(&hard).unwrap()).unwrap(), hard);
}

#[test]
fn the_settings_of_data_sets_are_keys_like_any_other_and_all_are_written() {
    let text = "stl10_fold = 3\nshapes_seed = 7\ndifficulty = \"hard\"\nindex = true\njpeg_side_px = 96\n";
    let config = read(text).unwrap();
    let written = toml::to_string(&config).unwrap();
    assert!(text.lines().all(|line| written.lines().any(|other| other == line)), "{written}");
    let defaults = toml::to_string(&DataConfig::default()).unwrap();
    for line in ["stl10_fold = 0", "shapes_seed = 1", "difficulty = \"plain\"", "index = false", "jpeg_side_px = 0"] {
        assert!(defaults.lines().any(|other| other == line), "{line}");
        read(line).unwrap();
    }
}

#[test]
fn unknown_keys_and_values_are_errors() {
    let bad_settings = ["difficulty = \"easy\"", "stl10_fold = 11", "stl10_fold = \"3\"", "index = 1", "jpeg_side_px = -1"];
    let bad = ["datset = \"shapes\"", "split = \"Train\"", "limit = -1", "on_bad_image = \"ignore\""];
    for toml in bad.into_iter().chain(bad_settings) {
        assert!(read(toml).is_err(), "{toml}");
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    match error_of(&DataConfig { dataset: "mnist".to_owned(), ..DataConfig::default() }) {
        Error::UnknownDataset { name, known } => {
            assert_eq!(name, "mnist");
            assert_eq!(known, catalogue().iter().map(|entry| entry.name).collect::<Vec<_>>());
            assert!(known.iter().any(|name| name == "cifar10"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn every_entry_can_be_normalised_and_sized() {
    for entry in catalogue() {
        let statistics = entry.statistics;
        assert!(statistics.std.iter().all(|s| *s > 0.0) && statistics.mean.iter().all(|m| (0.0..1.0).contains(m)));
        assert!(entry.side_px >= 32);
    }
    let statistics = |name| entry(name).map(|entry| entry.statistics);
    assert_eq!(statistics("cifar10").unwrap().mean, [0.491, 0.482, 0.447]);
    for name in ["shapes", "tiny", "slim", "folder", "pack"] {
        assert_eq!((statistics(name).unwrap().mean, statistics(name).unwrap().std), ([0.5; 3], [0.25; 3]), "{name}");
    }
    assert_eq!(entry("stl10").unwrap().side_px, 96);
    assert!(matches!(statistics("cifar"), Err(Error::UnknownDataset { .. })));
}

#[test]
fn cifar10_is_looked_for_below_the_root() {
    let root = tempfile::tempdir().unwrap();
    let config = DataConfig { dataset: "cifar10".to_owned(), root: root.path().to_owned(), limit: 12, ..DataConfig::default() };
    assert!(matches!(error_of(&config), Error::Missing { path, .. } if path == root.path().join("cifar-10-batches-bin")));
    write_cifar10(root.path(), 4);
    let [train, test, unlabelled] = Split::ALL.map(|split| open(&config, split).unwrap());
    assert_eq!((train.len(), test.len(), unlabelled.len()), (12, 4, 20), "the limit is the train split's");
}

#[test]
fn shapes_take_their_settings_from_the_configuration() {
    let image = |config: &DataConfig| open(config, Split::Train).unwrap().image(0).unwrap();
    let plain = image(&DataConfig::default());
    let direct = Shapes::new(ShapesOptions::default()).unwrap();
    assert_eq!(plain, direct.image(0).unwrap());
    assert_ne!(plain, image(&DataConfig::default().with("difficulty", "hard").unwrap()));
    assert_ne!(plain, image(&DataConfig::default().with("shapes_seed", 2).unwrap()));
}

#[test]
fn a_folder_needs_a_path() {
    assert!(matches!(error_of(&folder_config(PathBuf::new())), Error::Setting { key: "path", .. }));
}

#[test]
fn broken_images_stop_or_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    write_class_folder(folder.path(), &[("cat", 3), ("dog", 4)], "png");
    write_truncated(&folder.path().join("cat/001.png"), 50, 70);
    let config = folder_config(folder.path().to_owned());
    let all = open(&config, Split::Train).unwrap();
    assert_eq!(all.len(), 7);
    assert!((0..7).any(|index| all.image(index).is_err()));

    let skip = DataConfig { on_bad_image: OnBadImage::Skip, ..config };
    let good = open(&skip, Split::Train).unwrap();
    assert_eq!(good.len(), 6);
    assert!((0..6).all(|index| good.image(index).is_ok()));
    assert!((0..6).all(|index| !good.source(index).ends_with("cat/001.png")));
    assert_ne!(good.fingerprint(), all.fingerprint());

    let only_broken = tempfile::tempdir().unwrap();
    write_bytes(&only_broken.path().join("a.png"), b"");
    let config = DataConfig { path: only_broken.path().to_owned(), ..skip };
    assert!(matches!(error_of(&config), Error::BrokenImage { .. }), "nothing is left");
}

#[cfg(unix)]
#[test]
fn images_whose_content_is_not_there_can_be_skipped() {
    let folder = tempfile::tempdir().unwrap();
    write_class_folder(folder.path(), &[("cat", 3)], "png");
    std::os::unix::fs::symlink("nowhere", folder.path().join("cat/absent.png")).unwrap();
    let config = DataConfig { on_bad_image: OnBadImage::Skip, ..folder_config(folder.path().to_owned()) };
    assert_eq!(open(&config, Split::Unlabelled).unwrap().len(), 3);
}

#[test]
fn the_listing_of_a_folder_tells_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for image in 0..2050 {
        write_bytes(&folder.path().join(format!("{}/{image}.png", image % 3)), b"");
    }
    let config = folder_config(folder.path().to_owned());
    let seen = Mutex::new(Vec::new());
    let dataset = open_watched(&config, Split::Unlabelled, &|at| match at {
        Opening::Listed { images } => seen.lock().unwrap().push(images),
        other => panic!("no image is read: {other:?}"),
    });
    assert_eq!((dataset.unwrap().len(), seen.into_inner().unwrap()), (2050, vec![1000, 2000, 2050]));
    // Whichever function opens it.
    let seen = AtomicUsize::new(0);
    open_with_validation_watched(&DataConfig { validation: 5, ..config }, &|at| {
        if let Opening::Listed { images } = at {
            seen.fetch_max(images, Ordering::Relaxed);
        }
    })
    .unwrap();
    assert_eq!(seen.into_inner(), 2050);
}

#[test]
fn opening_reports_which_images_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    write_class_folder(folder.path(), &[("cat", 3), ("dog", 4)], "png");
    write_truncated(&folder.path().join("cat/001.png"), 50, 70);
    write_truncated(&folder.path().join("dog/003.png"), 50, 70);
    let config = DataConfig { on_bad_image: OnBadImage::Skip, ..folder_config(folder.path().to_owned()) };
    let (read, left_out) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let dataset = open_watched(&config, Split::Unlabelled, &|at| match at {
        Opening::Read { images, of } => read.lock().unwrap().push((images, of)),
        Opening::LeftOut(Broken { source, reason, .. }) => {
            assert!(matches!(reason, Error::BrokenImage { .. }));
            left_out.lock().unwrap().push(source.clone());
        }
        _ => {}
    });
    assert_eq!(dataset.unwrap().len(), 5);
    let mut read = read.into_inner().unwrap();
    read.sort_unstable();
    assert_eq!(read, (1..=7).map(|images| (images, 7)).collect::<Vec<_>>());
    let left_out = left_out.into_inner().unwrap();
    assert!(left_out.len() == 2 && left_out[0].ends_with("cat/001.png") && left_out[1].ends_with("dog/003.png"), "{left_out:?}");
}

#[test]
fn verify_names_all_that_is_broken_and_counts_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    write_class_folder(folder.path(), &[("cat", 4), ("dog", 3)], "png");
    write_image(&folder.path().join("dog/wide.png"), 9, 3, 0);
    write_bytes(&folder.path().join("cat/000.png"), b"");
    write_truncated(&folder.path().join("dog/002.png"), 50, 70);
    let dataset = open(&folder_config(folder.path().to_owned()), Split::Train).unwrap();
    let last = AtomicUsize::new(0);
    let report = verify(&*dataset, |read, of| {
        assert!(read <= of);
        last.fetch_max(read, Ordering::Relaxed);
    });
    assert_eq!((report.images, last.into_inner(), report.is_whole()), (8, 8, false));
    let broken: Vec<_> = report.broken.iter().map(|broken| (broken.index, &broken.source)).collect();
    let named: Vec<_> = broken.iter().map(|(index, _)| dataset.source(*index)).collect();
    assert!(broken.iter().map(|(_, source)| *source).eq(&named));
    assert!(named[0].ends_with("000.png") && named[1].ends_with("002.png") && named.len() == 2, "{named:?}");
    assert!(report.broken.iter().all(|broken| matches!(broken.reason, Error::BrokenImage { .. })));
    assert_eq!(report.per_class, [("cat".to_owned(), 3), ("dog".to_owned(), 3)]);
    assert_eq!((report.width_px, report.height_px, report.unlabelled), (Some(5..=9), Some(3..=7), 0));
}

#[test]
fn a_subset_hands_on_what_it_holds() {
    let whole: Arc<dyn Dataset> = Arc::new(Shapes::new(ShapesOptions::default()).unwrap());
    let picked = Subset::of(whole.clone(), vec![9, 3, 9]).unwrap();
    assert_eq!((picked.len(), picked.label(1), picked.index_in_whole(2)), (3, Some(3), Some(9)));
    assert_eq!(picked.image(2).unwrap(), whole.image(9).unwrap());
    assert_eq!((picked.source(0), picked.class_names()), (whole.source(9), whole.class_names()));
    assert!(matches!(picked.image(3), Err(Error::IndexOutOfRange { index: 3, len: 3 })));
    assert!(matches!(Subset::of(whole, vec![0, 10_000]), Err(Error::IndexOutOfRange { index: 10_000, .. })));
}

#[test]
fn a_limit_past_the_end_is_the_whole() {
    let whole: Arc<dyn Dataset> = Arc::new(Shapes::new(ShapesOptions::default()).unwrap());
    let [first, all] = [100, 20_000].map(|limit| Subset::first(whole.clone(), limit));
    assert_eq!((first.len(), all.len()), (100, 10_000));
    assert_eq!(all.fingerprint(), whole.fingerprint());
    assert_ne!(first.fingerprint(), whole.fingerprint());
    assert!(first.image(100).is_err());
}
