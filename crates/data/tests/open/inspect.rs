//! Statistics of the channels and contact sheets: what a data set looks like, in numbers and to the eye.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use relata_data::{
    ContactSheetOptions, Dataset, Error, Folder, FolderOptions, Image, Result, Shapes, ShapesOptions, Split, Subset,
    channel_statistics, contact_sheet,
};
use relata_testkit::datasets::{CORNER, write_bytes, write_class_folder, write_image};
use relata_testkit::{Tolerance, assert_close};

/// Three roundings of f64, at most.
const ROUNDING: Tolerance = Tolerance { abs: 0.0, rel: 1e-15 };

/// Images in memory.
struct InMemory(Vec<Image>);

impl Dataset for InMemory {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        self.0.get(index).cloned().ok_or(Error::IndexOutOfRange { index, len: self.0.len() })
    }

    fn label(&self, _: usize) -> Option<usize> {
        None
    }

    fn class_names(&self) -> &[String] {
        &[]
    }

    fn source(&self, index: usize) -> String {
        format!("image {index}")
    }

    fn fingerprint(&self) -> &str {
        "given"
    }
}

fn folder(path: &std::path::Path, split: Split) -> Folder {
    Folder::open(path, FolderOptions { split, ..FolderOptions::default() }).unwrap()
}

#[test]
fn means_and_deviations_are_those_of_all_pixels() {
    // Red 0, 255, 255, 255; green always 51 (a fifth); blue 0, 0, 255, 255; over two images of unequal sizes.
    let large = Image::new(3, 1, vec![0, 51, 0, 255, 51, 0, 255, 51, 255]).unwrap();
    let small = Image::new(1, 1, vec![255, 51, 255]).unwrap();
    let seen = AtomicUsize::new(0);
    let statistics = channel_statistics(&InMemory(vec![large, small]), |done, of| {
        assert!(done <= of && of == 2);
        seen.fetch_max(done, Ordering::Relaxed);
    });
    let statistics = statistics.unwrap();
    assert_eq!((statistics.images, statistics.pixels, seen.into_inner()), (2, 4, 2));
    assert_eq!(statistics.mean, [0.75, 0.2, 0.5]);
    assert_close(&statistics.std, &[(3.0_f64 / 16.0).sqrt(), 0.0, 0.5], ROUNDING);
}

#[test]
fn statistics_agree_with_the_textbook_in_two_passes() {
    let whole: Arc<dyn Dataset> = Arc::new(Shapes::new(ShapesOptions::default()).unwrap());
    let dataset = Subset::first(whole, 200);
    let statistics = channel_statistics(&dataset, |_, _| ()).unwrap();
    let rgb: Vec<u8> = (0..200).flat_map(|index| dataset.image(index).unwrap().into_rgb()).collect();
    for channel in 0..3 {
        let values: Vec<f64> = rgb.iter().skip(channel).step_by(3).map(|value| f64::from(*value) / 255.0).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        // The textbook's sums of 200,000 numbers round more than ours.
        let tolerance = Tolerance { abs: 0.0, rel: 1e-11 };
        assert_close(&[statistics.mean[channel], statistics.std[channel]], &[mean, variance.sqrt()], tolerance);
    }
}

#[test]
fn statistics_are_the_same_bits_on_any_number_of_threads() {
    let dataset = Shapes::new(ShapesOptions { split: Split::Test, ..ShapesOptions::default() }).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let statistics = pool.install(|| channel_statistics(&dataset, |_, _| ())).unwrap();
        (statistics.mean.map(f64::to_bits), statistics.std.map(f64::to_bits))
    };
    assert!([2, 3, 7].into_iter().all(|threads| on(threads) == on(1)));
}

