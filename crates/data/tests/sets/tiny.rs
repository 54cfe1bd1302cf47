//! Tiny-ImageNet in its publisher's layout, and in the other one that copies of it have.

use std::fs;
use std::path::{Path, PathBuf};

use relata_data::{DataConfig, Dataset, Error, Presence, Split, Tiny, presence};
use relata_testkit::datasets::{
    TINY_CLASSES, TINY_FOLDER, TinyVal, write_bytes, write_huge_jpeg, write_image, write_tiny, write_truncated,
};
use tempfile::TempDir;

const EACH: usize = 3;

fn published() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folder = write_tiny(root.path(), EACH, TinyVal::Annotated);
    (root, folder)
}

fn error_of(folder: &Path, split: Split) -> Error {
    Tiny::open(folder, split).expect_err("it cannot be opened")
}

/// Changes the text of a file.
fn edit(path: &Path, change: impl Fn(String) -> String) {
    fs::write(path, change(fs::read_to_string(path).unwrap())).unwrap();
}

#[test]
fn labels_count_the_sorted_classes_and_training_goes_round_them() {
    let (_root, folder) = published();
    let train = Tiny::open(&folder, Split::Train).unwrap();
    assert_eq!(train.len(), 9);
    // Two classes whose first word is the same are named by all their words.
    assert_eq!(train.class_names(), ["goldfish", "crane, wading bird", "crane"]);
    for index in 0..9 {
        let wnid = ["n01000000", "n02000000", "n03000000"][index % 3];
        assert_eq!(train.label(index), Some(index % 3));
        assert!(train.source(index).ends_with(&format!("{wnid}_{}.JPEG", index / 3)), "{}", train.source(index));
        let image = train.image(index).unwrap();
        assert_eq!((image.width_px(), image.height_px()), (64, 64));
    }
    let unlabelled = Tiny::open(&folder, Split::Unlabelled).unwrap();
    assert_eq!((unlabelled.len(), unlabelled.label(0), unlabelled.class_names().len()), (9, None, 0));
    assert_eq!(unlabelled.image(4).unwrap(), train.image(4).unwrap());
}

#[test]
fn both_forms_of_val_hold_the_same_images_and_labels() {
    let roots = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let open = |root: &TempDir, form| Tiny::open(&write_tiny(root.path(), EACH, form), Split::Test).unwrap();
    let annotated = open(&roots[0], TinyVal::Annotated);
    let classed = open(&roots[1], TinyVal::ClassFolders);
    let by_name = |dataset: &Tiny| {
        let row = |index: usize| {
            let name = Path::new(&dataset.source(index)).file_name().unwrap().to_owned();
            (name, dataset.label(index).unwrap(), dataset.image(index).unwrap().into_rgb())
        };
        let mut rows: Vec<_> = (0..dataset.len()).map(row).collect();
        rows.sort();
        rows
    };
    assert_eq!(by_name(&annotated), by_name(&classed));
    for index in 0..annotated.len() {
        assert!(annotated.source(index).ends_with(&format!("val_{index}.JPEG")), "the order is the list's");
        let mut sorted: Vec<_> = TINY_CLASSES.iter().map(|(wnid, _)| *wnid).collect();
        sorted.sort_unstable();
        assert_eq!(sorted[annotated.label(index).unwrap()], TINY_CLASSES[index % 3].0);
    }
}

#[test]
fn an_empty_folder_of_images_beside_the_class_folders_of_val_hides_none() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_tiny(root.path(), EACH, TinyVal::ClassFolders);
    let before = Tiny::open(&folder, Split::Test).unwrap().fingerprint().to_owned();
    fs::create_dir(folder.join("val/images")).unwrap();
    assert_eq!(Tiny::open(&folder, Split::Test).unwrap().fingerprint(), before);
    let config = DataConfig { dataset: "tiny".to_owned(), root: root.path().to_owned(), ..DataConfig::default() };
    assert!(matches!(presence(&config).unwrap(), Presence::Whole { .. }));
}

#[test]
fn classes_that_share_all_their_words_are_told_apart_by_their_ids() {
    let (_root, folder) = published();
    edit(&folder.join("words.txt"), |text| text.replace("crane, wading bird", "crane"));
    let train = Tiny::open(&folder, Split::Train).unwrap();
    assert_eq!(train.class_names(), ["goldfish", "crane (n02000000)", "crane (n03000000)"]);
}

