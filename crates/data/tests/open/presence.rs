//! What of a data set is on disk, by a look at names.

use std::fs;
use std::path::{Path, PathBuf};

use relata_data::{DataConfig, Error, Presence, presence};
use relata_testkit::datasets::{
    TinyVal, write_bytes, write_cifar10, write_cifar100, write_class_folder, write_stl10, write_tiny,
};

fn of(name: &str, root: &Path) -> Presence {
    presence(&DataConfig { dataset: name.to_owned(), root: root.to_owned(), ..DataConfig::default() }).unwrap()
}

fn lacks(name: &str, root: &Path) -> Vec<PathBuf> {
    match of(name, root) {
        Presence::Incomplete { missing, .. } => missing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_there_is_told_with_its_archive() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(of("shapes", root.path()), Presence::Embedded);
    let (path, archive) = (root.path().join("cifar-100-binary"), root.path().join("cifar-100-binary.tar.gz"));
    assert_eq!(of("supercifar100", root.path()), Presence::Absent { path, archive: Some(archive.clone()) });
    let part = root.path().join("cifar-100-binary.tar.gz.part");
    write_bytes(&part, &[0; 70]);
    let of_bytes = Some(168_513_733);
    assert_eq!(of("cifar100", root.path()), Presence::Begun { part, bytes: 70, of_bytes });
    write_bytes(&archive, &[0; 90]);
    assert_eq!(of("cifar100", root.path()), Presence::Packed { archive, bytes: 90, of_bytes });
    assert!(matches!(
        presence(&DataConfig { dataset: "mnist".into(), ..DataConfig::default() }),
        Err(Error::UnknownDataset { .. })
    ));
}

#[test]
fn a_folder_is_whole_or_lacks_the_files_that_are_named() {
    let root = tempfile::tempdir().unwrap();
    let slim = root.path().join("SlimageNet64");
    for split in ["train", "test"] {
        write_class_folder(&slim.join(split), &[("n01", 1)], "png");
    }
    // The lists of names of CIFAR's and STL-10's classes are known without.
    let sets = [
        ("cifar10", write_cifar10(root.path(), 1), ["data_batch_2.bin", "test_batch.bin"]),
        ("cifar100", write_cifar100(root.path(), 1, 1), ["train.bin", "test.bin"]),
        ("stl10", write_stl10(root.path(), 1), ["train_y.bin", "unlabeled_X.bin"]),
        ("tiny", write_tiny(root.path(), 1, TinyVal::Annotated), ["train/n02000000", "val/val_annotations.txt"]),
        ("slim", slim, ["train", "test"]),
    ];
    for (name, folder, gone) in sets {
        assert_eq!(of(name, root.path()), Presence::Whole { path: folder.clone() }, "{name}");
        let gone = gone.map(|gone| folder.join(gone));
        for path in &gone {
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        assert_eq!(lacks(name, root.path()), gone, "{name}");
    }
    let classes = root.path().join("tiny-imagenet-200/wnids.txt");
    fs::remove_file(&classes).unwrap();
    assert_eq!(lacks("tiny", root.path())[0], classes);
}

#[test]
fn images_of_ones_own_are_where_the_setting_says() {
    let root = tempfile::tempdir().unwrap();
    let at = |dataset: &str, path: &Path| {
        presence(&DataConfig { dataset: dataset.to_owned(), path: path.to_owned(), ..DataConfig::default() }).unwrap()
    };
    write_bytes(&root.path().join("file"), b"");
    let (file, folder) = (root.path().join("file"), root.path().to_owned());
    for (dataset, is, is_not) in [("folder", &folder, &file), ("pack", &file, &folder)] {
        assert_eq!(at(dataset, Path::new("")), Presence::Unnamed);
        assert_eq!(at(dataset, is), Presence::Whole { path: is.clone() });
        assert_eq!(at(dataset, is_not), Presence::Absent { path: is_not.clone(), archive: None });
    }
}
