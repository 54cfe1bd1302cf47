//! STL-10 in its publisher's binary form: planes that lie column by column, labels from 1, a large unlabelled split.

use std::fs;
use std::fs::File;

use relata_data::{DataConfig, Dataset, Error, Split, Stl10, open, verify};
use relata_testkit::datasets::{STL10_FOLDER, cifar10_sample, stl10_label, write_stl10};

#[test]
fn images_are_upright_and_labels_count_from_zero() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_stl10(root.path(), 4);
    for (file, split) in [Split::Train, Split::Test, Split::Unlabelled].into_iter().enumerate() {
        let dataset = Stl10::open(&folder, split).unwrap();
        assert_eq!(dataset.len(), 4);
        for index in 0..4 {
            let label = (split != Split::Unlabelled).then(|| usize::from(stl10_label(file, index)) - 1);
            assert_eq!(dataset.label(index), label);
            let image = dataset.image(index).unwrap();
            assert_eq!((image.width_px(), image.height_px()), (96, 96));
            for (x, y) in (0..96).flat_map(|y| (0..96).map(move |x| (x, y))) {
                let written = [0, 1, 2].map(|channel| cifar10_sample(file, index, channel, y, x));
                assert_eq!(image.pixel(x, y), written, "{split} image {index}, ({x}, {y})");
            }
        }
        assert!(matches!(dataset.image(4), Err(Error::IndexOutOfRange { index: 4, len: 4 })));
        assert_eq!(dataset.label(4), None);
    }
    assert_eq!(Stl10::open(&folder, Split::Train).unwrap().class_names()[7], "monkey");
    assert!(Stl10::open(&folder, Split::Unlabelled).unwrap().class_names().is_empty());
}

/// KiB of the maps of `file` that this process has touched, as the kernel counts them.
#[cfg(target_os = "linux")]
fn touched_kib(file: &std::path::Path) -> usize {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut ours, mut maps_of_file, mut kib) = (false, 0, 0);
    for line in maps.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if !first.ends_with(':') {
            ours = line.ends_with(file.to_str().unwrap());
            maps_of_file += usize::from(ours);
        } else if ours && first == "Rss:" {
            kib += line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap();
        }
    }
    assert!(maps_of_file > 0, "{} is mapped", file.display());
    kib
}

#[cfg(target_os = "linux")]
#[test]
fn the_whole_unlabelled_split_is_opened_without_being_read() {
    const RECORD: u64 = 27_648;
    // What the kernel brings along with a page that is touched: 64 KiB as it comes, 2 MiB where it is set so.
    const AROUND_KIB: usize = 2048;
    let root = tempfile::tempdir().unwrap();
    let folder = write_stl10(root.path(), 1);
    let file = folder.join("unlabeled_X.bin");
    // A hole of the published size takes no room on the disk.
    File::options().write(true).open(&file).unwrap().set_len(100_000 * RECORD).unwrap();
    let config = DataConfig {
        dataset: "stl10".to_owned(),
        root: root.path().to_owned(),
        split: Split::Unlabelled,
        ..DataConfig::default()
    };
    let dataset = open(&config, Split::Unlabelled).unwrap();
    assert_eq!(touched_kib(&file), 0, "nothing was read");
    assert_eq!((dataset.len(), dataset.label(99_999)), (100_000, None));
    assert_eq!(dataset.image(99_999).unwrap().pixel(95, 95), [0, 0, 0]);
    assert_eq!(dataset.image(0).unwrap().pixel(3, 1), [0, 1, 2].map(|channel| cifar10_sample(2, 0, channel, 1, 3)));
    let two = touched_kib(&file);
    assert!((1..=2 * AROUND_KIB).contains(&two), "two images touched {two} KiB");
    let limited = open(&DataConfig { limit: 1000, ..config }, Split::Unlabelled).unwrap();
    assert_eq!((limited.len(), limited.fingerprint().len()), (1000, 16));
    let sample = touched_kib(&file);
    assert!(sample <= 66 * AROUND_KIB, "a fingerprint of 64 images touched {sample} KiB of 2,700,000");
}

#[test]
fn a_fingerprint_covers_labels_sizes_and_images() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_stl10(root.path(), 3);
    let fingerprint = || Stl10::open(&folder, Split::Train).unwrap().fingerprint().to_owned();
    let mut seen = vec![fingerprint()];
    for (file, at) in [("train_y.bin", 1), ("train_X.bin", 0), ("train_X.bin", 3 * 27_648 - 1)] {
        let mut bytes = fs::read(folder.join(file)).unwrap();
        bytes[at] = if file == "train_y.bin" { bytes[at] % 10 + 1 } else { bytes[at] ^ 1 };
        fs::write(folder.join(file), bytes).unwrap();
        seen.push(fingerprint());
    }
    for (file, bytes) in [("train_y.bin", 1), ("train_X.bin", 27_648)] {
        File::options().write(true).open(folder.join(file)).unwrap().set_len(bytes).unwrap();
    }
    seen.push(fingerprint());
    let before = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), before);
}

