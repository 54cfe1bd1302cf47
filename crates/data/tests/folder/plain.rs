//! Images in ordinary folders.

use std::fs;
use std::path::Path;

use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};
use relata_data::{Dataset, Error, Folder, FolderOptions, Image, Split};
use relata_testkit::datasets::{CORNER, marked_image, write_bytes, write_class_folder, write_image, write_truncated};
use relata_testkit::real_data;
use tempfile::TempDir;

fn open(path: &Path, split: Split) -> Result<Folder, Error> {
    Folder::open(path, FolderOptions { split, ..FolderOptions::default() })
}

fn new_folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The last `parts` parts of each source, in index order.
fn sources(dataset: &Folder, parts: usize) -> Vec<String> {
    let tail = |source: String| {
        let all: Vec<&str> = source.split(['/', '\\']).collect();
        all[all.len() - parts..].join("/")
    };
    (0..dataset.len()).map(|index| tail(dataset.source(index))).collect()
}

/// The only image of a folder that holds `file`.
fn only(folder: &Path) -> Result<Image, Error> {
    open(folder, Split::Unlabelled)?.image(0)
}

#[test]
fn class_folders_split_into_four_and_one_of_five() {
    let folder = new_folder();
    // Written in an order that is not theirs.
    write_class_folder(folder.path(), &[("dog", 2), ("cat", 11), ("a-b", 5), ("a", 1)], "png");
    let [train, test, all] = Split::ALL.map(|split| open(folder.path(), split).unwrap());
    assert_eq!(train.class_names(), ["a", "a-b", "cat", "dog"]);
    assert_eq!(test.class_names(), train.class_names());
    assert_eq!(sources(&test, 2), ["a-b/004.png", "cat/004.png", "cat/009.png"]);
    assert_eq!((train.len(), all.len()), (16, 19));
    assert_eq!(sources(&train, 2)[..6], ["a/000.png", "a-b/000.png", "cat/000.png", "dog/000.png", "a-b/001.png", "cat/001.png"]);
    assert_eq!((0..5).map(|index| train.label(index).unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 1]);
    assert_eq!((0..3).map(|index| test.label(index).unwrap()).collect::<Vec<_>>(), [1, 2, 2]);
    assert_eq!((all.label(0), all.class_names().len()), (None, 0));
    // Image i of a class is marked i.
    assert_eq!(test.image(2).unwrap().pixel(4, 6)[2], 9);
}

#[test]
fn a_flat_folder_is_all_to_learn_from_and_has_no_test_images() {
    let folder = new_folder();
    for name in ["c.webp", "a.PNG", "b.JpEg", "d.jpg"] {
        write_image(&folder.path().join(name), 5, 7, 1);
    }
    write_bytes(&folder.path().join("notes.txt"), b"not an image");
    write_bytes(&folder.path().join(".hidden.png"), b"not an image");
    write_image(&folder.path().join(".cache/e.png"), 5, 7, 1);
    let dataset = open(folder.path(), Split::Train).unwrap();
    assert_eq!(sources(&dataset, 1), ["a.PNG", "b.JpEg", "c.webp", "d.jpg"]);
    assert_eq!((dataset.label(0), dataset.class_names().len()), (None, 0));
    let error = open(folder.path(), Split::Test).unwrap_err();
    assert!(matches!(error, Error::NoSuchSplit { split: Split::Test, .. }), "{error}");
}

