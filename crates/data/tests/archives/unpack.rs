//! Data sets straight from archives: checked, unpacked whole or not at all, and never outside of their folder.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use relata_data::{Archive, Checksum, DataConfig, Error, Progress, Split, UnpackLimits, Work, entry, open, unpack};
use relata_testkit::datasets::{TinyVal, write_cifar10, write_cifar100, write_image, write_stl10, write_tiny};
use relata_testkit::hash_uniform;
use tar::{EntryType, Header};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const TGZ: Archive = Archive { file: "set.tar.gz", folder: "set", url: None, md5: None, bytes: None, missing: |_| Vec::new() };
const ZIP: Archive = Archive { file: "set.zip", ..TGZ };

/// An entry of an archive: its name, what it is, its bytes or the target of a link.
type Entry<'a> = (&'a str, EntryType, &'a [u8]);

fn tgz(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, kind, bytes) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        // As bytes: the builder itself refuses names that lead out.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        if is_link {
            header.as_old_mut().linkname[..bytes.len()].copy_from_slice(bytes);
        }
        let content = if is_link { &[][..] } else { bytes };
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn zip(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, kind, bytes) in entries {
        let options = SimpleFileOptions::default();
        match kind {
            EntryType::Directory => zip.add_directory(*name, options).unwrap(),
            EntryType::Symlink => zip.add_symlink(*name, str::from_utf8(bytes).unwrap(), options).unwrap(),
            _ => {
                zip.start_file(*name, options).unwrap();
                zip.write_all(bytes).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

/// Bytes that do not pack.
fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| ((hash_uniform("noise", i) + 1.0) * 128.0) as u8).collect()
}

/// Packs a folder into an archive beside it, and removes it.
fn pack(folder: &Path, archive: &Archive) {
    let root = folder.parent().unwrap();
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { folders.push(entry) } else { files.push(entry) }
        }
    }
    let rows: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|file| (file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"), fs::read(file).unwrap()))
        .collect();
    let entries: Vec<Entry<'_>> = rows.iter().map(|(name, bytes)| (name.as_str(), EntryType::Regular, &bytes[..])).collect();
    let bytes = if archive.file.ends_with(".zip") { zip(&entries) } else { tgz(&entries) };
    fs::write(root.join(archive.file), bytes).unwrap();
    fs::remove_dir_all(folder).unwrap();
}

fn root_with(archive: &Archive, bytes: &[u8]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(archive.file), bytes).unwrap();
    root
}

fn unpack_quietly(archive: &Archive, root: &Path, limits: &UnpackLimits) -> Result<PathBuf, Error> {
    unpack(archive, root, limits, &|_| ())
}

/// The error, after a look that the archive is all that is left.
fn refused(archive: &Archive, bytes: &[u8], limits: &UnpackLimits) -> Error {
    let root = root_with(archive, bytes);
    let error = unpack_quietly(archive, root.path(), limits).unwrap_err();
    assert_eq!(names(root.path()), [archive.file], "{error}");
    error
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn md5_of(bytes: &[u8]) -> &'static str {
    let digest: String = Md5::digest(bytes).iter().map(|byte| format!("{byte:02X}")).collect();
    Box::leak(digest.into_boxed_str())
}

#[test]
fn every_data_set_is_read_from_its_archive() {
    let root = tempfile::tempdir().unwrap();
    let slim = root.path().join("SlimageNet64");
    for split in ["train", "test"] {
        write_image(&slim.join(split).join("n01/0.png"), 64, 64, 1);
    }
    let folders = [
        ("cifar10", write_cifar10(root.path(), 2), 10),
        ("cifar100", write_cifar100(root.path(), 3, 2), 3),
        ("stl10", write_stl10(root.path(), 2), 2),
        ("tiny", write_tiny(root.path(), 2, TinyVal::Annotated), 6),
        ("slim", slim, 1),
    ];
    for (name, folder, images) in folders {
        let config = DataConfig { dataset: name.to_owned(), root: root.path().to_owned(), ..DataConfig::default() };
        let before = open(&config, Split::Train).unwrap();
        let archive = Archive { md5: None, ..entry(name).unwrap().archive().unwrap() };
        pack(&folder, &archive);
        assert_eq!(unpack_quietly(&archive, root.path(), &UnpackLimits::default()).unwrap(), folder);
        let after = open(&config, Split::Train).unwrap();
        assert_eq!((after.len(), after.fingerprint()), (images, before.fingerprint()), "{name}");
        assert_eq!(after.image(0).unwrap(), before.image(0).unwrap(), "{name}");
    }
}

