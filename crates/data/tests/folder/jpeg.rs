//! JPEG files, by whichever decoder the build has. The one of `image` is what both are held against.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageReader, Rgb, RgbImage};
use relata_data::{Dataset, Error, Folder, FolderOptions, Image, Split};
use relata_testkit::datasets::write_bytes;
use relata_testkit::real_data;
use tempfile::TempDir;

/// Greatest difference of a value between the decoders, in levels: each rounds the transform, the colours that lie between
/// pixels, and their conversion in its own way.
const MOST_LEVELS: u8 = 6;
/// Greatest difference on the average of an image's values.
const MOST_MEAN_LEVELS: f64 = 0.5;

fn options() -> FolderOptions {
    FolderOptions { split: Split::Unlabelled, ..FolderOptions::default() }
}

fn read(path: &Path, options: FolderOptions) -> Result<Image, Error> {
    let folder = path.parent().expect("a file lies in a folder");
    Folder::open(folder, options)?.image(0)
}

/// A folder with one file of these bytes.
fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    write_bytes(&path, bytes);
    (folder, path)
}

fn bytes_read(bytes: &[u8]) -> Result<Image, Error> {
    let (_folder, path) = file(bytes);
    read(&path, options())
}

/// Slopes, an edge and some noise, different in both directions.
fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 13 & 31;
        let edge = if 3 * x > width + y { 90 } else { 0 };
        Rgb([(x * 2 + noise) as u8, (y * 3 % 200 + noise) as u8, (edge + noise + x / 2) as u8])
    })
}

fn jpeg(image: &DynamicImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).unwrap();
    bytes
}

/// Greatest and mean difference of two images' values.
fn difference(one: &[u8], other: &[u8]) -> (u8, f64) {
    assert_eq!(one.len(), other.len());
    let levels = || one.iter().zip(other).map(|(a, b)| a.abs_diff(*b));
    (levels().max().unwrap_or(0), levels().map(f64::from).sum::<f64>() / one.len() as f64)
}

fn assert_as_by_the_other_decoder(image: &Image, bytes: &[u8], what: &str) {
    let expected = image::load_from_memory(bytes).unwrap().into_rgb8();
    assert_eq!((image.width_px(), image.height_px()), (expected.width() as usize, expected.height() as usize), "{what}");
    let (most, mean) = difference(image.rgb(), expected.as_raw());
    assert!(most <= MOST_LEVELS && mean <= MOST_MEAN_LEVELS, "{what}: {most} levels, {mean:.3} on average");
}

#[test]
fn both_decoders_agree_on_any_size_quality_and_grey() {
    for (width, height) in [(1, 1), (1, 9), (7, 5), (8, 8), (16, 17), (33, 31), (97, 61), (250, 130)] {
        for quality in [30, 75, 92, 100] {
            let scene = DynamicImage::ImageRgb8(scene(width, height));
            for (kind, image) in [("grey", scene.to_luma8().into()), ("colours", scene)] {
                let bytes = jpeg(&image, quality);
                let what = format!("{width} x {height} px, quality {quality}, {kind}");
                assert_as_by_the_other_decoder(&bytes_read(&bytes).unwrap(), &bytes, &what);
            }
        }
    }
}

