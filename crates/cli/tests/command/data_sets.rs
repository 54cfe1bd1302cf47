//! `relata data`, on data sets that are not as they should be.

use std::fs;

use relata_testkit::datasets::{write_bytes, write_cifar10, write_class_folder, write_image, write_stl10};

use crate::Place;

#[test]
fn a_file_with_wrong_bytes_is_listed_as_damaged() {
    let place = Place::new();
    let folder = write_cifar10(&place.path("datasets"), 4);
    let verify = ["data", "verify", "cifar10", "data.root=datasets"];
    place.run(&verify).succeeded();
    // As many records as are published, and pixels that nobody published.
    fs::write(folder.join("test_batch.bin"), vec![3; 10_000 * 3073]).unwrap();
    let ended = place.run(&verify);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("damaged: datasets/cifar-10-batches-bin/test_batch.bin"), "{ended:?}");
    assert!(ended.stderr.contains("cifar10 is not whole: 1 file is damaged"), "{ended:?}");
}

#[test]
fn the_list_says_what_is_there_and_what_is_missing() {
    let place = Place::new();
    let row = |arguments: &[&str], name: &str| {
        let listed = place.run(&[&["data", "list"], arguments].concat()).succeeded().stdout;
        listed.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap().to_owned()
    };
    let root = ["data.root=sets"];
    assert!(row(&root, "cifar10").ends_with("[not there: sets/cifar-10-batches-bin or cifar-10-binary.tar.gz]"));
    assert!(row(&root, "slim").ends_with("[not there: sets/SlimageNet64 or SlimageNet64.zip, laid out by you]"));
    let cifar10 = write_cifar10(&place.path("sets"), 1);
    fs::remove_file(write_stl10(&place.path("sets"), 1).join("test_y.bin")).unwrap();
    write_bytes(&place.path("sets/cifar-100-binary.tar.gz.part"), &vec![0; 3 << 20]);
    write_bytes(&place.path("sets/tiny-imagenet-200.zip"), &vec![0; 2 << 20]);
    for (name, found) in [
        ("shapes", "[nothing to download]"),
        ("cifar10", "[there: sets/cifar-10-batches-bin]"),
        ("stl10", "[not all there: sets/stl10_binary lacks test_y.bin]"),
        ("cifar100", "[download begun: sets/cifar-100-binary.tar.gz.part has 3.0 MiB of 160.7 MiB]"),
        ("tiny", "[not all there: sets/tiny-imagenet-200.zip has 2.0 MiB of 236.6 MiB]"),
        ("folder", "[data.path]"),
    ] {
        assert!(row(&root, name).ends_with(found), "{}", row(&root, name));
    }
    assert!(row(&[], "cifar10").contains("not there: datasets/cifar-10-batches-bin"), "the root is the default's");
    assert!(row(&["data.path=sets"], "folder").ends_with("[there: sets]"));
    // Nothing is read: what lies there may be anything.
    for file in fs::read_dir(&cifar10).unwrap() {
        fs::write(file.unwrap().path(), b"x").unwrap();
    }
    assert!(row(&root, "cifar10").ends_with("[there: sets/cifar-10-batches-bin]"));
}

#[test]
fn all_that_is_missing_or_cannot_be_opened_is_listed_before_the_failure() {
    let place = Place::new();
    let folder = write_cifar10(&place.path("datasets"), 4);
    for batch in [2, 4] {
        fs::remove_file(folder.join(format!("data_batch_{batch}.bin"))).unwrap();
    }
    let verify = ["data", "verify", "cifar10", "data.root=datasets"];
    let ended = place.run(&verify);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let missing: Vec<_> = ended.stdout.lines().filter_map(|line| line.strip_prefix("missing: ")).collect();
    let expected = [2, 4].map(|batch| format!("datasets/cifar-10-batches-bin/data_batch_{batch}.bin"));
    assert_eq!(missing, expected, "{ended:?}");
    assert!(ended.stdout.contains("cifar10 test: 4 images, 0 broken"), "what is there is read: {ended:?}");
    assert!(ended.stderr.contains("cifar10 is not whole: 2 pieces are missing;"), "{ended:?}");

    fs::write(folder.join("data_batch_1.bin"), b"cut").unwrap();
    let ended = place.run(&verify);
    assert!(ended.code == Some(1) && ended.stdout.contains("data_batch_1.bin has 3 bytes"), "{ended:?}");
    // Where nothing can be opened it is one error, of a wrong request.
    fs::remove_dir_all(folder).unwrap();
    place.run(&verify).failed(2, &["cifar-10-batches-bin"]);
}

#[test]
fn splits_that_are_there_are_packed_and_the_others_named() {
    let place = Place::new();
    let folder = write_cifar10(&place.path("datasets"), 4);
    fs::remove_file(folder.join("test_batch.bin")).unwrap();
    let pack = ["data", "pack", "cifar10", "data.root=datasets", "--out", "cifar10.pack"];
    let ended = place.run(&pack).succeeded();
    assert!(ended.stdout.contains("cifar10.pack: 20 images in"), "{ended:?}");
    assert!(
        ended.stderr.contains("left out: the test split: cannot find datasets/cifar-10-batches-bin/test_batch.bin"),
        "{ended:?}"
    );
    let verified = place.run(&["data", "verify", "pack", "data.path=cifar10.pack"]).succeeded();
    assert!(verified.stdout.contains("train: 20 images, 0 broken"), "{verified:?}");
    // What is there and broken is not left out.
    fs::write(folder.join("test_batch.bin"), b"cut").unwrap();
    place.run(&pack).failed(1, &["test_batch.bin", "cut short"]);

    for mark in 0..3 {
        write_image(&place.path(&format!("loose/{mark}.png")), 5, 7, mark);
    }
    let ended = place.run(&["data", "pack", "folder", "data.path=loose", "--out", "loose.pack"]).succeeded();
    assert!(ended.stdout.contains("3 images") && ended.stderr.contains("left out: the test split: loose has no"), "{ended:?}");
    write_class_folder(&place.path("photos"), &[("cat", 5)], "png");
    let ended = place.run(&["data", "pack", "folder", "data.path=photos", "--out", "photos.pack"]).succeeded();
    assert!(!ended.stderr.contains("left out"), "{ended:?}");
}