#[test]
fn split_folders_are_chosen_among() {
    let folder = new_folder();
    write_class_folder(&folder.path().join("train"), &[("cat", 2), ("dog", 2), ("elk", 1)], "png");
    write_class_folder(&folder.path().join("val"), &[("elk", 1), ("dog", 1)], "jpg");
    let [train, test, unlabelled] = Split::ALL.map(|split| open(folder.path(), split).unwrap());
    assert_eq!((train.len(), test.len(), unlabelled.len()), (5, 2, 5));
    // A class without test images keeps its number.
    assert_eq!(test.class_names(), ["cat", "dog", "elk"]);
    assert_eq!((sources(&test, 3), test.label(0)), (vec!["val/dog/000.jpg".into(), "val/elk/000.jpg".into()], Some(1)));

    // test/ goes before val/, unlabelled/ before train/.
    write_class_folder(&folder.path().join("test"), &[("cat", 3)], "png");
    write_image(&folder.path().join("unlabeled/x/y.png"), 5, 7, 0);
    write_image(&folder.path().join("unlabeled/z.png"), 5, 7, 0);
    let [_, test, unlabelled] = Split::ALL.map(|split| open(folder.path(), split).unwrap());
    assert_eq!((test.len(), sources(&unlabelled, 1)), (3, vec!["y.png".into(), "z.png".into()]));

    write_class_folder(&folder.path().join("test"), &[("fox", 1)], "png");
    let error = open(folder.path(), Split::Test).unwrap_err();
    assert!(matches!(&error, Error::UnknownClass { class, .. } if class == "fox"), "{error}");
}

#[test]
fn a_train_folder_alone_is_no_class() {
    let folder = new_folder();
    write_class_folder(&folder.path().join("train"), &[("cat", 6), ("dog", 6)], "png");
    assert_eq!(open(folder.path(), Split::Train).unwrap().class_names(), ["cat", "dog"]);
    let error = open(folder.path(), Split::Test).unwrap_err();
    assert!(matches!(error, Error::NoSuchSplit { split: Split::Test, .. }), "{error}");
    // What holds no images is no class beside it: notes, labels, and what else comes with a data set.
    write_bytes(&folder.path().join("labels/a.csv"), b"0.png,cat");
    fs::create_dir(folder.path().join("empty")).unwrap();
    assert_eq!(open(folder.path(), Split::Train).unwrap().class_names(), ["cat", "dog"]);
    // Beside another folder of images it may be a class of vehicles.
    write_image(&folder.path().join("tram/1.png"), 5, 7, 0);
    assert_eq!(open(folder.path(), Split::Train).unwrap().class_names(), ["train", "tram"]);
}

#[test]
fn splits_by_other_names_are_no_classes() {
    for names in [["Training", "Testing"], ["Train", "Test"]] {
        let folder = new_folder();
        for name in names {
            write_class_folder(&folder.path().join(name), &[("cat", 2), ("dog", 1)], "png");
        }
        let error = open(folder.path(), Split::Train).unwrap_err();
        assert!(matches!(&error, Error::SplitNames { folders, .. } if *folders == [names[1], names[0]].join(", ")), "{error}");
    }
}

#[test]
fn a_split_by_another_name_is_no_class_where_nothing_else_holds_images() {
    for names in [&["Train"][..], &["TEST"], &["Training", "Testing"]] {
        let folder = new_folder();
        for name in names {
            write_class_folder(&folder.path().join(name), &[("cat", 6), ("dog", 6)], "png");
        }
        write_bytes(&folder.path().join("labels/a.csv"), b"0.png,cat");
        for split in [Split::Train, Split::Test] {
            let error = open(folder.path(), split).unwrap_err();
            assert!(matches!(&error, Error::SplitNames { .. }), "{names:?}: {error}");
        }
    }
    // The only class of a folder may be called so where its images are its own.
    let folder = new_folder();
    write_class_folder(folder.path(), &[("test", 2)], "png");
    assert_eq!(open(folder.path(), Split::Train).unwrap().class_names(), ["test"]);
}

