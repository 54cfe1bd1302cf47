//! The list of a folder's images, kept between two openings.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use relata_data::{DataConfig, Dataset, Error, Folder, FolderOptions, Opening, Split, Tiny, open_watched};
use relata_testkit::datasets::{TinyVal, write_bytes, write_class_folder, write_image, write_tiny};
use sha2::{Digest, Sha256};

/// Some time after 1970 and long before now, another for each `year`; no clock is read.
fn long_ago(year: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000 + year * 31_536_000, 123_456_789)
}

/// Makes every folder look as if nothing had changed since then.
fn age(folder: &Path, year: u64) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && !entry.ends_with(".relata-index") {
            age(&entry, year);
        }
    }
    File::open(folder).unwrap().set_modified(long_ago(year)).unwrap();
}

fn open(path: &Path, index: bool) -> Folder {
    Folder::open(path, FolderOptions { split: Split::Unlabelled, index, ..FolderOptions::default() }).unwrap()
}

fn photos() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write_class_folder(root.path(), &[("cat", 3), ("dog", 2)], "png");
    write_image(&root.path().join("dog/deep/deeper/x.webp"), 5, 7, 0);
    write_bytes(&root.path().join("dog/notes.txt"), b"no image");
    age(root.path(), 0);
    root
}

fn index(root: &Path) -> PathBuf {
    root.join(".relata-index/all")
}

/// What only a reader of the index would see: `cat/000.png` of another size.
fn forge(root: &Path) -> String {
    let whole = open(root, false);
    let text = fs::read_to_string(index(root)).unwrap();
    write_bytes(&root.join("cat/000.png"), &[0; 999]);
    File::open(root.join("cat")).unwrap().set_modified(long_ago(0)).unwrap();
    assert_ne!(open(root, false).fingerprint(), whole.fingerprint());
    assert_eq!(open(root, true).fingerprint(), whole.fingerprint(), "the index was read");
    text
}

#[test]
fn an_index_gives_the_same_list_and_fingerprint() {
    let root = photos();
    let listed = open(root.path(), false);
    for _ in 0..2 {
        let indexed = open(root.path(), true);
        assert_eq!((indexed.len(), indexed.fingerprint()), (6, listed.fingerprint()));
        assert!((0..6).all(|image| indexed.source(image) == listed.source(image)));
        assert!(index(root.path()).is_file());
    }
    forge(root.path());
}

#[test]
fn the_number_of_images_is_reported_from_an_index_too() {
    let root = photos();
    let config =
        DataConfig { dataset: "folder".into(), path: root.path().into(), ..DataConfig::default() }.with("index", true).unwrap();
    for _ in 0..2 {
        let reported = std::sync::Mutex::new(Vec::new());
        open_watched(&config, Split::Unlabelled, &|at| match at {
            Opening::Listed { images } => reported.lock().unwrap().push(images),
            other => panic!("no image is read: {other:?}"),
        })
        .unwrap();
        assert_eq!(reported.into_inner().unwrap(), [6]);
    }
}

#[test]
fn the_first_opening_writes_the_index_and_leaves_the_folders_time() {
    let root = photos();
    let before = fs::metadata(root.path()).unwrap().modified().unwrap();
    open(root.path(), true);
    assert!(index(root.path()).is_file());
    assert_eq!(fs::metadata(root.path()).unwrap().modified().unwrap(), before);
}

#[test]
fn who_may_read_the_images_may_read_their_index() {
    use std::os::unix::fs::PermissionsExt;
    let root = photos();
    open(root.path(), true);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(index(root.path())), mode(root.path().join("dog/notes.txt")));
}

#[test]
fn no_index_is_written_unless_it_is_requested() {
    let root = photos();
    open(root.path(), false);
    assert!(!index(root.path()).exists());
}

/// Something that happens to a folder.
type Change = fn(&Path);

