//! CIFAR from a hub of the test's own.

mod server;
mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::RgbImage;
use image::imageops::{flip_horizontal, rotate90};
use md5::{Digest, Md5};
use relata_data::{
    Archive, DataConfig, Error, FetchOptions, HubOptions, HubSource, HubSplit, RowProblem, Split, Work, entry, fetch_from_hub,
    open,
};
use tempfile::TempDir;

use server::{COMMIT, Faults, Server};
use tables::{Row, parquet, picture, png, row};

const SIDE_PX: u32 = 32;
const TRAIN: &str = "plain_text/train/0000.parquet";
const TEST: &str = "plain_text/test/0000.parquet";

/// CIFAR-10 with two images in each of the publisher's files.
fn small_cifar10() -> HubSource {
    HubSource {
        splits: &[
            HubSplit {
                name: "train",
                files: &[
                    ("data_batch_1.bin", None),
                    ("data_batch_2.bin", None),
                    ("data_batch_3.bin", None),
                    ("data_batch_4.bin", None),
                    ("data_batch_5.bin", None),
                ],
                records: 2,
            },
            HubSplit { name: "test", files: &[("test_batch.bin", None)], records: 2 },
        ],
        ..entry("cifar10").unwrap().hub.unwrap()
    }
}

/// Row i is picture i with label i.
fn train_rows() -> Vec<Row> {
    (0..10).map(|i| row(i, SIDE_PX, &[i as i64])).collect()
}

fn test_rows() -> Vec<Row> {
    vec![row(20, SIDE_PX, &[3]), row(21, SIDE_PX, &[9])]
}

fn table(rows: &[Row]) -> Vec<u8> {
    parquet("img", &["label"], rows)
}

fn files(train: &[Row], test: &[Row]) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([(TRAIN.to_owned(), table(train)), (TEST.to_owned(), table(test))])
}

fn serve(train: &[Row], faults: Faults) -> Server {
    Server::start("uoft-cs/cifar10", files(train, &test_rows()), faults)
}

fn archive(name: &str) -> Archive {
    entry(name).unwrap().archive().unwrap()
}

/// Patience for a server of this machine.
fn options(server: &Server) -> HubOptions {
    let fetch = FetchOptions {
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(10),
        attempts: 2,
        retry_delay: Duration::ZERO,
        ..FetchOptions::default()
    };
    HubOptions { endpoint: server.endpoint.clone(), fetch }
}

fn fetch_small(server: &Server, root: &Path) -> Result<PathBuf, Error> {
    fetch_from_hub(&small_cifar10(), &archive("cifar10"), root, &options(server), &|_| ())
}

fn new_root() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Where a file of the hub's lies below the root.
fn cached(root: &Path, name: &str) -> PathBuf {
    root.join("hub/datasets--uoft-cs--cifar10/snapshots").join(COMMIT).join(name)
}

/// The error, once it is clear that nothing but the hub's own files is left.
#[track_caller]
fn failure(server: &Server) -> Error {
    let root = new_root();
    let error = fetch_small(server, root.path()).unwrap_err();
    let left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["hub"], "{error}");
    error
}

/// The row and what is wrong with it, where row 7 of the training images is this one.
#[track_caller]
fn problem_with(bad: Row) -> RowProblem {
    let mut rows = train_rows();
    rows[7] = bad;
    match failure(&serve(&rows, Faults::default())) {
        Error::HubRow { path, row: 7, problem } => {
            assert!(path.ends_with(TRAIN), "{}", path.display());
            problem
        }
        other => panic!("{other}"),
    }
}

fn config(name: &str, root: &Path) -> DataConfig {
    DataConfig { dataset: name.to_owned(), root: root.to_owned(), ..DataConfig::default() }
}