#[test]
fn validation_images_under_any_usual_name_are_never_trained_on() {
    for name in ["valid", "validation"] {
        let folder = new_folder();
        write_class_folder(&folder.path().join("train"), &[("cat", 2), ("dog", 1)], "png");
        write_class_folder(&folder.path().join(name), &[("dog", 2)], "png");
        let [train, test, unlabelled] = Split::ALL.map(|split| open(folder.path(), split).unwrap());
        assert_eq!((train.len(), test.len(), unlabelled.len()), (3, 2, 3), "{name}");
        assert_eq!((train.class_names(), test.label(0)), (&["cat".to_owned(), "dog".to_owned()][..], Some(1)));
        // The earlier of two names wins.
        write_class_folder(&folder.path().join("val"), &[("cat", 1)], "png");
        assert_eq!(sources(&open(folder.path(), Split::Test).unwrap(), 3), ["val/cat/000.png"]);
    }
}

#[test]
fn images_deep_below_a_class_belong_to_it() {
    let folder = new_folder();
    for name in ["n01/images/2.png", "n01/1.png", "n02/a/b/c/3.png"] {
        write_image(&folder.path().join(name), 5, 7, 0);
    }
    fs::create_dir(folder.path().join("n03-empty")).unwrap();
    let dataset = open(folder.path(), Split::Train).unwrap();
    assert_eq!(dataset.class_names(), ["n01", "n02"]);
    assert_eq!(sources(&dataset, 1), ["1.png", "3.png", "2.png"]);
}

#[test]
fn loose_images_beside_class_folders_are_refused() {
    let folder = new_folder();
    write_class_folder(folder.path(), &[("cat", 2)], "png");
    write_image(&folder.path().join("loose.png"), 5, 7, 0);
    match open(folder.path(), Split::Train).unwrap_err() {
        Error::MixedFolder { path, loose, class } => {
            assert_eq!((path.as_path(), loose.as_str(), class.as_str()), (folder.path(), "loose.png", "cat"));
        }
        other => panic!("{other}"),
    }
    assert_eq!(open(folder.path(), Split::Unlabelled).unwrap().len(), 3, "without labels there is nothing to mistake");
}

#[test]
fn nothing_to_read_is_an_error() {
    let folder = new_folder();
    let error = open(folder.path(), Split::Train).unwrap_err();
    match &error {
        Error::EmptyFolder { path, extensions } => {
            assert_eq!((path.as_path(), extensions.as_str()), (folder.path(), ".png, .jpg, .jpeg, .webp"));
        }
        other => panic!("{other}"),
    }
    let error = open(&folder.path().join("nowhere"), Split::Train).unwrap_err();
    assert!(matches!(error, Error::NoSuchPath { .. }), "{error}");
}

#[test]
fn too_few_images_for_a_held_out_split_is_an_error() {
    let folder = new_folder();
    write_class_folder(folder.path(), &[("cat", 4), ("dog", 3)], "png");
    let error = open(folder.path(), Split::Test).unwrap_err();
    assert!(matches!(error, Error::NoSuchSplit { .. }), "{error}");
    let every_second = FolderOptions { split: Split::Test, test_every: 2, ..FolderOptions::default() };
    assert_eq!(Folder::open(folder.path(), every_second).unwrap().len(), 3);
    let every_one = FolderOptions { test_every: 1, ..FolderOptions::default() };
    assert!(matches!(Folder::open(folder.path(), every_one), Err(Error::Setting { key: "test_every", .. })));
}

#[test]
fn exact_formats_give_exact_pixels_the_right_way_up() {
    for name in ["a.png", "a.webp", "a.PNG"] {
        let folder = new_folder();
        write_image(&folder.path().join(name), 5, 7, 9);
        let image = only(folder.path()).unwrap();
        assert_eq!((image.width_px(), image.height_px(), image.pixel(0, 0)), (5, 7, CORNER), "{name}");
        assert_eq!(image.rgb(), marked_image(5, 7, 9).as_raw().as_slice(), "{name}");
    }
}

