//! CIFAR-10 in its publisher's binary form.

use std::fs;
use std::path::Path;

use relata_data::{Cifar10, Dataset, Error, Split, verify};
use relata_testkit::datasets::{CIFAR10_FOLDER, cifar10_label, cifar10_sample, write_cifar10};
use relata_testkit::real_data;

/// Images in each file of the tiny copy.
const RECORDS: usize = 7;

#[test]
fn every_pixel_and_label_is_where_it_was_written() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar10(root.path(), RECORDS);
    for (split, first_file, files) in [(Split::Train, 0, 5), (Split::Test, 5, 1)] {
        let dataset = Cifar10::open(&folder, split).unwrap();
        assert_eq!(dataset.len(), files * RECORDS);
        assert_eq!(dataset.class_names()[6], "frog");
        for index in 0..dataset.len() {
            let (file, record) = (first_file + index / RECORDS, index % RECORDS);
            assert_eq!(dataset.label(index), Some(usize::from(cifar10_label(file, record))));
            let image = dataset.image(index).unwrap();
            assert_eq!((image.width_px(), image.height_px()), (32, 32));
            for (x, y) in (0..32).flat_map(|y| (0..32).map(move |x| (x, y))) {
                let written = [0, 1, 2].map(|channel| cifar10_sample(file, record, channel, y, x));
                assert_eq!(image.pixel(x, y), written, "{split} image {index}, ({x}, {y})");
            }
        }
    }
}

#[test]
fn unlabelled_is_the_training_images_without_labels() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar10(root.path(), RECORDS);
    let [train, unlabelled] = [Split::Train, Split::Unlabelled].map(|split| Cifar10::open(&folder, split).unwrap());
    assert_eq!(unlabelled.len(), train.len());
    assert_eq!(unlabelled.image(9).unwrap(), train.image(9).unwrap());
    assert_eq!((unlabelled.label(9), unlabelled.class_names()), (None, [].as_slice()));
    assert_ne!(unlabelled.fingerprint(), train.fingerprint());
}

#[test]
fn a_source_names_file_and_record() {
    let root = tempfile::tempdir().unwrap();
    let dataset = Cifar10::open(&write_cifar10(root.path(), RECORDS), Split::Train).unwrap();
    let last_of_second = dataset.source(2 * RECORDS - 1);
    assert!(last_of_second.ends_with("data_batch_2.bin, record 6"), "{last_of_second}");
}

#[test]
fn a_missing_folder_or_file_says_where_to_get_it() {
    let root = tempfile::tempdir().unwrap();
    let nowhere = root.path().join(CIFAR10_FOLDER);
    let missing = |folder: &Path| match Cifar10::open(folder, Split::Train) {
        Err(Error::Missing { path, hint }) => (path, hint),
        other => panic!("{:?}", other.err()),
    };
    let (path, hint) = missing(&nowhere);
    assert!(path == nowhere && hint.contains("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"), "{hint}");

    let folder = write_cifar10(root.path(), 1);
    let third = folder.join("data_batch_3.bin");
    fs::remove_file(&third).unwrap();
    assert_eq!(missing(&folder).0, third);
    assert!(Cifar10::open(&folder, Split::Test).is_ok(), "the test images are all there");
}

#[test]
fn a_file_cut_short_is_found_on_opening() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar10(root.path(), RECORDS);
    let file = folder.join("data_batch_4.bin");
    for got in [0, 1, 3072, 3074, RECORDS * 3073 - 1] {
        let bytes = vec![0; got];
        fs::write(&file, bytes).unwrap();
        match Cifar10::open(&folder, Split::Train).err() {
            Some(Error::CutShort { path, record_bytes: 3073, got_bytes }) => assert_eq!((path, got_bytes), (file.clone(), got)),
            other => panic!("{got} bytes: {other:?}"),
        }
    }
}

