use std::fs;
use std::path::Path;

use image::{ImageFormat, RgbImage};

/// The colour of the top left pixel of every [`marked_image`]: a mirrored or turned image shows it elsewhere.
pub const CORNER: [u8; 3] = [255, 0, 128];

/// An image with its top left corner marked, the rest a formula of (x, y) and `mark`, without symmetries.
///
/// Take unequal sides, say 5 x 7.
#[must_use]
pub fn marked_image(width_px: u32, height_px: u32, mark: u8) -> RgbImage {
    RgbImage::from_fn(width_px, height_px, |x, y| {
        if (x, y) == (0, 0) {
            return image::Rgb(CORNER);
        }
        image::Rgb([(x * 11 % 256) as u8, (y * 13 % 256) as u8, mark])
    })
}

/// Writes `marked_image(width_px, height_px, mark)`, in the format that the path's extension (in any case) names:
/// exact in PNG and WebP, near in JPEG. Folders on the way are made.
///
/// # Panics
/// Where the extension is unknown or the file cannot be written.
pub fn write_image(path: &Path, width_px: u32, height_px: u32, mark: u8) {
    let format = path.extension().and_then(ImageFormat::from_extension);
    let format = format.expect("the extension names an image format");
    let mut bytes = std::io::Cursor::new(Vec::new());
    marked_image(width_px, height_px, mark).write_to(&mut bytes, format).expect("the image can be encoded");
    write_bytes(path, bytes.get_ref());
}

/// Writes `root/<class>/<number>.<extension>`, 5 x 7 px each, `count` images for each `(class, count)`; image i of a
/// class is marked i.
///
/// # Panics
/// As [`write_image`].
pub fn write_class_folder(root: &Path, classes: &[(&str, usize)], extension: &str) {
    for (class, count) in classes {
        for i in 0..*count {
            write_image(&root.join(class).join(format!("{i:03}.{extension}")), 5, 7, i as u8);
        }
    }
}

/// Writes the first half of the file that [`write_image`] would.
///
/// # Panics
/// As [`write_image`].
pub fn write_truncated(path: &Path, width_px: u32, height_px: u32) {
    write_image(path, width_px, height_px, 0);
    let bytes = fs::read(path).expect("the file can be read");
    write_bytes(path, &bytes[..bytes.len() / 2]);
}

/// Writes any bytes, for files that are not what their names say. Folders on the way are made.
///
/// # Panics
/// Where the file cannot be written.
pub fn write_bytes(path: &Path, bytes: &[u8]) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("the folder can be made");
    }
    fs::write(path, bytes).expect("the file can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_images_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.png", "b.WebP"] {
            let path = folder.path().join("deep").join(name);
            write_image(&path, 5, 7, 9);
            let read = image::load_from_memory(&fs::read(&path).unwrap()).unwrap().to_rgb8();
            assert_eq!(read, marked_image(5, 7, 9), "{name}");
        }
    }
}