#[test]
fn jpeg_gives_near_pixels() {
    let folder = new_folder();
    let even = image::RgbImage::from_pixel(50, 70, Rgb([200, 100, 50]));
    even.save(folder.path().join("a.jpg")).unwrap();
    let image = only(folder.path()).unwrap();
    assert_eq!((image.width_px(), image.height_px()), (50, 70));
    // An even colour loses only what YCbCr rounds.
    assert!(image.pixel(20, 60).iter().zip([200, 100, 50]).all(|(&a, e)| a.abs_diff(e) <= 3), "{:?}", image.pixel(20, 60));
}

#[test]
fn the_content_decides_about_the_format() {
    let folder = new_folder();
    write_image(&folder.path().join("a.png"), 5, 7, 9);
    fs::rename(folder.path().join("a.png"), folder.path().join("a.jpg")).unwrap();
    assert_eq!(only(folder.path()).unwrap().pixel(0, 0), CORNER);
}

#[test]
fn every_kind_of_pixel_becomes_rgb8() {
    let kinds: [(&str, DynamicImage, [u8; 3]); 7] = [
        ("grey", ImageBuffer::from_pixel(5, 7, Luma([90_u8])).into(), [90, 90, 90]),
        ("grey 16", ImageBuffer::from_pixel(5, 7, Luma([90 * 257_u16])).into(), [90, 90, 90]),
        ("rgb 16", ImageBuffer::from_pixel(5, 7, Rgb([10 * 257_u16, 65535, 0])).into(), [10, 255, 0]),
        ("half transparent", ImageBuffer::from_pixel(5, 7, Rgba([200_u8, 100, 50, 128])).into(), [100, 50, 25]),
        ("transparent", ImageBuffer::from_pixel(5, 7, Rgba([200_u8, 100, 50, 0])).into(), [0, 0, 0]),
        ("opaque", ImageBuffer::from_pixel(5, 7, Rgba([200_u8, 100, 50, 255])).into(), [200, 100, 50]),
        ("grey, half transparent", ImageBuffer::from_pixel(5, 7, LumaA([200_u8, 128])).into(), [100, 100, 100]),
    ];
    for (kind, image, expected) in kinds {
        let folder = new_folder();
        image.save(folder.path().join("a.png")).unwrap();
        assert_eq!(only(folder.path()).unwrap().pixel(3, 5), expected, "{kind}");
    }
}