#[test]
fn grey_images_become_rgb() {
    let (_root, folder) = published();
    let train = Tiny::open(&folder, Split::Train).unwrap();
    // The second image of each class is stored with one channel.
    let rgb = train.image(3).unwrap().into_rgb();
    assert!(rgb.chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
    assert!(rgb.iter().any(|value| *value != rgb[0]));
}

#[test]
fn classes_without_words_are_called_by_their_ids() {
    let (_root, folder) = published();
    fs::remove_file(folder.join("words.txt")).unwrap();
    assert_eq!(Tiny::open(&folder, Split::Train).unwrap().class_names(), ["n01000000", "n02000000", "n03000000"]);
}

#[test]
fn what_is_missing_is_named() {
    let root = tempfile::tempdir().unwrap();
    let nowhere = root.path().join(TINY_FOLDER);
    match error_of(&nowhere, Split::Train) {
        Error::Missing { path, hint } => {
            assert!(path == nowhere && hint.contains("http://cs231n.stanford.edu/tiny-imagenet-200.zip"), "{hint}");
        }
        other => panic!("{other}"),
    }
    for (gone, split) in [
        ("val/val_annotations.txt", Split::Test),
        ("val/images/val_4.JPEG", Split::Test),
        ("train/n02000000", Split::Train),
        ("wnids.txt", Split::Train),
        ("train", Split::Unlabelled),
    ] {
        let (_root, folder) = published();
        let path = folder.join(gone);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        let error = error_of(&folder, split);
        assert!(matches!(&error, Error::Missing { path: named, .. } if *named == path), "{gone}: {error}");
    }
}

#[test]
fn an_empty_folder_is_named() {
    let (_root, folder) = published();
    for (inside, named) in [("train/n01000000/images", "train/n01000000"), ("val/images", "val/images"), ("train", "train")] {
        fs::remove_dir_all(folder.join(inside)).unwrap();
        fs::create_dir_all(folder.join(inside)).unwrap();
        let split = if inside == "val/images" { Split::Test } else { Split::Train };
        let error = error_of(&folder, split);
        assert!(matches!(&error, Error::EmptyFolder { path, .. } if *path == folder.join(named)), "{error}");
    }
}

#[test]
fn an_annotation_that_stands_twice_is_an_error() {
    let (_root, folder) = published();
    let list = folder.join("val/val_annotations.txt");
    edit(&list, |text| text + "val_2.JPEG\tn01000000\t0\t0\t1\t1\n");
    match error_of(&folder, Split::Test) {
        Error::DuplicateLine { path, line: 10, first: 3, name } => assert_eq!((path, name.as_str()), (list, "val_2.JPEG")),
        other => panic!("{other}"),
    }
}

#[test]
fn an_image_without_an_annotation_is_an_error() {
    let (_root, folder) = published();
    let list = folder.join("val/val_annotations.txt");
    edit(&list, |text| text.lines().filter(|line| !line.starts_with("val_5")).map(|line| format!("{line}\n")).collect());
    match error_of(&folder, Split::Test) {
        Error::Unannotated { path, name } => assert_eq!((path, name.as_str()), (list, "val_5.JPEG")),
        other => panic!("{other}"),
    }
}

#[test]
fn two_images_of_one_name_are_an_error() {
    let (_root, folder) = published();
    let twice = folder.join("val/images/more/val_4.JPEG");
    write_image(&twice, 64, 64, 0);
    match error_of(&folder, Split::Test) {
        Error::SameName { path, other, list } => {
            assert_eq!((path, other), (twice, folder.join("val/images/val_4.JPEG")));
            assert_eq!(list, folder.join("val/val_annotations.txt"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_line_that_is_no_annotation_is_an_error() {
    let (_root, folder) = published();
    edit(&folder.join("val/val_annotations.txt"), |text| {
        text.replace("val_1.JPEG\tn01000000\t0\t0\t63\t63", "val_1.JPEG n01000000")
    });
    assert!(matches!(error_of(&folder, Split::Test), Error::Line { line: 2, .. }));
    edit(&folder.join("wnids.txt"), |text| text.replace("n01000000", "n01000000 n7"));
    assert!(matches!(error_of(&folder, Split::Train), Error::Line { line: 2, .. }));
    fs::write(folder.join("wnids.txt"), "\n").unwrap();
    assert!(matches!(error_of(&folder, Split::Train), Error::Line { line: 1, .. }));
}

#[test]
fn an_unknown_wnid_is_an_error_in_a_list_and_as_a_folder() {
    let (_root, folder) = published();
    let list = folder.join("val/val_annotations.txt");
    edit(&list, |text| text.replacen("n01000000", "n09999999", 1));
    let error = error_of(&folder, Split::Test);
    assert!(matches!(&error, Error::UnknownWnid { path, wnid, .. } if *path == list && wnid == "n09999999"), "{error}");

    write_image(&folder.join("train/n08888888/images/a.JPEG"), 64, 64, 0);
    let error = error_of(&folder, Split::Train);
    assert!(matches!(&error, Error::UnknownWnid { path, .. } if *path == folder.join("train/n08888888")), "{error}");
}

#[test]
fn a_class_that_is_listed_twice_is_an_error() {
    let (_root, folder) = published();
    edit(&folder.join("wnids.txt"), |text| text + "n03000000\n");
    let error = error_of(&folder, Split::Train);
    assert!(matches!(&error, Error::DuplicateLine { line: 4, first: 1, .. }), "{error}");
}

#[test]
fn images_that_are_damaged_are_told_apart() {
    let (_root, folder) = published();
    let image = |i: usize| folder.join(format!("val/images/val_{i}.JPEG"));
    write_truncated(&image(0), 64, 64);
    write_bytes(&image(1), b"");
    write_huge_jpeg(&image(2), 20_000);
    write_image(&image(3), 64, 63, 0);
    let val = Tiny::open(&folder, Split::Test).unwrap();
    let error = |index: usize| val.image(index).unwrap_err();
    assert!(matches!(error(0), Error::BrokenImage { path, .. } if path == image(0)), "a JPEG cut in half");
    assert!(matches!(error(1), Error::BrokenImage { path, .. } if path == image(1)), "no bytes at all");
    assert!(matches!(error(2), Error::ImageTooLarge { path, width_px: 20_000, height_px: 20_000, .. } if path == image(2)));
    assert!(matches!(error(3), Error::ImageSize { path, width_px: 64, height_px: 63, side_px: 64 } if path == image(3)));
    assert!(val.image(4).is_ok());
}

#[test]
fn a_fingerprint_covers_the_labels() {
    let (_root, folder) = published();
    let before = Tiny::open(&folder, Split::Test).unwrap();
    let swap = |text: String| text.replacen("n03000000", "n02000000", 1);
    edit(&folder.join("val/val_annotations.txt"), swap);
    let after = Tiny::open(&folder, Split::Test).unwrap();
    assert_eq!((0..9).filter(|&index| before.source(index) != after.source(index)).count(), 0);
    assert_ne!(before.fingerprint(), after.fingerprint());
}