#[test]
fn a_label_out_of_range_is_found_on_opening() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar10(root.path(), RECORDS);
    let file = folder.join("test_batch.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[3 * 3073] = 10;
    fs::write(&file, bytes).unwrap();
    match Cifar10::open(&folder, Split::Test).err() {
        Some(Error::LabelOutOfRange { path, record: 3, got: 10, allowed }) => assert_eq!((path, allowed), (file, 0..=9)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn class_names_are_read_counted_and_replaced() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar10(root.path(), 1);
    let names = folder.join("batches.meta.txt");
    fs::write(&names, "a\nb\nc\n").unwrap();
    let error = Cifar10::open(&folder, Split::Train).err();
    assert!(matches!(error, Some(Error::ClassNames { expected: 10, got: 3, .. })), "{error:?}");
    fs::write(&names, "a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\n\r\n").unwrap();
    assert_eq!(Cifar10::open(&folder, Split::Train).unwrap().class_names()[9], "j");
    fs::remove_file(&names).unwrap();
    assert_eq!(Cifar10::open(&folder, Split::Train).unwrap().class_names()[9], "truck");
}

#[test]
fn one_changed_byte_changes_the_fingerprint() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar10(root.path(), RECORDS);
    let fingerprint = || Cifar10::open(&folder, Split::Train).unwrap().fingerprint().to_owned();
    let before = fingerprint();
    assert_eq!(fingerprint(), before);
    let file = folder.join("data_batch_5.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[3072] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_ne!(fingerprint(), before);
}

/// A test batch of the published length with the tiny copy's bytes.
fn write_test_batch(folder: &Path, records: usize) {
    let bytes = fs::read(folder.join("test_batch.bin")).unwrap();
    let cycle: Vec<u8> = bytes.iter().copied().cycle().take(records * 3073).collect();
    fs::write(folder.join("test_batch.bin"), cycle).unwrap();
}

#[test]
fn a_file_of_the_published_length_and_other_bytes_is_damaged() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_cifar10(root.path(), RECORDS);
    let report = || verify(&Cifar10::open(&folder, Split::Test).unwrap(), |_, _| ());
    assert!(report().is_whole(), "a cut-down copy may hold anything");
    write_test_batch(&folder, 10_000);
    let found = report();
    assert!(found.broken.is_empty() && !found.is_whole(), "every record reads as an image");
    match &found.damaged_files[..] {
        [Error::DamagedFile { path, expected: "803d5f7f4d78ea53de84dbe85f74fb6d", got }] => {
            assert_eq!((path, got.len()), (&folder.join("test_batch.bin"), 32));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_published_files_are_whole_until_a_byte_is_wrong() {
    let Some(folder) = real_data(CIFAR10_FOLDER) else { return };
    for split in [Split::Train, Split::Test] {
        assert!(verify(&Cifar10::open(&folder, split).unwrap(), |_, _| ()).is_whole(), "{split}");
    }
    let root = tempfile::tempdir().unwrap();
    let copy = root.path().join("test_batch.bin");
    let mut bytes = fs::read(folder.join("test_batch.bin")).unwrap();
    bytes[17_000_000] ^= 4;
    fs::write(&copy, bytes).unwrap();
    let damaged = Cifar10::open(root.path(), Split::Test).unwrap().damaged_files();
    assert!(matches!(&damaged[..], [Error::DamagedFile { path, .. }] if *path == copy), "{damaged:?}");
}

#[test]
fn an_index_past_the_end_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let dataset = Cifar10::open(&write_cifar10(root.path(), 2), Split::Train).unwrap();
    assert!(matches!(dataset.image(10), Err(Error::IndexOutOfRange { index: 10, len: 10 })));
    assert_eq!(dataset.label(10), None);
}

#[test]
fn the_published_files_hold_what_is_known_of_them() {
    let Some(folder) = real_data(CIFAR10_FOLDER) else { return };
    let [train, test] = [Split::Train, Split::Test].map(|split| Cifar10::open(&folder, split).unwrap());
    assert_eq!((train.len(), test.len()), (50_000, 10_000));
    for (dataset, each) in [(&train, 5000), (&test, 1000)] {
        let mut counts = [0; 10];
        (0..dataset.len()).for_each(|index| counts[dataset.label(index).unwrap()] += 1);
        assert_eq!(counts, [each; 10]);
    }
    // The frog and the cat that every tutorial on CIFAR-10 prints first.
    assert_eq!((train.label(0), train.image(0).unwrap().pixel(0, 0)), (Some(6), [59, 62, 63]));
    assert_eq!((test.label(0), test.image(0).unwrap().pixel(0, 0)), (Some(3), [158, 112, 49]));

    // Another way to the same bytes: whole files, one byte position at a time.
    let third = fs::read(folder.join("data_batch_3.bin")).unwrap();
    for record in [0, 17, 9999] {
        let image = train.image(20_000 + record).unwrap();
        assert_eq!(train.label(20_000 + record), Some(usize::from(third[record * 3073])));
        for (x, y) in [(0, 0), (31, 0), (0, 31), (5, 7), (31, 31)] {
            let byte = |channel: usize| third[record * 3073 + 1 + channel * 1024 + y * 32 + x];
            assert_eq!(image.pixel(x, y), [byte(0), byte(1), byte(2)], "record {record}, ({x}, {y})");
        }
    }
}