#[test]
fn the_first_broken_image_is_the_one_that_is_named() {
    let root = tempfile::tempdir().unwrap();
    write_class_folder(root.path(), &[("a", 40)], "png");
    for broken in [7, 23, 31] {
        write_bytes(&root.path().join(format!("a/{broken:03}.png")), b"");
    }
    let dataset = folder(root.path(), Split::Unlabelled);
    for _ in 0..5 {
        match channel_statistics(&dataset, |_, _| ()) {
            Err(Error::BrokenImage { path, .. }) => assert!(path.ends_with("a/007.png"), "{}", path.display()),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(channel_statistics(&InMemory(Vec::new()), |_, _| ()), Err(Error::IndexOutOfRange { index: 0, len: 0 })));
}

#[test]
fn a_sheet_has_a_row_a_class_and_keeps_corners() {
    let root = tempfile::tempdir().unwrap();
    // 5 x 7 px each: enlarged fourfold to 20 x 28 in tiles of 30.
    write_class_folder(root.path(), &[("ant", 3), ("bee", 4), ("cow", 5)], "png");
    let options = ContactSheetOptions { columns: 3, rows: 20, tile_px: 30, gap_px: 4 };
    let dataset = folder(root.path(), Split::Train);
    let sheet = contact_sheet(&dataset, &options).unwrap();
    assert_eq!((sheet.image.width_px(), sheet.image.height_px()), (3 * 34 - 4, 3 * 34 - 4));
    assert_eq!(sheet.rows, [(Some(0), vec![0, 3, 6]), (Some(1), vec![1, 4, 7]), (Some(2), vec![2, 5, 8])]);
    for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
        let (left, top) = (column * 34, row * 34);
        assert_eq!(sheet.image.pixel(left + 5, top + 1), CORNER, "row {row}, column {column}");
        assert_eq!(sheet.image.pixel(left + 8, top + 4), CORNER, "enlarged by a whole factor");
        assert_eq!(sheet.image.pixel(left + 4, top + 1), [255; 3], "the tile around it is white");
        // The bottom right pixel, (4, 6), is of column x 11, row x 13 and the image's mark, which is its number in the class.
        assert_eq!(sheet.image.pixel(left + 24, top + 28), [44, 78, column as u8]);
    }
}

#[test]
fn a_class_without_images_has_no_row_and_rows_have_a_limit() {
    let dataset: Arc<dyn Dataset> = Arc::new(Shapes::new(ShapesOptions::default()).unwrap());
    let some = Subset::of(Arc::clone(&dataset), vec![3, 13, 8]).unwrap();
    let sheet = contact_sheet(&some, &ContactSheetOptions::default()).unwrap();
    assert_eq!(sheet.rows, [(Some(3), vec![0, 1]), (Some(8), vec![2])]);
    let first = contact_sheet(&*dataset, &ContactSheetOptions { rows: 4, ..ContactSheetOptions::default() }).unwrap();
    assert_eq!(first.rows.iter().map(|(label, _)| label.unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn images_without_labels_fill_the_rows_in_order() {
    let images = |count: usize| InMemory(vec![Image::new(2, 3, vec![9; 18]).unwrap(); count]);
    let options = ContactSheetOptions { columns: 4, rows: 3, tile_px: 8, gap_px: 1 };
    let sheet = contact_sheet(&images(6), &options).unwrap();
    assert_eq!(sheet.rows, [(None, vec![0, 1, 2, 3]), (None, vec![4, 5])]);
    assert_eq!(contact_sheet(&images(60), &options).unwrap().rows.len(), 3);
}

#[test]
fn a_large_image_is_shrunk_into_its_tile() {
    let root = tempfile::tempdir().unwrap();
    write_image(&root.path().join("wide.png"), 300, 40, 5);
    let options = ContactSheetOptions { tile_px: 60, ..ContactSheetOptions::default() };
    let sheet = contact_sheet(&folder(root.path(), Split::Unlabelled), &options).unwrap();
    // 60 x 8 px in the middle of the tile.
    assert_eq!((sheet.image.width_px(), sheet.image.height_px()), (60, 60));
    let is_white = |y: usize| sheet.image.pixel(30, y) == [255; 3];
    assert!(is_white(25) && !is_white(26) && !is_white(33) && is_white(34));
}

#[test]
fn sheets_that_cannot_be_are_refused() {
    let image = || InMemory(vec![Image::new(1, 1, vec![0; 3]).unwrap(); 9]);
    let fine = ContactSheetOptions::default();
    for (options, key) in [
        (ContactSheetOptions { columns: 0, ..fine }, "columns"),
        (ContactSheetOptions { rows: 0, ..fine }, "rows"),
        (ContactSheetOptions { tile_px: 0, ..fine }, "tile_px"),
        (ContactSheetOptions { tile_px: usize::MAX, ..fine }, "tile_px"),
        (ContactSheetOptions { gap_px: usize::MAX, ..fine }, "tile_px"),
        (ContactSheetOptions { tile_px: 20_000, ..fine }, "tile_px"),
    ] {
        match contact_sheet(&image(), &options) {
            Err(Error::Setting { key: named, .. }) => assert_eq!(named, key),
            other => panic!("{key}: {:?}", other.err()),
        }
    }
    assert!(matches!(contact_sheet(&InMemory(Vec::new()), &fine), Err(Error::IndexOutOfRange { .. })));
}
