//! Data sets in one file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use relata_data::{
    DataConfig, Dataset, Error, Folder, FolderOptions, OnBadImage, Pack, PackSummary, Split, open, open_with_validation, pack,
    verify,
};
use relata_testkit::datasets::{write_bytes, write_class_folder, write_image};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

fn splits(folder: &Path) -> Vec<(Split, Arc<dyn Dataset>)> {
    let opened = Split::ALL.map(|split| Folder::open(folder, FolderOptions { split, ..FolderOptions::default() }));
    let there = Split::ALL.into_iter().zip(opened).filter_map(|(split, folder)| Some((split, Arc::new(folder.ok()?) as _)));
    there.collect()
}

/// Two classes, of which the test split takes one image each; sides differ from image to image.
fn photos() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_class_folder(&folder.path().join("photos"), &[("cat", 6), ("dog", 5)], "png");
    write_image(&folder.path().join("photos/cat/000.png"), 3, 2, 77);
    folder
}

fn packed(folder: &TempDir) -> (PathBuf, PackSummary) {
    let path = folder.path().join("photos.pack");
    let written = pack(&splits(&folder.path().join("photos")), &path, |_, _| ()).unwrap();
    (path, written)
}

fn config(path: &Path) -> DataConfig {
    DataConfig { dataset: "pack".to_owned(), path: path.to_owned(), ..DataConfig::default() }
}

fn bad_pack(path: &Path) -> String {
    match Pack::open(path, Split::Train) {
        Err(Error::BadPack { path: named, reason }) if named == path => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_split_is_read_as_it_was_packed() {
    let folder = photos();
    let mut seen = Vec::new();
    let path = folder.path().join("photos.pack");
    let before = splits(&folder.path().join("photos"));
    let written = {
        let seen = std::sync::Mutex::new(&mut seen);
        pack(&before, &path, |done, of| seen.lock().unwrap().push((done, of))).unwrap()
    };
    assert_eq!((written.images, written.bytes), (11, fs::metadata(&path).unwrap().len()));
    assert_eq!(seen.last(), Some(&(11, 11)));
    assert_eq!(before.len(), 3);
    for (split, dataset) in &before {
        let read = Pack::open(&path, *split).unwrap();
        assert_eq!((read.len(), read.class_names()), (dataset.len(), dataset.class_names()), "{split}");
        assert_eq!(read.packed_from(), dataset.fingerprint());
        for index in 0..dataset.len() {
            assert_eq!(read.image(index).unwrap(), dataset.image(index).unwrap(), "{split} {index}");
            assert_eq!(read.label(index), dataset.label(index), "{split} {index}");
            let in_folder = dataset.source(index).replace(&format!("{}/", folder.path().join("photos").display()), "");
            assert_eq!(read.source(index), format!("{}, {in_folder}", path.display()));
        }
        let beyond = read.image(read.len());
        assert!(matches!(beyond, Err(Error::IndexOutOfRange { .. })) && read.label(read.len()).is_none());
    }
}

#[test]
fn a_pack_is_a_data_set_like_any_other() {
    let folder = photos();
    let (path, _) = packed(&folder);
    let train = open(&config(&path), Split::Train).unwrap();
    assert!(verify(&*train, |_, _| ()).is_whole());
    let validation = DataConfig { validation: 2, ..config(&path) };
    let held = open_with_validation(&validation).unwrap();
    assert_eq!((held.train.len(), held.validation.unwrap().len()), (train.len() - 2, 2));
    assert_eq!(open(&validation, Split::Unlabelled).unwrap().len(), 9, "images held out are in no other split");
    assert_eq!(open(&DataConfig { limit: 3, ..config(&path) }, Split::Train).unwrap().len(), 3);
    assert!(matches!(open(&config(Path::new("")), Split::Train), Err(Error::Setting { key: "path", .. })));
}

#[test]
fn a_split_that_is_given_twice_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    write_class_folder(&photos, &[("cat", 6)], "png");
    let (twice, path) = ([splits(&photos), splits(&photos)].concat(), folder.path().join("photos.pack"));
    let error = pack(&twice, &path, |_, _| ()).unwrap_err();
    assert!(matches!(error, Error::Setting { key: "splits", .. }) && !path.exists(), "{error}");
}

#[test]
fn fingerprints_tell_splits_and_contents_apart() {
    let folder = photos();
    let fingerprint = |path: &Path, split| Pack::open(path, split).unwrap().fingerprint().to_owned();
    let (path, _) = packed(&folder);
    let before = fingerprint(&path, Split::Train);
    assert_ne!(before, fingerprint(&path, Split::Test));
    assert_eq!(before, fingerprint(&packed(&folder).0, Split::Train));
    write_image(&folder.path().join("photos/dog/001.png"), 5, 7, 200);
    assert_ne!(before, fingerprint(&packed(&folder).0, Split::Train));
}

#[test]
fn a_pack_does_not_depend_on_where_the_images_lay_and_does_not_tell() {
    let (folder, elsewhere) = (photos(), tempfile::tempdir().unwrap());
    let [here, there] = [folder.path().join("photos"), elsewhere.path().join("home/me/pictures")];
    write_class_folder(&there, &[("cat", 6), ("dog", 5)], "png");
    write_image(&there.join("cat/000.png"), 3, 2, 77);
    let written = [("here", &here), ("there", &there)].map(|(name, images)| {
        let path = folder.path().join(name);
        pack(&splits(images), &path, |_, _| ()).unwrap();
        fs::read(path).unwrap()
    });
    assert!(written[0] == written[1]);
    let folder_name = elsewhere.path().to_str().unwrap().as_bytes();
    assert!(!written[1].windows(folder_name.len()).any(|bytes| bytes == folder_name), "the folder is in the pack");
    assert_eq!(Pack::open(&folder.path().join("there"), Split::Train).unwrap().source(0).split(", ").last(), Some("cat/000.png"));
}

#[test]
fn a_fingerprint_is_of_the_split_and_covers_pixels_labels_and_classes() {
    let folder = photos();
    let photos = folder.path().join("photos");
    let fingerprint = |path: &Path| Pack::open(path, Split::Train).unwrap().fingerprint().to_owned();
    let whole = fingerprint(&packed(&folder).0);
    let alone = folder.path().join("train.pack");
    pack(&splits(&photos)[..1], &alone, |_, _| ()).unwrap();
    assert_eq!(fingerprint(&alone), whole, "the other splits do not matter");
    fs::rename(photos.join("dog/000.png"), photos.join("dog/0000.png")).unwrap();
    assert_eq!(fingerprint(&packed(&folder).0), whole, "nor does a file's name");
    fs::rename(photos.join("dog"), photos.join("elk")).unwrap();
    let mut seen = vec![whole, fingerprint(&packed(&folder).0)];
    // The classes are swapped.
    fs::rename(photos.join("elk"), photos.join("bat")).unwrap();
    fs::rename(photos.join("cat"), photos.join("elk")).unwrap();
    fs::rename(photos.join("bat"), photos.join("cat")).unwrap();
    seen.push(fingerprint(&packed(&folder).0));
    write_image(&photos.join("cat/001.png"), 5, 7, 99);
    seen.push(fingerprint(&packed(&folder).0));
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), 4, "{seen:?}");
}