#[test]
fn opening_unpacks_and_checks_the_archive_first() {
    let root = tempfile::tempdir().unwrap();
    let config = |name: &str| DataConfig { dataset: name.to_owned(), root: root.path().to_owned(), ..DataConfig::default() };
    let slim = root.path().join("SlimageNet64");
    write_image(&slim.join("train/n01/0.png"), 64, 64, 1);
    pack(&slim, &entry("slim").unwrap().archive().unwrap());
    assert_eq!(open(&config("slim"), Split::Train).unwrap().len(), 1);

    // A tiny copy is not what the publisher's checksum is of.
    pack(&write_cifar10(root.path(), 2), &entry("cifar10").unwrap().archive().unwrap());
    match open(&config("cifar10"), Split::Train).err() {
        Some(Error::Checksum { path, expected, .. }) => {
            assert_eq!(path, root.path().join("cifar-10-binary.tar.gz"));
            assert_eq!(*expected, Checksum::Md5("c32a1d4ab5d03f1284b67883e8d87530".to_owned()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(names(root.path()), ["SlimageNet64", "SlimageNet64.zip", "cifar-10-binary.tar.gz"]);
}

#[test]
fn only_the_wanted_folder_is_unpacked_and_progress_reaches_the_end() {
    let big = vec![7; 300_000];
    let entries: [Entry<'_>; 5] = [
        ("./set/", EntryType::Directory, b""),
        ("./set/empty/", EntryType::Directory, b""),
        ("./set/deep/a.bin", EntryType::Regular, &big),
        ("README", EntryType::Regular, b"elsewhere"),
        ("__MACOSX/set/x", EntryType::Regular, b"elsewhere"),
    ];
    for (archive, bytes) in [(TGZ, tgz(&entries)), (ZIP, zip(&entries))] {
        let archive = Archive { md5: Some(md5_of(&bytes)), ..archive };
        let root = root_with(&archive, &bytes);
        let seen = RefCell::new(Vec::new());
        let folder = unpack(&archive, root.path(), &UnpackLimits::default(), &|at| seen.borrow_mut().push(at)).unwrap();
        assert_eq!(fs::read(folder.join("deep/a.bin")).unwrap(), big);
        assert_eq!(
            (names(&folder), names(root.path())),
            (vec!["deep".into(), "empty".into()], vec!["set".into(), archive.file.into()])
        );
        let seen = seen.into_inner();
        let all = bytes.len() as u64;
        for work in [Work::Verify, Work::Unpack] {
            let steps: Vec<&Progress> = seen.iter().filter(|at| at.work == work).collect();
            assert!(steps.windows(2).all(|two| two[0].done_bytes <= two[1].done_bytes), "{work:?}");
            assert_eq!(steps.last().map(|at| (at.done_bytes, at.of_bytes)), Some((all, all)), "{work:?}");
        }
    }
}

#[test]
fn another_checksum_is_said_before_anything_is_unpacked() {
    let bytes = tgz(&[("set/a", EntryType::Regular, b"a")]);
    let archive = Archive { md5: Some("00000000000000000000000000000000"), ..TGZ };
    match refused(&archive, &bytes, &UnpackLimits::default()) {
        Error::Checksum { bytes: size, got, .. } => assert_eq!((size, got), (bytes.len() as u64, md5_of(&bytes).to_lowercase())),
        other => panic!("{other}"),
    }
}

#[test]
fn truncated_archives_leave_nothing_behind() {
    let noise = noise(5000);
    let entries: [Entry<'_>; 2] = [("set/a", EntryType::Regular, &noise), ("set/b", EntryType::Regular, &noise[..700])];
    for (archive, whole) in [(TGZ, tgz(&entries)), (ZIP, zip(&entries))] {
        for length in (0..whole.len()).step_by(97).chain(whole.len() - 12..whole.len()) {
            let error = refused(&archive, &whole[..length], &UnpackLimits::default());
            assert!(matches!(error, Error::BadArchive { .. }), "{} cut to {length} bytes: {error}", archive.file);
        }
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_harmless() {
    let noise = noise(2000);
    let entries: [Entry<'_>; 2] = [("set/a", EntryType::Regular, &noise), ("set/b", EntryType::Regular, &noise[..700])];
    for (archive, whole) in [(TGZ, tgz(&entries)), (ZIP, zip(&entries))] {
        let mut found = 0;
        for at in (0..whole.len()).step_by(17) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            let root = root_with(&archive, &bytes);
            match unpack_quietly(&archive, root.path(), &UnpackLimits::default()) {
                // The pixels are always right; names and times in a zip have no checksum of their own.
                Ok(folder) => {
                    let read = |name: &str| fs::read(folder.join(name)).ok();
                    assert!(read("a").is_none_or(|bytes| bytes == noise) && read("b").is_none_or(|bytes| bytes == noise[..700]));
                }
                Err(error) => {
                    found += 1;
                    assert_eq!(names(root.path()), [archive.file], "{error}");
                }
            }
            // With the publisher's checksum nothing slips through.
            let checked = Archive { md5: Some(md5_of(&whole)), ..archive };
            let root = root_with(&checked, &bytes);
            let error = unpack_quietly(&checked, root.path(), &UnpackLimits::default());
            assert!(matches!(error, Err(Error::Checksum { .. })));
        }
        assert!(found > whole.len() / 17 * 9 / 10, "{}: only {found} were found", archive.file);
    }
}

#[test]
fn names_that_lead_out_are_refused() {
    let outside = tempfile::tempdir().unwrap();
    let absolute = outside.path().join("evil").to_str().unwrap().to_owned();
    let long_way = "set/a/../../../evil";
    for name in ["../evil", "/evil", "set/../../evil", long_way, "set/..", "set\\..\\evil", absolute.as_str()] {
        let entries: [Entry<'_>; 2] = [("set/good", EntryType::Regular, b"good"), (name, EntryType::Regular, b"evil")];
        for (archive, bytes) in [(TGZ, tgz(&entries)), (ZIP, zip(&entries))] {
            match refused(&archive, &bytes, &UnpackLimits::default()) {
                Error::UnsafeEntry { entry, .. } => assert_eq!(entry, name),
                other => panic!("{name} in {}: {other}", archive.file),
            }
        }
    }
    assert_eq!(names(outside.path()), [""; 0]);
}

#[test]
fn links_and_devices_are_refused_wherever_they_point() {
    for (kind, target) in [
        (EntryType::Symlink, "../.."),
        (EntryType::Symlink, "/etc"),
        (EntryType::Symlink, "good"),
        (EntryType::Link, "/etc/passwd"),
        (EntryType::Fifo, ""),
        (EntryType::Char, ""),
    ] {
        let entries: [Entry<'_>; 2] = [("set/good", EntryType::Regular, b"good"), ("set/link", kind, target.as_bytes())];
        let error = refused(&TGZ, &tgz(&entries), &UnpackLimits::default());
        assert!(matches!(&error, Error::UnsafeEntry { entry, .. } if entry == "set/link"), "{error}");
        if kind == EntryType::Symlink {
            let error = refused(&ZIP, &zip(&entries), &UnpackLimits::default());
            assert!(matches!(&error, Error::UnsafeEntry { entry, .. } if entry == "set/link"), "{error}");
        }
    }
}

#[test]
fn a_name_that_comes_twice_is_refused() {
    let entries: [Entry<'_>; 2] = [("set/a", EntryType::Regular, b"1"), ("./set/a", EntryType::Regular, b"2")];
    for (archive, bytes) in [(TGZ, tgz(&entries)), (ZIP, zip(&entries))] {
        assert!(matches!(refused(&archive, &bytes, &UnpackLimits::default()), Error::UnsafeEntry { .. }));
    }
    // To the letter: what writes archives refuses to do so, so that one name is made of another.
    let entries: [Entry<'_>; 2] = [("set/a", EntryType::Regular, b"1"), ("set/b", EntryType::Regular, b"2")];
    let mut bytes = zip(&entries);
    let positions: Vec<usize> = (0..bytes.len() - 5).filter(|&at| &bytes[at..at + 5] == b"set/b").collect();
    assert_eq!(positions.len(), 2, "in front of the file, and in the directory");
    positions.into_iter().for_each(|at| bytes[at + 4] = b'a');
    let error = refused(&ZIP, &bytes, &UnpackLimits::default());
    assert!(matches!(&error, Error::BadArchive { reason, .. } if reason.contains("twice")), "{error}");
}

#[test]
fn bombs_are_stopped_by_bytes_entries_and_ratio() {
    let zeros = vec![0; 40 << 20];
    let bomb: [Entry<'_>; 1] = [("set/zeros", EntryType::Regular, &zeros)];
    let many: [Entry<'_>; 3] =
        [("set/a", EntryType::Regular, b""), ("set/b", EntryType::Regular, b""), ("set/c", EntryType::Regular, b"")];
    let limits = UnpackLimits::default();
    for (make, archive) in [(tgz as fn(&[Entry<'_>]) -> Vec<u8>, TGZ), (zip, ZIP)] {
        let limit_of = |bytes: &[u8], limits: &UnpackLimits| match refused(&archive, bytes, limits) {
            Error::ArchiveTooLarge { limit, .. } => limit,
            other => panic!("{other}"),
        };
        assert_eq!(limit_of(&make(&bomb), &limits), "100 times its own size");
        assert_eq!(limit_of(&make(&bomb), &UnpackLimits { bytes: 1 << 20, ..limits }), "1048576 bytes");
        assert_eq!(limit_of(&make(&many), &UnpackLimits { entries: 2, ..limits }), "2 entries");
    }
    // What is not wanted is a bomb too.
    let beside: [Entry<'_>; 1] = [("other/zeros", EntryType::Regular, &zeros)];
    assert!(matches!(refused(&TGZ, &tgz(&beside), &limits), Error::ArchiveTooLarge { .. }));
}

#[test]
fn a_size_that_no_counter_holds_is_stopped_too() {
    // A file with holes, of as many bytes as a number has room for, none of which is in the archive.
    let mut sparse = Header::new_gnu();
    sparse.set_entry_type(EntryType::GNUSparse);
    sparse.set_size(0);
    let gnu = sparse.as_gnu_mut().unwrap();
    gnu.name[..12].copy_from_slice(b"other/sparse");
    gnu.realsize = [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    gnu.sparse[0].offset = gnu.realsize;
    gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
    sparse.set_cksum();
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut plain = Header::new_gnu();
    for name in ["other/a", "set/a"] {
        plain.set_size(5);
        tar.append_data(&mut plain, name, &b"bytes"[..]).unwrap();
        // Five bytes more, and the counter would start again.
        tar.append(&sparse, &[][..]).unwrap();
    }
    let bytes = tar.into_inner().unwrap().finish().unwrap();
    assert!(matches!(refused(&TGZ, &bytes, &UnpackLimits::default()), Error::ArchiveTooLarge { .. }));
}

#[test]
fn an_archive_without_the_folder_is_refused() {
    let entries: [Entry<'_>; 1] = [("settle/a", EntryType::Regular, b"a")];
    for (archive, bytes) in [(TGZ, tgz(&entries)), (ZIP, zip(&entries)), (TGZ, b"<html>not found</html>".to_vec())] {
        // What nobody offers cannot be downloaded again.
        for (url, advice) in [(None, "pack the folder"), (Some("http://127.0.0.1/set"), "download it again")] {
            let error = refused(&Archive { url, ..archive }, &bytes, &UnpackLimits::default());
            assert!(matches!(error, Error::BadArchive { .. }) && error.to_string().contains(advice), "{error}");
        }
    }
    let root = tempfile::tempdir().unwrap();
    let error = unpack_quietly(&TGZ, root.path(), &UnpackLimits::default());
    assert!(matches!(error, Err(Error::Missing { path, .. }) if path == root.path().join(TGZ.file)));
}

#[test]
fn a_folder_that_is_there_stays_as_it_is() {
    let root = root_with(&TGZ, &tgz(&[("set/a", EntryType::Regular, b"new")]));
    fs::create_dir(root.path().join("set")).unwrap();
    File::create(root.path().join("set/mine")).unwrap();
    let folder = unpack_quietly(&TGZ, root.path(), &UnpackLimits::default()).unwrap();
    assert_eq!(names(&folder), ["mine"]);
}

#[test]
fn several_at_once_come_to_one_folder() {
    let noise = noise(200_000);
    let entries: [Entry<'_>; 1] = [("set/a", EntryType::Regular, &noise)];
    for (archive, bytes) in [(TGZ, tgz(&entries)), (ZIP, zip(&entries))] {
        let root = root_with(&archive, &bytes);
        std::thread::scope(|scope| {
            let unpacked = || unpack_quietly(&archive, root.path(), &UnpackLimits::default()).unwrap();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(unpacked)).collect();
            for thread in threads {
                assert_eq!(fs::read(thread.join().unwrap().join("a")).unwrap(), noise);
            }
        });
        assert_eq!(names(root.path()), ["set", archive.file]);
    }
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let good = tgz(&[("set/a", EntryType::Regular, b"a")]);
    for (bytes, whole) in [(&good[..], true), (&good[..good.len() / 2], false)] {
        let root = root_with(&TGZ, bytes);
        for left in [".unpacking-set-Xy7/set", ".unpacking-setter-Xy7/set"] {
            fs::create_dir_all(root.path().join(left)).unwrap();
            File::create(root.path().join(left).join("half")).unwrap();
        }
        assert_eq!(unpack_quietly(&TGZ, root.path(), &UnpackLimits::default()).is_ok(), whole);
        // The other one is another data set's, which may be at work.
        let mut expected = vec![".unpacking-setter-Xy7", "set", TGZ.file];
        expected.retain(|name| whole || *name != "set");
        assert_eq!(names(root.path()), expected);
    }
}
