//! SlimageNet64 in class folders.

use std::path::Path;

use relata_data::{DataConfig, Dataset, Error, OnBadImage, Slim, Split, open};
use relata_testkit::datasets::{write_bytes, write_huge_jpeg, write_image};

fn write(root: &Path, classes: &[&str], each: usize) {
    for (split, class) in ["train", "test"].into_iter().flat_map(|split| classes.iter().map(move |class| (split, class))) {
        for i in 0..each {
            write_image(&root.join(format!("SlimageNet64/{split}/{class}/{i:02}.png")), 64, 64, i as u8);
        }
    }
}

#[test]
fn class_folders_are_read_from_both_splits() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &["n01", "n02"], 3);
    let config = DataConfig { dataset: "slim".to_owned(), root: root.path().to_owned(), limit: 4, ..DataConfig::default() };
    let [train, test, unlabelled] = Split::ALL.map(|split| open(&config, split).unwrap());
    assert_eq!((train.len(), test.len(), unlabelled.len()), (4, 6, 6));
    assert_eq!((train.label(1), train.class_names(), unlabelled.label(1)), (Some(1), test.class_names(), None));
    assert_eq!(test.image(5).unwrap().pixel(63, 1), [(63 * 11 % 256) as u8, 13, 2]);
}

#[test]
fn a_split_that_is_not_there_says_how_to_make_it() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(Slim::FOLDER);
    let missing = |split| match Slim::open(&folder, split) {
        Err(Error::Missing { path, hint }) => (path, hint),
        other => panic!("{:?}", other.err()),
    };
    assert!(missing(Split::Train).1.contains("https://zenodo.org/record/3672132"));
    write_image(&folder.join("train/n01/0.png"), 64, 64, 0);
    assert_eq!(missing(Split::Test).0, folder.join("test"));
    assert!(Slim::open(&folder, Split::Train).is_ok());
}

#[test]
fn the_publishers_own_splits_of_classes_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(Slim::FOLDER);
    write_image(&folder.join("train/n01/0.png"), 64, 64, 0);
    write_image(&folder.join("test/n02/0.png"), 64, 64, 0);
    assert!(matches!(Slim::open(&folder, Split::Test), Err(Error::UnknownClass { class, .. }) if class == "n02"));
}

#[test]
fn other_folders_beside_its_own_change_nothing() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &["n01", "n02"], 3);
    let folder = root.path().join(Slim::FOLDER);
    std::fs::remove_dir_all(folder.join("test")).unwrap();
    let fingerprint = |split| {
        let dataset = Slim::open(&folder, split).unwrap();
        assert_eq!(dataset.len(), 6);
        dataset.fingerprint().to_owned()
    };
    let before = [Split::Train, Split::Unlabelled].map(fingerprint);
    write_image(&folder.join("more/n03/0.png"), 64, 64, 0);
    write_image(&folder.join("unlabelled/0.png"), 64, 64, 0);
    assert_eq!([Split::Train, Split::Unlabelled].map(fingerprint), before);
}

#[test]
fn damaged_images_are_told_apart_or_skipped() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &["n01"], 5);
    let image = |name: &str| root.path().join("SlimageNet64/train/n01").join(name);
    write_image(&image("00.png"), 64, 65, 0);
    write_bytes(&image("01.png"), b"");
    write_huge_jpeg(&image("02.jpg"), 20_000);
    let config = DataConfig { dataset: "slim".to_owned(), root: root.path().to_owned(), ..DataConfig::default() };
    let train = open(&config, Split::Train).unwrap();
    assert!(matches!(train.image(0), Err(Error::ImageSize { height_px: 65, side_px: 64, .. })));
    assert!(matches!(train.image(1), Err(Error::BrokenImage { .. })));
    assert!(matches!(train.image(2), Err(Error::ImageTooLarge { .. })));
    let skipping = DataConfig { on_bad_image: OnBadImage::Skip, ..config };
    assert_eq!(open(&skipping, Split::Train).unwrap().len(), train.len() - 3);
}

#[test]
fn an_empty_split_is_named() {
    let root = tempfile::tempdir().unwrap();
    let train = root.path().join("SlimageNet64/train");
    std::fs::create_dir_all(&train).unwrap();
    assert!(matches!(Slim::open(train.parent().unwrap(), Split::Train), Err(Error::EmptyFolder { path, .. }) if path == train));
}