#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    let folder = photos();
    let written = [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        fs::read(pool.install(|| packed(&folder)).0).unwrap()
    });
    assert!(written[0] == written[1]);
}

#[test]
fn a_split_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    write_image(&folder.path().join("photos/loose.png"), 5, 7, 0);
    let (path, written) = packed(&folder);
    assert_eq!(written.images, 1);
    assert!(matches!(Pack::open(&path, Split::Test), Err(Error::NoSuchSplit { split: Split::Test, .. })));
    let unlabelled = Pack::open(&path, Split::Train).unwrap();
    assert_eq!((unlabelled.label(0), unlabelled.class_names().len()), (None, 0));
}

#[test]
fn what_is_no_pack_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pack");
    assert!(matches!(Pack::open(&missing, Split::Train), Err(Error::NoSuchPath { .. })));
    assert!(matches!(Pack::open(folder.path(), Split::Train), Err(Error::NoSuchPath { .. })));
    for bytes in [b"".as_slice(), b"text", &[b'x'; 100]] {
        let path = folder.path().join("file");
        write_bytes(&path, bytes);
        bad_pack(&path);
    }
}

#[test]
fn a_pack_cut_anywhere_or_longer_is_refused() {
    let folder = photos();
    let (path, _) = packed(&folder);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        write_bytes(&path, &whole[..length]);
        bad_pack(&path);
    }
    write_bytes(&path, &[&whole[..], b"\0"].concat());
    assert!(bad_pack(&path).contains(&whole.len().to_string()));
}

#[test]
fn another_version_is_named() {
    let folder = photos();
    let (path, _) = packed(&folder);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    write_bytes(&path, &bytes);
    assert!(bad_pack(&path).contains("version 2"));
}

#[test]
fn every_flipped_bit_is_found_before_its_image_is_used() {
    let folder = photos();
    let (path, _) = packed(&folder);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        write_bytes(&path, &bytes);
        match Pack::open(&path, Split::Unlabelled) {
            Err(Error::BadPack { path: named, .. }) => assert_eq!(named, path),
            Err(other) => panic!("byte {at}: {other}"),
            Ok(pack) => {
                let broken: Vec<Error> = (0..pack.len()).filter_map(|index| pack.image(index).err()).collect();
                assert_eq!(broken.len(), 1, "byte {at}");
                assert!(matches!(&broken[0], Error::BrokenImage { path: named, .. } if *named == path), "byte {at}");
            }
        }
    }
}

#[test]
fn a_broken_image_can_be_left_out() {
    let folder = photos();
    let (path, _) = packed(&folder);
    let mut bytes = fs::read(&path).unwrap();
    bytes[64] ^= 1;
    write_bytes(&path, &bytes);
    let all = open(&config(&path), Split::Unlabelled).unwrap();
    assert_eq!((all.len(), verify(&*all, |_, _| ()).broken.len()), (11, 1));
    let skipping = DataConfig { on_bad_image: OnBadImage::Skip, ..config(&path) };
    assert_eq!(open(&skipping, Split::Unlabelled).unwrap().len(), 10);
}

