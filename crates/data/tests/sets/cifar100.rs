//! CIFAR-100 in its publisher's binary form, with its 100 classes and its 20 superclasses.

use std::fs;

use relata_data::{Cifar100, Cifar100Labels, DataConfig, Dataset, Error, Split, open};
use relata_testkit::datasets::{CIFAR100_FOLDER, cifar10_sample, cifar100_labels, write_cifar100};
use relata_testkit::real_data;

#[test]
fn every_pixel_and_both_labels_are_where_they_were_written() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar100(root.path(), 11, 5);
    for (labels, which, name) in [(Cifar100Labels::Coarse, 0, "coarse 3"), (Cifar100Labels::Fine, 1, "fine 3")] {
        for (file, split, len) in [(0, Split::Train, 11), (1, Split::Test, 5)] {
            let dataset = Cifar100::open(&folder, split, labels).unwrap();
            assert_eq!((dataset.len(), dataset.class_names()[3].as_str()), (len, name));
            for index in 0..len {
                assert_eq!(dataset.label(index), Some(usize::from(cifar100_labels(file, index)[which])));
                let image = dataset.image(index).unwrap();
                for (x, y) in (0..32).flat_map(|y| (0..32).map(move |x| (x, y))) {
                    let written = [0, 1, 2].map(|channel| cifar10_sample(file, index, channel, y, x));
                    assert_eq!(image.pixel(x, y), written, "{split} image {index}, ({x}, {y})");
                }
            }
        }
    }
}

#[test]
fn both_names_open_the_same_folder_with_their_own_classes() {
    let root = tempfile::tempdir().unwrap();
    write_cifar100(root.path(), 40, 4);
    let config = |name: &str| DataConfig { dataset: name.to_owned(), root: root.path().to_owned(), ..DataConfig::default() };
    let [fine, coarse] = ["cifar100", "supercifar100"].map(|name| open(&config(name), Split::Train).unwrap());
    assert_eq!((fine.class_names().len(), coarse.class_names().len()), (100, 20));
    assert_eq!(fine.image(39).unwrap(), coarse.image(39).unwrap());
    assert_ne!(fine.fingerprint(), coarse.fingerprint(), "the labels are others");
    let unlabelled = open(&config("cifar100"), Split::Unlabelled).unwrap();
    assert_eq!((unlabelled.len(), unlabelled.label(3), unlabelled.class_names().len()), (40, None, 0));
}

#[test]
fn published_names_stand_in_for_lists_that_are_not_there() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar100(root.path(), 1, 1);
    for (labels, list, last) in
        [(Cifar100Labels::Fine, "fine_label_names.txt", "worm"), (Cifar100Labels::Coarse, "coarse_label_names.txt", "vehicles_2")]
    {
        fs::write(folder.join(list), "a\nb\n").unwrap();
        let error = Cifar100::open(&folder, Split::Train, labels).err();
        assert!(matches!(error, Some(Error::ClassNames { got: 2, .. })), "{error:?}");
        fs::remove_file(folder.join(list)).unwrap();
        assert_eq!(Cifar100::open(&folder, Split::Train, labels).unwrap().class_names().last().unwrap(), last);
    }
}

#[test]
fn a_truncated_or_empty_file_is_found_on_opening() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar100(root.path(), 3, 3);
    let file = folder.join("train.bin");
    for got in [0, 1, 3073, 2 * 3074 + 1, 3 * 3074 - 1] {
        fs::write(&file, vec![0; got]).unwrap();
        match Cifar100::open(&folder, Split::Train, Cifar100Labels::Fine).err() {
            Some(Error::CutShort { path, record_bytes: 3074, got_bytes }) => assert_eq!((path, got_bytes), (file.clone(), got)),
            other => panic!("{got} bytes: {other:?}"),
        }
    }
    assert!(Cifar100::open(&folder, Split::Test, Cifar100Labels::Fine).is_ok(), "the test images are whole");
}

#[test]
fn the_published_files_are_whole() {
    let Some(folder) = real_data(CIFAR100_FOLDER) else { return };
    for split in [Split::Train, Split::Test] {
        let damaged = Cifar100::open(&folder, split, Cifar100Labels::Fine).unwrap().damaged_files();
        assert!(damaged.is_empty(), "{damaged:?}");
    }
}

#[test]
fn either_label_out_of_range_is_found_whichever_is_read() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar100(root.path(), 3, 3);
    let file = folder.join("test.bin");
    let whole = fs::read(&file).unwrap();
    for (which, bad, last) in [(0, 20, 19), (1, 100, 99)] {
        let mut bytes = whole.clone();
        bytes[2 * 3074 + which] = bad;
        fs::write(&file, bytes).unwrap();
        for labels in [Cifar100Labels::Fine, Cifar100Labels::Coarse] {
            match Cifar100::open(&folder, Split::Test, labels).err() {
                Some(Error::LabelOutOfRange { path, record: 2, got, allowed }) => {
                    assert_eq!((path, got, allowed), (file.clone(), usize::from(bad), 0..=last));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_missing_folder_or_file_says_where_to_get_it() {
    let root = tempfile::tempdir().unwrap();
    let nowhere = root.path().join(CIFAR100_FOLDER);
    let missing = || match Cifar100::open(&nowhere, Split::Train, Cifar100Labels::Fine) {
        Err(Error::Missing { path, hint }) => (path, hint),
        other => panic!("{:?}", other.err()),
    };
    let (path, hint) = missing();
    assert!(path == nowhere && hint.contains("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"), "{hint}");
    let train = write_cifar100(root.path(), 1, 1).join("train.bin");
    fs::remove_file(&train).unwrap();
    assert_eq!(missing().0, train);
}
