use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};

use super::{marked_image, write_bytes, write_image};

/// The name of the folder that the publisher's archive unpacks to.
pub const TINY_FOLDER: &str = "tiny-imagenet-200";

/// The classes of the tiny copy in the order of `wnids.txt`, which is not the sorted one, and their lines in `words.txt`.
pub const TINY_CLASSES: [(&str, &str); 3] =
    [("n03000000", "crane"), ("n01000000", "goldfish, Carassius auratus"), ("n02000000", "crane, wading bird")];

/// How the labels of `val` are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TinyVal {
    /// `val/images` and `val/val_annotations.txt`, as published.
    Annotated,
    /// `val/<wnid>/images`, as many copies have it.
    ClassFolders,
}

/// Writes `tiny-imagenet-200` below `root`, with `each` images of 64 x 64 px a class in both splits, and returns its path.
/// Image i of `val` is of class i modulo 3 in the order of [`TINY_CLASSES`]; the second training image of a class is grey.
///
/// # Panics
/// Where a file cannot be written.
pub fn write_tiny(root: &Path, each: usize, val: TinyVal) -> PathBuf {
    let folder = root.join(TINY_FOLDER);
    let lines = |line: fn(&(&str, &str)) -> String| TINY_CLASSES.iter().map(line).collect::<String>();
    write_bytes(&folder.join("wnids.txt"), lines(|(wnid, _)| format!("{wnid}\n")).as_bytes());
    let words = lines(|(wnid, words)| format!("{wnid}\t{words}\n"));
    write_bytes(&folder.join("words.txt"), format!("n00001740\tentity\n{words}").as_bytes());
    for (class, (wnid, _)) in TINY_CLASSES.iter().enumerate() {
        for i in 0..each {
            let path = folder.join(format!("train/{wnid}/images/{wnid}_{i}.JPEG"));
            if i == 1 {
                write_grey(&path);
            } else {
                write_image(&path, 64, 64, (class * 60 + i) as u8);
            }
        }
        write_bytes(&folder.join(format!("train/{wnid}/{wnid}_boxes.txt")), b"");
    }
    let mut annotations = String::new();
    for i in 0..TINY_CLASSES.len() * each {
        let (name, (wnid, _)) = (format!("val_{i}.JPEG"), TINY_CLASSES[i % TINY_CLASSES.len()]);
        annotations.push_str(&format!("{name}\t{wnid}\t0\t0\t63\t63\n"));
        let images = match val {
            TinyVal::Annotated => "val/images".to_owned(),
            TinyVal::ClassFolders => format!("val/{wnid}/images"),
        };
        write_image(&folder.join(images).join(name), 64, 64, i as u8);
    }
    // Copies with class folders often keep the list.
    write_bytes(&folder.join("val/val_annotations.txt"), annotations.as_bytes());
    folder
}

fn write_grey(path: &Path) {
    let mut bytes = Cursor::new(Vec::new());
    let grey = DynamicImage::from(marked_image(64, 64, 0)).into_luma8();
    grey.write_to(&mut bytes, ImageFormat::Jpeg).expect("the image can be encoded");
    write_bytes(path, bytes.get_ref());
}

/// Writes a JPEG file of a few bytes whose header claims `side_px` squared pixels.
///
/// # Panics
/// Where the file cannot be written.
pub fn write_huge_jpeg(path: &Path, side_px: u16) {
    write_image(path, 8, 8, 0);
    let mut bytes = fs::read(path).expect("the file can be read");
    // Start of frame, segment length, 8 bits a sample, then height and width.
    let frame = bytes.windows(5).position(|five| five[0] == 0xff && five[1] == 0xc0 && five[4] == 8);
    let sides = frame.expect("a JPEG has a frame") + 5;
    bytes[sides..sides + 2].copy_from_slice(&side_px.to_be_bytes());
    bytes[sides + 2..sides + 4].copy_from_slice(&side_px.to_be_bytes());
    write_bytes(path, &bytes);
}