#[test]
fn what_came_went_or_was_renamed_is_seen() {
    let root = photos();
    open(root.path(), true);
    let changes: [(&str, Change, usize); 4] = [
        ("came", |root| write_image(&root.join("dog/deep/new.png"), 5, 7, 1), 7),
        ("came as a folder", |root| write_image(&root.join("emu/a.png"), 5, 7, 1), 8),
        ("went", |root| fs::remove_file(root.join("cat/001.png")).unwrap(), 7),
        ("renamed", |root| fs::rename(root.join("cat/000.png"), root.join("cat/zzz.png")).unwrap(), 7),
    ];
    for (year, (what, change, images)) in (1..).zip(changes) {
        change(root.path());
        let (indexed, listed) = (open(root.path(), true), open(root.path(), false));
        assert_eq!((indexed.len(), indexed.fingerprint()), (images, listed.fingerprint()), "{what}");
        age(root.path(), year);
        assert_eq!(open(root.path(), true).len(), images, "{what}");
    }
}

#[test]
fn a_folder_that_has_just_changed_is_not_indexed_yet() {
    let root = tempfile::tempdir().unwrap();
    write_class_folder(root.path(), &[("cat", 3)], "png");
    assert_eq!(open(root.path(), true).len(), 3);
    assert!(!index(root.path()).exists(), "its time may be rounded");
    age(root.path(), 0);
    open(root.path(), true);
    assert!(index(root.path()).exists());
}

#[test]
fn a_damaged_index_is_made_anew() {
    let root = photos();
    open(root.path(), true);
    let text = forge(root.path());
    let now = open(root.path(), false).fingerprint().to_owned();
    for damaged in [
        String::new(),
        text[..text.len() / 2].to_owned(),
        text.replace("cat", "cow"),
        text.replace("relata-index 1", "relata-index 2"),
        text.replacen("f\t", "f\t1", 1),
    ] {
        fs::write(index(root.path()), damaged).unwrap();
        assert_eq!(open(root.path(), true).fingerprint(), now);
    }
}

#[test]
fn an_index_that_leads_out_of_its_folder_or_leaves_it_out_is_made_anew() {
    let root = photos();
    open(root.path(), true);
    let whole = fs::read_to_string(index(root.path())).unwrap();
    let lines = whole.splitn(3, '\n').last().unwrap();
    let (form, listed) = ("relata-index 1", open(root.path(), false));
    let absolute = root.path().join("cat").display().to_string();
    for forged in [
        lines.replace("\tcat\n", "\tdog/../cat\n"),
        lines.replace("\tcat\n", &format!("\t{absolute}\n")),
        lines.replace("\t000.png\n", "\t../dog/000.png\n"),
        lines.replace("\t000.png\n", "\tdeep/000.png\n"),
        lines.replace("\t000.png\n", &format!("\t{absolute}/000.png\n")),
        lines.split_once('\n').unwrap().1.to_owned(),
        String::new(),
    ] {
        assert_ne!(forged, lines);
        let mut sha = Sha256::new();
        for part in [form, &forged] {
            sha.update((part.len() as u64).to_le_bytes());
            sha.update(part);
        }
        let digest: String = sha.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(index(root.path()), format!("{form}\n{digest}\n{forged}")).unwrap();
        let opened = open(root.path(), true);
        assert!((0..6).all(|image| opened.source(image) == listed.source(image)), "{forged}");
        assert_eq!(fs::read_to_string(index(root.path())).unwrap(), whole);
    }
}

#[test]
fn names_that_do_not_fit_into_a_line_are_listed_each_time() {
    let root = photos();
    write_image(&root.path().join("cat/two\nlines.png"), 5, 7, 1);
    age(root.path(), 0);
    assert_eq!(open(root.path(), true).len(), 7);
    assert!(!index(root.path()).exists());
}

#[test]
fn an_empty_folder_stays_an_error() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let options = FolderOptions { index: true, ..FolderOptions::default() };
        assert!(matches!(Folder::open(root.path(), options), Err(Error::EmptyFolder { .. })));
        age(root.path(), 0);
    }
}

#[test]
fn an_index_of_tiny_imagenet_covers_both_splits() {
    let root = tempfile::tempdir().unwrap();
    let folder = write_tiny(root.path(), 3, TinyVal::Annotated);
    age(&folder, 0);
    for split in [Split::Train, Split::Test] {
        let listed = Tiny::open(&folder, split).unwrap();
        for _ in 0..2 {
            assert_eq!(Tiny::open_with_index(&folder, split).unwrap().fingerprint(), listed.fingerprint());
        }
    }
    let mut written: Vec<_> =
        fs::read_dir(folder.join(".relata-index")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    written.sort();
    assert_eq!(written, ["in-train", "in-val-images"]);
}