/// Changes the directory and makes its checksums right again, as somebody with bad intentions would.
fn forge(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    let at = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
    let mut directory = bytes.split_off(at);
    change(&mut directory);
    bytes[24..32].copy_from_slice(&(directory.len() as u64).to_le_bytes());
    bytes[32..64].copy_from_slice(&Sha256::digest(&directory));
    let checksum = crc32fast::hash(&bytes[16..64]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes.extend(directory);
    write_bytes(path, &bytes);
}

#[test]
fn a_forged_directory_is_refused() {
    type Change = fn(&mut Vec<u8>);
    let forgeries: [(&str, Change); 9] = [
        ("too many images", |directory| directory[..8].fill(0xff)),
        ("more images than entries", |directory| directory[1] = 1),
        ("pixels before the first", |directory| directory[8..16].fill(0)),
        ("pixels beyond the last", |directory| directory[12] = 1),
        ("pixels beyond all addresses", |directory| directory[8..16].fill(0xff)),
        ("a name beyond the names", |directory| directory[16..24].fill(0xff)),
        ("a width that overflows", |directory| directory[24..32].fill(0xff)),
        ("no width", |directory| directory[24..28].fill(0)),
        // The last four bytes are the label of the unlabelled split's last image, which has no classes.
        ("a label of no class", |directory| directory.iter_mut().rev().take(4).for_each(|byte| *byte = 0)),
    ];
    for (what, change) in forgeries {
        let folder = photos();
        let (path, _) = packed(&folder);
        forge(&path, |_| ());
        assert!(Pack::open(&path, Split::Train).is_ok(), "the forger knows the format");
        forge(&path, change);
        assert!(!bad_pack(&path).is_empty(), "{what}");
    }
}

#[test]
fn any_forged_byte_of_the_directory_is_an_error_or_harmless() {
    let folder = photos();
    let (path, _) = packed(&folder);
    let whole = fs::read(&path).unwrap();
    let directory = u64::from_le_bytes(whole[16..24].try_into().unwrap()) as usize;
    for at in 0..whole.len() - directory {
        write_bytes(&path, &whole);
        forge(&path, |directory| directory[at] = directory[at].wrapping_add(1 + (at % 255) as u8));
        for split in Split::ALL {
            if let Ok(pack) = Pack::open(&path, split) {
                for index in 0..pack.len() {
                    let _ = (pack.image(index), pack.source(index));
                    assert!(pack.label(index).is_none_or(|label| label < pack.class_names().len()));
                }
            }
        }
    }
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_another_writes_is_not() {
    let folder = photos();
    let [left, written, others] =
        [".pack-photos.pack-aBc123", ".pack-photos.pack-xYz789", ".pack-other.pack-aBc123"].map(|name| {
            let path = folder.path().join(name);
            write_bytes(&path, b"RELATAPK, and then the power went");
            path
        });
    let lock = fs::File::open(&written).unwrap();
    lock.lock().unwrap();
    let (path, _) = packed(&folder);
    assert!(Pack::open(&path, Split::Train).is_ok());
    assert_eq!([&left, &written, &others].map(|path| path.exists()), [false, true, true]);
    drop(lock);
    packed(&folder);
    assert!(!written.exists() && others.exists());
}

#[test]
fn a_pack_may_have_as_long_a_name_as_any_file() {
    let folder = photos();
    let path = folder.path().join("ö".repeat(125) + ".pack");
    pack(&splits(&folder.path().join("photos")), &path, |_, _| ()).unwrap();
    assert!(Pack::open(&path, Split::Train).is_ok());
}

#[test]
fn a_pack_that_is_being_written_is_left_to_its_process() {
    let folder = photos();
    let path = folder.path().join("photos.pack");
    // The second begins, and ends, while the first is at work.
    let second = std::cell::Cell::new(None);
    let first = pack(&splits(&folder.path().join("photos")), &path, |_, _| {
        if second.get().is_none() {
            second.set(Some(packed(&folder).1));
        }
    });
    assert_eq!(first.unwrap(), second.get().unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the folder of images and the pack");
}

#[test]
fn packing_that_fails_leaves_the_old_file_and_nothing_else() {
    let folder = photos();
    let (path, _) = packed(&folder);
    let before = fs::read(&path).unwrap();
    write_bytes(&folder.path().join("photos/cat/003.png"), b"no image");
    let error = pack(&splits(&folder.path().join("photos")), &path, |_, _| ()).unwrap_err();
    assert!(matches!(&error, Error::BrokenImage { path, .. } if path.ends_with("cat/003.png")), "{error}");
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the folder of images and the pack");
    let nowhere = folder.path().join("no such folder/photos.pack");
    assert!(matches!(pack(&[], &nowhere, |_, _| ()), Err(Error::Write { .. })));
}
