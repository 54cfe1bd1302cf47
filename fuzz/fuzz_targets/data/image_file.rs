//! PNG, JPEG and WebP: an image, or an error that names the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_data::{Dataset, Folder, FolderOptions};
use relata_fuzz::{place, write};

fuzz_target!(|bytes: &[u8]| {
    write("images/x.png", bytes);
    let options = FolderOptions { max_side_px: 1000, max_megapixels: 1, ..FolderOptions::default() };
    let folder = Folder::open(&place().join("images"), options).expect("a folder with one image");
    if let Ok(image) = folder.image(0) {
        assert_eq!(image.rgb().len(), image.width_px() * image.height_px() * 3);
    }
});