#[test]
fn images_come_upright_in_order_and_with_their_labels() {
    let (server, root) = (serve(&train_rows(), Faults::default()), new_root());
    let folder = fetch_small(&server, root.path()).unwrap();
    assert_eq!(folder, root.path().join("cifar-10-batches-bin"));
    let check = |split, index, seed, label| {
        let dataset = open(&config("cifar10", root.path()), split).unwrap();
        let got = dataset.image(index).unwrap();
        let got = RgbImage::from_raw(got.width_px() as u32, got.height_px() as u32, got.rgb().to_vec()).unwrap();
        let expected = picture(seed, SIDE_PX);
        assert!(got == expected, "image {index} of {split}");
        // What candle's own loader makes of it: columns for rows.
        let transposed = flip_horizontal(&rotate90(&expected));
        assert!(transposed.get_pixel(5, 2) == expected.get_pixel(2, 5) && transposed != got, "a symmetric image proves nothing");
        assert_eq!(dataset.label(index), Some(label));
        assert_eq!(dataset.len(), if split == Split::Test { 2 } else { 10 });
        assert_eq!(dataset.class_names()[9], "truck");
    };
    for index in 0..10 {
        check(Split::Train, index, index, index);
    }
    check(Split::Test, 0, 20, 3);
    check(Split::Test, 1, 21, 9);
}

#[test]
fn both_labels_of_cifar100_go_where_its_publisher_has_them() {
    let source = HubSource {
        splits: &[
            HubSplit { name: "train", files: &[("train.bin", None)], records: 3 },
            HubSplit { name: "test", files: &[("test.bin", None)], records: 1 },
        ],
        ..entry("supercifar100").unwrap().hub.unwrap()
    };
    let labels = ["fine_label", "coarse_label"];
    let train = [row(0, SIDE_PX, &[99, 13]), row(1, SIDE_PX, &[0, 4]), row(2, SIDE_PX, &[19, 19])];
    let files = BTreeMap::from([
        ("cifar100/train/0000.parquet".to_owned(), parquet("img", &labels, &train[..2])),
        // Large data sets come in several files.
        ("cifar100/train/0001.parquet".to_owned(), parquet("img", &labels, &train[2..])),
        ("cifar100/test/0000.parquet".to_owned(), parquet("img", &labels, &[row(3, SIDE_PX, &[50, 1])])),
    ]);
    let (server, root) = (Server::start("uoft-cs/cifar100", files, Faults::default()), new_root());
    fetch_from_hub(&source, &archive("cifar100"), root.path(), &options(&server), &|_| ()).unwrap();
    for (name, expected, last) in [("cifar100", [99, 0, 19], "worm"), ("supercifar100", [13, 4, 19], "vehicles_2")] {
        let dataset = open(&config(name, root.path()), Split::Train).unwrap();
        let got: Vec<usize> = (0..dataset.len()).filter_map(|index| dataset.label(index)).collect();
        assert_eq!((got.as_slice(), dataset.class_names().last().map(String::as_str)), (&expected[..], Some(last)));
        assert_eq!(dataset.image(2).unwrap().rgb(), picture(2, SIDE_PX).as_raw().as_slice());
    }
}

