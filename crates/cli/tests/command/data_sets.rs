//! `relata data`, on data sets that are not as they should be.

use std::fs;

use relata_testkit::datasets::write_cifar10;

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