#[test]
fn a_palette_is_looked_up() {
    let folder = new_folder();
    // 2 x 1 px, one bit a pixel, palette (255, 0, 0), (0, 0, 255); made with Python's zlib.
    let png = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x02\x00\x00\x00\x01\x01\x03\x00\x00\x00\xce\xec\xed\xc9\x00\x00\x00\x06PLTE\xff\x00\x00\x00\x00\xffl\xa1\xfd\x8e\x00\x00\x00\x0aIDATx\x9ccp\x00\x00\x00B\x00A)7\xf4\xef\x00\x00\x00\x00IEND\xaeB`\x82";
    write_bytes(&folder.path().join("a.png"), png);
    let image = only(folder.path()).unwrap();
    assert_eq!((image.rgb(), image.width_px()), ([255, 0, 0, 0, 0, 255].as_slice(), 2));
}

#[test]
fn photographs_are_turned_upright() {
    let folder = new_folder();
    let path = folder.path().join("a.jpg");
    image::RgbImage::from_fn(70, 50, |x, _| Rgb(if x < 20 { [255; 3] } else { [0; 3] })).save(&path).unwrap();
    let jpeg = fs::read(&path).unwrap();
    // An EXIF segment with one entry: orientation 6, to be turned clockwise by a quarter.
    let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let exif = [b"\xff\xe1\0".as_slice(), &[2 + 6 + tiff.len() as u8], b"Exif\0\0", tiff].concat();
    write_bytes(&path, &[&jpeg[..2], &exif, &jpeg[2..]].concat());
    let image = only(folder.path()).unwrap();
    assert_eq!((image.width_px(), image.height_px()), (50, 70));
    assert!(image.pixel(25, 5)[0] > 200 && image.pixel(25, 65)[0] < 50, "what was left is now on top");
}

#[test]
fn broken_files_are_named_when_they_are_read() {
    for (name, write) in [
        ("cut.png", write_truncated as fn(&Path, u32, u32)),
        ("cut.jpg", write_truncated),
        ("cut.webp", write_truncated),
        ("empty.png", |path, _, _| write_bytes(path, b"")),
        ("text.jpg", |path, _, _| write_bytes(path, b"<html>404</html>")),
        ("signature.png", |path, _, _| write_bytes(path, b"\x89PNG\r\n\x1a\n")),
    ] {
        let folder = new_folder();
        let file = folder.path().join(name);
        write(&file, 50, 70);
        match only(folder.path()).unwrap_err() {
            Error::BrokenImage { path, reason } => assert!(path == file && !reason.is_empty()),
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn a_jpeg_that_lacks_its_last_bytes_is_broken_though_its_thumbnail_is_whole() {
    let folder = new_folder();
    let path = folder.path().join("a.jpg");
    write_image(&path, 50, 70, 0);
    let jpeg = fs::read(&path).unwrap();
    let comment = [b"\xff\xfe\0\x06".as_slice(), b"\xff\xd8\xff\xd9"].concat();
    let whole = [&jpeg[..2], &comment, &jpeg[2..]].concat();
    write_bytes(&path, &whole);
    assert!(only(folder.path()).is_ok());
    write_bytes(&path, &whole[..whole.len() - 3]);
    assert!(matches!(only(folder.path()), Err(Error::BrokenImage { .. })));
}

#[test]
fn an_image_too_large_is_refused_before_it_is_unpacked() {
    let folder = new_folder();
    write_image(&folder.path().join("a.png"), 50, 70, 0);
    let side = FolderOptions { max_side_px: 69, ..FolderOptions::default() };
    let error = Folder::open(folder.path(), side).unwrap().image(0).unwrap_err();
    assert!(matches!(error, Error::ImageTooLarge { width_px: 50, height_px: 70, .. }), "{error}");

    // A header that promises 60,000 x 60,000 px; its checksum is right, and nothing follows.
    write_bytes(&folder.path().join("a.png"), b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\xea`\x00\x00\xea`\x08\x02\x00\x00\x00\x0f\xb0\xe2\x15\x00\x00\x00\x00IDAT5\xaf\x06\x1e");
    let error = only(folder.path()).unwrap_err();
    assert!(matches!(error, Error::ImageTooLarge { width_px: 60_000, .. }), "{error}");
}

#[test]
fn a_file_that_no_allowed_image_could_fill_is_not_read() {
    let folder = new_folder();
    write_image(&folder.path().join("a.png"), 50, 70, 0);
    let stray = folder.path().join("b.jpg");
    let options = || FolderOptions { max_megapixels: 1, split: Split::Unlabelled, ..FolderOptions::default() };
    for (bytes, too_large) in [(60 << 20, false), (80 << 20, true), (50 << 30, true)] {
        // A hole takes no room on the disk.
        let made = fs::File::create(&stray).and_then(|file| file.set_len(bytes));
        assert!(made.is_ok() || bytes > 1 << 32, "some file systems hold no file of 50 GiB");
        let dataset = Folder::open(folder.path(), options()).unwrap();
        assert!(dataset.image(0).is_ok());
        match dataset.image(1).unwrap_err() {
            Error::FileTooLarge { path, bytes: got, limit } => {
                assert!(too_large && path == stray && got == bytes && limit < 80 << 20, "{got} of {limit}");
            }
            Error::BrokenImage { .. } => assert!(!too_large || made.is_err(), "{bytes} bytes were read"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn the_fingerprint_knows_names_sizes_and_split() {
    let [one, other] = [new_folder(), new_folder()];
    for folder in [&one, &other] {
        write_class_folder(folder.path(), &[("cat", 5), ("dog", 5)], "png");
    }
    let fingerprint = |folder: &TempDir, split| open(folder.path(), split).unwrap().fingerprint().to_owned();
    let before = fingerprint(&one, Split::Train);
    assert_eq!(before, fingerprint(&other, Split::Train), "the folder does not matter");
    assert_ne!(before, fingerprint(&one, Split::Test));
    write_image(&other.path().join("dog/000.png"), 6, 7, 0);
    assert_ne!(before, fingerprint(&other, Split::Train));
    fs::rename(one.path().join("cat"), one.path().join("cats")).unwrap();
    assert_ne!(before, fingerprint(&one, Split::Train));
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_round_in_circles() {
    use std::os::unix::fs::symlink;
    let [folder, elsewhere] = [new_folder(), new_folder()];
    write_image(&elsewhere.path().join("1.png"), 5, 7, 0);
    symlink(elsewhere.path(), folder.path().join("cat")).unwrap();
    assert_eq!(sources(&open(folder.path(), Split::Train).unwrap(), 2), ["cat/1.png"]);
    symlink(folder.path(), folder.path().join("loop")).unwrap();
    assert!(matches!(open(folder.path(), Split::Train), Err(Error::Io { .. })));
}

#[cfg(unix)]
#[test]
fn links_to_nothing_are_broken_images_or_none() {
    use std::os::unix::fs::symlink;
    let folder = new_folder();
    write_image(&folder.path().join("cat/1.png"), 5, 7, 0);
    // What an editor leaves, what is no image, and an image whose content is elsewhere.
    for (name, target) in [(".#a.png", "user@host.1234:5678"), ("notes.txt", "gone"), ("2.png", ".git/annex/objects/x")] {
        symlink(target, folder.path().join("cat").join(name)).unwrap();
    }
    let dataset = open(folder.path(), Split::Train).unwrap();
    assert_eq!(sources(&dataset, 2), ["cat/1.png", "cat/2.png"]);
    assert!(dataset.image(0).is_ok());
    assert!(matches!(dataset.image(1), Err(Error::Io { path, .. }) if path == folder.path().join("cat/2.png")));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_would_read_alike_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    for (name, other) in [(&b"caf\xe8/1.png"[..], &b"caf\xe9/1.png"[..]), (b"cat/\xe8.png", b"cat/\xe9.png")] {
        let folder = new_folder();
        for name in [name, other] {
            write_image(&folder.path().join("plain.png"), 5, 7, 0);
            let path = folder.path().join(OsStr::from_bytes(name));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::rename(folder.path().join("plain.png"), path).unwrap();
        }
        for split in [Split::Train, Split::Unlabelled] {
            match open(folder.path(), split).unwrap_err() {
                Error::NameNotText { path } => assert!(path.starts_with(folder.path()) && path.is_file()),
                other => panic!("{other}"),
            }
        }
    }
    // What is no image, and a folder that is the same for all of them, may be called anything.
    let folder = new_folder();
    let root = folder.path().join(OsStr::from_bytes(b"pl\xe9ce"));
    write_image(&root.join("cat/1.png"), 5, 7, 0);
    write_bytes(&root.join("cat").join(OsStr::from_bytes(b"n\xf6tes.txt")), b"");
    assert_eq!(open(&root, Split::Train).unwrap().class_names(), ["cat"]);
}

#[test]
fn real_photographs_of_many_encoders_are_read() {
    let Some(folder) = real_data("tiny-imagenet-200") else { return };
    let dataset = open(&folder.join("train"), Split::Train).unwrap();
    assert_eq!(dataset.class_names().len(), 200);
    for index in (0..dataset.len()).step_by(7) {
        let image = dataset.image(index).unwrap();
        assert_eq!((image.width_px(), image.height_px()), (64, 64));
    }
}