/// The bytes of the publisher's six files, in order.
fn record_files(folder: &Path) -> Vec<Vec<u8>> {
    let names = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
    names.map(|name| fs::read(folder.join(name).with_extension("bin")).unwrap()).to_vec()
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

#[test]
fn the_publishers_files_are_recognised_wherever_the_hub_has_them() {
    let root = new_root();
    let published = record_files(&fetch_small(&serve(&train_rows(), Faults::default()), root.path()).unwrap());
    assert!(published.iter().all(|file| file.len() == 2 * 3073));
    let md5 = |which: usize| {
        let digits: String = Md5::digest(&published[which]).iter().map(|byte| format!("{byte:02x}")).collect();
        Some(&**leak(digits))
    };
    let batches = ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
    let known: Vec<_> = batches.into_iter().enumerate().map(|(which, name)| (name, md5(which))).collect();
    let source = HubSource {
        splits: leak(vec![
            HubSplit { name: "train", files: leak(known), records: 2 },
            HubSplit { name: "test", files: leak(vec![("test_batch.bin", md5(5))]), records: 2 },
        ]),
        ..small_cifar10()
    };
    let fetched = |order: [usize; 10]| {
        let rows: Vec<Row> = order.into_iter().map(|index| train_rows()[index].clone()).collect();
        let (server, root) = (serve(&rows, Faults::default()), new_root());
        let folder = fetch_from_hub(&source, &archive("cifar10"), root.path(), &options(&server), &|_| ()).unwrap();
        record_files(&folder)
    };
    // The publisher's files, in another order.
    assert!(fetched([6, 7, 4, 5, 2, 3, 8, 9, 0, 1]) == published);
    // Two of them with an image exchanged: no more than those two are strangers.
    let exchanged = fetched([6, 7, 4, 9, 2, 3, 8, 5, 0, 1]);
    for which in [0, 1, 3, 5] {
        assert!(exchanged[which] == published[which], "file {which}");
    }
    assert_eq!(exchanged[2], [&published[2][..3073], &published[4][3073..]].concat());
    assert_eq!(exchanged[4], [&published[4][..3073], &published[2][3073..]].concat());
}

#[test]
fn two_fetches_give_the_same_bytes_and_the_second_downloads_nothing() {
    let (server, root) = (serve(&train_rows(), Faults::default()), new_root());
    let folder = fetch_small(&server, root.path()).unwrap();
    let first = record_files(&folder);
    assert_eq!(server.requests().iter().filter(|(request, _)| request.starts_with("GET /bytes/")).count(), 2);
    fetch_small(&server, root.path()).unwrap();
    assert_eq!(server.requests(), [], "what is there is not requested");
    fs::remove_dir_all(&folder).unwrap();
    fetch_small(&server, root.path()).unwrap();
    assert!(server.requests().iter().all(|(request, _)| !request.starts_with("GET /bytes/")), "the hub's files are kept");
    assert!(record_files(&folder) == first);
}

#[test]
fn progress_reaches_the_end_of_every_work() {
    let (server, root) = (serve(&train_rows(), Faults::default()), new_root());
    let seen = std::cell::RefCell::new(Vec::new());
    let note = |at| seen.borrow_mut().push(at);
    fetch_from_hub(&small_cifar10(), &archive("cifar10"), root.path(), &options(&server), &note).unwrap();
    let seen = seen.into_inner();
    let last = |work| seen.iter().rfind(|at| at.work == work).map(|at| (at.done_bytes, at.of_bytes)).unwrap();
    let [(_, test), (_, train)] = &files(&train_rows(), &test_rows()).into_iter().collect::<Vec<_>>()[..] else { unreachable!() };
    assert!(test.len() < train.len());
    for work in [Work::Download, Work::Verify] {
        assert_eq!(last(work), (train.len() as u64, train.len() as u64), "{work:?}");
    }
    assert_eq!(last(Work::Unpack), (12 * 3073, 12 * 3073));
}

#[test]
fn a_cut_transfer_goes_on_where_it_was_cut() {
    let faults = Faults { cuts: vec![1000, 500], ..Faults::default() };
    let (server, root) = (serve(&train_rows(), faults), new_root());
    fetch_small(&server, root.path()).unwrap();
    let ranges: Vec<_> =
        server.requests().into_iter().filter(|(request, _)| request.starts_with("GET /bytes/")).map(|(_, start)| start).collect();
    assert_eq!(ranges, [None, Some(1000), Some(1500), None]);
}

#[test]
fn bytes_other_than_the_hub_promises_are_removed() {
    match failure(&serve(&train_rows(), Faults { wrong_bytes: true, ..Faults::default() })) {
        Error::Download { reason, path, .. } => assert!(reason.contains("SHA-256") && !path.exists(), "{reason}"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_file_put_there_by_hand_is_checked_and_used() {
    let (server, root) = (serve(&train_rows(), Faults::default()), new_root());
    let path = cached(root.path(), TRAIN);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"something else").unwrap();
    let error = fetch_small(&server, root.path()).unwrap_err();
    assert!(matches!(&error, Error::Checksum { path: named, .. } if *named == path), "{error}");
    fs::write(&path, table(&train_rows())).unwrap();
    fetch_small(&server, root.path()).unwrap();
    let brought = |name: &str| format!("GET /bytes/{name}");
    let requests = server.requests();
    assert!(requests.iter().any(|(request, _)| *request == brought(TEST)));
    assert!(requests.iter().all(|(request, _)| *request != brought(TRAIN)));
}

#[test]
fn more_or_fewer_rows_than_published_are_an_error() {
    for rows in [&train_rows()[..9], &[train_rows(), test_rows()].concat()] {
        match failure(&serve(rows, Faults::default())) {
            Error::HubRows { path, files: 1, expected: 10, got } => {
                assert!(path.ends_with(TRAIN));
                assert_eq!(got, rows.len());
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_label_that_no_class_has_is_an_error() {
    for got in [10, -1, 256, i64::MAX] {
        let problem = problem_with(row(7, SIDE_PX, &[got]));
        assert_eq!(problem, RowProblem::Label { column: "label", got, classes: 10 });
    }
}

#[test]
fn an_image_that_cannot_be_decoded_is_an_error() {
    let whole = png(&picture(7, SIDE_PX));
    for bytes in [&b""[..], b"no image at all", &whole[..whole.len() / 2]] {
        let problem = problem_with(Row { image: Some(bytes.to_vec()), labels: vec![7] });
        assert!(matches!(problem, RowProblem::BrokenImage { .. }), "{problem}");
    }
}

#[test]
fn an_image_of_another_size_is_an_error() {
    let image = RgbImage::from_pixel(32, 31, image::Rgb([1, 2, 3]));
    let problem = problem_with(Row { image: Some(png(&image)), labels: vec![7] });
    assert_eq!(problem, RowProblem::ImageSize { width_px: 32, height_px: 31, side_px: 32 });
}

#[test]
fn a_row_without_an_image_is_an_error() {
    let problem = problem_with(Row { image: None, labels: vec![7] });
    assert!(matches!(problem, RowProblem::NoImage { column: "img", .. }), "{problem}");
}

#[test]
fn a_missing_column_is_an_error() {
    for (image, label) in [("image", "label"), ("img", "fine_label")] {
        let files =
            BTreeMap::from([(TRAIN.to_owned(), parquet(image, &[label], &train_rows())), (TEST.to_owned(), table(&test_rows()))]);
        match failure(&Server::start("uoft-cs/cifar10", files, Faults::default())) {
            Error::HubRow { row: 0, problem: RowProblem::NoImage { column: "img", .. }, .. } => assert_eq!(image, "image"),
            Error::HubRow { row: 0, problem: RowProblem::NoLabel { column: "label", .. }, .. } => assert_eq!(image, "img"),
            other => panic!("{other}"),
        }
    }
}

/// An error that says how to do without the hub.
#[track_caller]
fn assert_hub_error(error: &Error) {
    match error {
        Error::Hub { url, archive: known, path, .. } => {
            assert!(url.ends_with("/datasets/uoft-cs/cifar10/tree/refs%2Fconvert%2Fparquet/plain_text"), "{url}");
            assert_eq!(**known, archive("cifar10"));
            assert!(path.ends_with("cifar-10-binary.tar.gz"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn without_a_hub_the_error_says_what_to_do_without_it() {
    // Nobody listens where a listener was dropped.
    let endpoint = format!("http://{}", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let server = serve(&train_rows(), Faults::default());
    let options = HubOptions { endpoint, ..options(&server) };
    let root = new_root();
    let error = fetch_from_hub(&small_cifar10(), &archive("cifar10"), root.path(), &options, &|_| ()).unwrap_err();
    assert_hub_error(&error);
    let words = error.to_string();
    for part in ["cifar-10-binary.tar.gz", "MD5 c32a1d4ab5d03f1284b67883e8d87530", &*root.path().to_string_lossy()] {
        assert!(words.contains(part), "{part} is missing in: {words}");
    }
}

#[test]
fn a_hub_that_refuses_or_falls_silent_is_given_up() {
    assert_hub_error(&failure(&serve(&train_rows(), Faults { status: Some(("GET", 404)), ..Faults::default() })));
    let refusing = serve(&train_rows(), Faults { status: Some(("HEAD", 503)), ..Faults::default() });
    match failure(&refusing) {
        Error::Download { url, path, .. } => {
            let resolve = format!("{}/datasets/uoft-cs/cifar10/resolve/{COMMIT}/", refusing.endpoint);
            assert!(url.starts_with(&resolve) && path.to_string_lossy().contains(COMMIT), "{url} {}", path.display());
        }
        other => panic!("{other}"),
    }
    assert_eq!(refusing.requests().iter().filter(|(request, _)| request.starts_with("HEAD")).count(), 2, "tries");
    let gone = serve(&train_rows(), Faults { status: Some(("HEAD", 404)), ..Faults::default() });
    assert!(matches!(failure(&gone), Error::Download { .. }));
    assert_eq!(gone.requests().iter().filter(|(request, _)| request.starts_with("HEAD")).count(), 1, "it would say so again");

    let silent = serve(&train_rows(), Faults { silent: true, ..Faults::default() });
    let mut options = options(&silent);
    options.fetch.read_timeout = Duration::from_millis(200);
    let root = new_root();
    assert_hub_error(&fetch_from_hub(&small_cifar10(), &archive("cifar10"), root.path(), &options, &|_| ()).unwrap_err());
}

#[test]
fn names_and_commits_that_lead_elsewhere_are_refused() {
    let names = [
        "../../../../../outside.parquet",
        "/tmp/outside.parquet",
        "plain_text/train/../../outside.parquet",
        "plain_text/train/deeper/0000.parquet",
        "plain_text/validation/0000.parquet",
        "other/train/0000.parquet",
        "outside.parquet",
    ];
    for name in names {
        let server = serve(&train_rows(), Faults { listed: vec![name], ..Faults::default() });
        assert_hub_error(&failure(&server));
        assert_eq!(server.requests().len(), 1, "only the listing is requested: {name}");
    }
    for commit in ["", "main", "../../../0123456789012345678901234567890"] {
        assert_hub_error(&failure(&serve(&train_rows(), Faults { commit: Some(commit), ..Faults::default() })));
    }
}

#[test]
fn a_split_without_files_and_a_file_that_is_no_parquet_are_errors() {
    let mut all = files(&train_rows(), &test_rows());
    let test = all.remove(TEST).unwrap();
    assert_hub_error(&failure(&Server::start("uoft-cs/cifar10", all.clone(), Faults::default())));
    for bytes in [b"no parquet".to_vec(), test[..test.len() - 5].to_vec()] {
        all.insert(TEST.to_owned(), bytes);
        assert_hub_error(&failure(&Server::start("uoft-cs/cifar10", all.clone(), Faults::default())));
    }
}

#[test]
fn damaged_pages_are_errors_and_no_panic() {
    let whole = table(&train_rows());
    let mut found = 0;
    // The footer, a few hundred bytes, was tried above; every byte before it belongs to a page.
    for at in (4..whole.len() - 1500).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        let files = BTreeMap::from([(TRAIN.to_owned(), bytes), (TEST.to_owned(), table(&test_rows()))]);
        let (server, root) = (Server::start("uoft-cs/cifar10", files, Faults::default()), new_root());
        match fetch_small(&server, root.path()) {
            // A pixel has no checksum of its own: PNG's does not cover what its decoder does not look at.
            Ok(_) => {}
            Err(Error::HubRow { .. } | Error::Hub { .. } | Error::HubRows { .. }) => found += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(found > 20, "{found}");
}