#[test]
fn both_decoders_agree_on_real_photographs() {
    let Some(folder) = real_data("tiny-imagenet-200") else { return };
    let dataset = Folder::open(&folder.join("train"), options()).unwrap();
    for index in (0..dataset.len()).step_by(3) {
        let path = dataset.source(index);
        assert_as_by_the_other_decoder(&dataset.image(index).unwrap(), &fs::read(&path).unwrap(), &path);
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let bytes = jpeg(&scene(50, 70).into(), 90);
    for length in (0..bytes.len()).step_by(3) {
        let error = bytes_read(&bytes[..length]).expect_err("there are bytes missing");
        assert!(matches!(error, Error::BrokenImage { .. }), "{length} of {} bytes: {error}", bytes.len());
    }
    assert!(bytes_read(&bytes[..bytes.len() - 1]).is_err() && bytes_read(&bytes).is_ok());
}

#[test]
fn what_follows_the_image_does_not_matter() {
    let whole = jpeg(&scene(50, 70).into(), 90);
    let longer = [&whole[..], b"a trailer \xff\xd8\xff"].concat();
    assert_eq!(bytes_read(&longer).unwrap(), bytes_read(&whole).unwrap());
}

#[test]
fn a_file_with_wrong_bits_is_read_or_refused_and_nothing_is_refused_that_the_other_decoder_reads() {
    let whole = jpeg(&scene(50, 70).into(), 90);
    let mut refused = 0;
    for bit in (0..8 * whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (_folder, path) = file(&bytes);
        let ours = read(&path, FolderOptions { max_side_px: 300, ..options() });
        let sides = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().unwrap().into_dimensions();
        if sides.is_ok_and(|(width, height)| width.max(height) > 300) {
            assert!(matches!(ours, Err(Error::ImageTooLarge { .. })), "bit {bit}: {ours:?}");
            continue;
        }
        match (ours, image::load_from_memory(&bytes)) {
            (Ok(image), Ok(expected)) => {
                assert_eq!((image.width_px(), image.height_px()), (expected.width() as usize, expected.height() as usize));
            }
            // Where a table is missing, libjpeg-turbo takes the standard's.
            (Ok(_), Err(_)) if cfg!(feature = "jpeg-turbo") => {}
            (Ok(_), Err(error)) => panic!("bit {bit}: read, though {error}"),
            (Err(Error::BrokenImage { reason, .. }), Ok(_)) => assert!(reason.contains("end marker"), "bit {bit}: {reason}"),
            (Err(Error::BrokenImage { .. }), _) => refused += 1,
            (Err(error), _) => panic!("bit {bit}: {error}"),
        }
    }
    assert!(refused > 0);
}

#[test]
fn every_orientation_is_turned_upright_and_the_last_exif_data_counts() {
    let scene = scene(70, 50);
    let whole = jpeg(&scene.clone().into(), 95);
    let plain = bytes_read(&whole).unwrap();
    let exif = |orientation: u8| {
        let tiff = [b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[orientation], b"\0\0\0\0\0\0"].concat();
        [b"\xff\xe1\0".as_slice(), &[2 + 6 + tiff.len() as u8], b"Exif\0\0", &tiff].concat()
    };
    for orientation in 1..=8 {
        // A broken one last changes nothing; of two whole ones the later counts.
        let segments = [exif(3), exif(orientation), b"\xff\xe1\0\x09Exif\0\0?".to_vec()].concat();
        let image = bytes_read(&[&whole[..2], &segments, &whole[2..]].concat()).unwrap();
        let mut expected: DynamicImage = RgbImage::from_raw(70, 50, plain.rgb().to_vec()).unwrap().into();
        expected.apply_orientation(image::metadata::Orientation::from_exif(orientation).unwrap());
        assert_eq!(image.rgb(), expected.as_bytes(), "orientation {orientation}");
        assert_eq!(image.width_px(), if orientation < 5 { 70 } else { 50 });
    }
}

#[cfg(not(feature = "jpeg-turbo"))]
#[test]
fn decoding_at_less_than_the_size_is_refused_without_the_feature_for_it() {
    let (_folder, path) = file(&jpeg(&scene(50, 70).into(), 90));
    let scaled = FolderOptions { jpeg_side_px: 16, ..options() };
    assert!(matches!(read(&path, scaled), Err(Error::Setting { key: "jpeg_side_px", .. })));
}

#[cfg(feature = "jpeg-turbo")]
mod turbo {
    use turbojpeg::{Colorspace, Compressor, PixelFormat, Subsamp};

    use super::*;

    fn compressed(format: PixelFormat, image: &[u8], (width, height): (usize, usize), set: impl Fn(&mut Compressor)) -> Vec<u8> {
        let mut compressor = Compressor::new().unwrap();
        compressor.set_quality(90).unwrap();
        set(&mut compressor);
        let pitch = width * format.size();
        compressor.compress_to_vec(turbojpeg::Image { pixels: image, width, pitch, height, format }).unwrap()
    }

    #[test]
    fn both_decoders_agree_on_every_subsampling_and_on_progressive_files() {
        for (width, height) in [(97, 61), (16, 16), (5, 7), (1, 3)] {
            let scene = scene(width, height);
            for subsamp in [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Sub1x2, Subsamp::Sub4x1, Subsamp::Gray] {
                for progressive in [false, true] {
                    let bytes = compressed(PixelFormat::RGB, &scene, (width as usize, height as usize), |compressor| {
                        compressor.set_subsamp(subsamp).unwrap();
                        compressor.set_progressive(progressive).unwrap();
                    });
                    let what = format!("{width} x {height} px, {subsamp:?}, progressive {progressive}");
                    assert_as_by_the_other_decoder(&bytes_read(&bytes).unwrap(), &bytes, &what);
                }
            }
        }
    }

    #[test]
    fn other_colour_spaces_are_left_to_the_other_decoder() {
        let cmyk: Vec<u8> = scene(40, 30).pixels().flat_map(|Rgb([r, g, b])| [*r, *g, *b, 200]).collect();
        let spaces = [(PixelFormat::CMYK, cmyk, Colorspace::CMYK), (PixelFormat::RGB, scene(40, 30).into_raw(), Colorspace::RGB)];
        for (format, pixels, space) in spaces {
            let bytes = compressed(format, &pixels, (40, 30), |compressor| compressor.set_colorspace(space).unwrap());
            match (bytes_read(&bytes), image::load_from_memory(&bytes)) {
                (Ok(image), Ok(expected)) => assert_eq!(image.rgb(), expected.into_rgb8().as_raw(), "{space:?}"),
                (Err(Error::BrokenImage { reason, .. }), Err(error)) => assert_eq!(reason, error.to_string(), "{space:?}"),
                (ours, _) => panic!("{space:?}: {ours:?}"),
            }
        }
    }

    /// Mean of each block of `times` x `times` pixels.
    fn shrunk(image: &Image, times: usize) -> Vec<f64> {
        let (width, height) = (image.width_px() / times, image.height_px() / times);
        let mut means = vec![0.0; width * height * 3];
        for (i, mean) in means.iter_mut().enumerate() {
            let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
            let block = (0..times * times).map(|k| image.pixel(x * times + k % times, y * times + k / times)[c]);
            *mean = block.map(f64::from).sum::<f64>() / (times * times) as f64;
        }
        means
    }

    #[test]
    fn a_scaled_image_is_near_to_the_whole_one_shrunk() {
        let (_folder, path) = file(&jpeg(&scene(320, 240).into(), 92));
        let whole = read(&path, options()).unwrap();
        for (least, times) in [(240, 1), (121, 1), (120, 2), (61, 2), (60, 4), (30, 8), (1, 8)] {
            let scaled = read(&path, FolderOptions { jpeg_side_px: least, ..options() }).unwrap();
            assert_eq!((scaled.width_px(), scaled.height_px()), (320 / times, 240 / times), "{least}");
            let means = shrunk(&whole, times);
            let off = scaled.rgb().iter().zip(&means).map(|(&a, b)| (f64::from(a) - b).abs()).sum::<f64>() / means.len() as f64;
            assert!(off < if times == 1 { 1e-9 } else { 2.0 }, "{times} times: {off:.2} levels on average");
        }
    }

    #[test]
    fn scaling_is_seen_in_the_fingerprint_and_leaves_limits_and_orientation_as_they_are() {
        let whole = jpeg(&scene(320, 240).into(), 92);
        let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let exif = [b"\xff\xe1\0".as_slice(), &[2 + 6 + tiff.len() as u8], b"Exif\0\0", tiff].concat();
        let (folder, path) = file(&[&whole[..2], &exif, &whole[2..]].concat());
        let scaled = |jpeg_side_px| FolderOptions { jpeg_side_px, ..options() };
        let image = read(&path, scaled(60)).unwrap();
        assert_eq!((image.width_px(), image.height_px()), (60, 80));
        let fingerprints = [0, 60, 61].map(|side| Folder::open(folder.path(), scaled(side)).unwrap().fingerprint().to_owned());
        assert!(fingerprints[0] != fingerprints[1] && fingerprints[1] != fingerprints[2]);
        let limited = FolderOptions { max_side_px: 319, ..scaled(60) };
        assert!(matches!(read(&path, limited), Err(Error::ImageTooLarge { width_px: 320, .. })));
        let square = FolderOptions { exact_side_px: Some(60), ..scaled(60) };
        assert!(matches!(read(&path, square), Err(Error::ImageSize { width_px: 320, .. })));
    }
}