#[test]
fn files_of_the_published_length_and_other_bytes_are_damaged() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_stl10(root.path(), 1);
    assert!(Stl10::open(&folder, Split::Train).unwrap().damaged_files().is_empty(), "a cut-down copy may hold anything");
    File::options().write(true).open(folder.join("train_X.bin")).unwrap().set_len(5_000 * 27_648).unwrap();
    fs::write(folder.join("train_y.bin"), [7; 5_000]).unwrap();
    let report = verify(&Stl10::open(&folder, Split::Train).unwrap(), |_, _| ());
    assert!(report.broken.is_empty() && !report.is_whole());
    let damaged = report.damaged_files.iter().map(|error| match error {
        Error::DamagedFile { path, expected, .. } => (path.clone(), *expected),
        other => panic!("{other}"),
    });
    let of = |file: &str, md5| (folder.join(file), md5);
    let images = of("train_X.bin", "918c2871b30a85fa023e0c44e0bee87f");
    assert_eq!(damaged.collect::<Vec<_>>(), [images, of("train_y.bin", "5a34089d4802c674881badbb80307741")]);
}

#[test]
fn a_truncated_or_empty_file_is_found_on_opening() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_stl10(root.path(), 2);
    let file = folder.join("unlabeled_X.bin");
    for got in [0, 27_647, 27_649] {
        fs::write(&file, vec![0; got]).unwrap();
        match Stl10::open(&folder, Split::Unlabelled).err() {
            Some(Error::CutShort { path, record_bytes: 27_648, got_bytes }) => assert_eq!((path, got_bytes), (file.clone(), got)),
            other => panic!("{got} bytes: {other:?}"),
        }
    }
}

#[test]
fn more_or_fewer_labels_than_images_are_found_on_opening() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_stl10(root.path(), 3);
    let labels = folder.join("test_y.bin");
    for bytes in [&[][..], &[1, 2], &[1, 2, 3, 4]] {
        fs::write(&labels, bytes).unwrap();
        match Stl10::open(&folder, Split::Test).err() {
            Some(Error::LabelCount { path, images, expected: 3, got }) => {
                assert_eq!((path, images, got), (labels.clone(), folder.join("test_X.bin"), bytes.len()));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn labels_outside_of_one_to_ten_are_found_on_opening() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_stl10(root.path(), 3);
    for bad in [0, 11, 255] {
        fs::write(folder.join("train_y.bin"), [1, 10, bad]).unwrap();
        match Stl10::open(&folder, Split::Train).err() {
            Some(Error::LabelOutOfRange { path, record: 2, got, allowed }) => {
                assert_eq!((path, got, allowed), (folder.join("train_y.bin"), usize::from(bad), 1..=10));
            }
            other => panic!("{bad}: {other:?}"),
        }
    }
}

#[test]
fn a_missing_folder_or_file_says_where_to_get_it() {
    let root = tempfile::tempdir().unwrap();
    let missing = |split| match Stl10::open(&root.path().join(STL10_FOLDER), split) {
        Err(Error::Missing { path, hint }) => (path, hint),
        other => panic!("{:?}", other.err()),
    };
    assert!(missing(Split::Train).1.contains("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"));
    let folder = write_stl10(root.path(), 1);
    for (split, file) in [(Split::Train, "train_y.bin"), (Split::Test, "test_X.bin"), (Split::Unlabelled, "unlabeled_X.bin")] {
        fs::remove_file(folder.join(file)).unwrap();
        assert_eq!(missing(split).0, folder.join(file));
    }
}

#[test]
fn a_fold_is_the_images_that_its_line_lists() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_stl10(root.path(), 5);
    let list = folder.join("fold_indices.txt");
    let config = |fold: usize| {
        let config = DataConfig { dataset: "stl10".to_owned(), root: root.path().to_owned(), ..DataConfig::default() };
        config.with("stl10_fold", fold as u64).unwrap()
    };
    assert!(matches!(open(&config(1), Split::Train).err(), Some(Error::Missing { path, .. }) if path == list));
    fs::write(&list, "0 1 \n4 2 \n3 x\n3 5\n\n\n2 0 4 2\n").unwrap();
    let fold = open(&config(2), Split::Train).unwrap();
    let whole = open(&config(0), Split::Train).unwrap();
    assert_eq!((fold.len(), whole.len(), open(&config(2), Split::Test).unwrap().len()), (2, 5, 5));
    assert_eq!((fold.image(0).unwrap(), fold.label(1)), (whole.image(4).unwrap(), whole.label(2)));
    for (bad, word) in [(3, "x"), (4, "5"), (5, "nothing"), (6, "nothing"), (7, "2 twice"), (8, "nothing")] {
        match open(&config(bad), Split::Train).err() {
            Some(Error::Line { path, line, got, .. }) => assert_eq!((path, line, got.as_str()), (list.clone(), bad, word)),
            other => panic!("{bad}: {other:?}"),
        }
    }
    for none in [0, 11] {
        assert!(matches!(Stl10::fold(&folder, none).err(), Some(Error::Setting { key: "stl10_fold", .. })));
    }
}
