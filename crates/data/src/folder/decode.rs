use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::{Error, Image, Result};

/// What an image file may at most unpack to.
#[derive(Debug, Clone, Copy)]
pub(super) struct PixelLimits {
    pub(super) side_px: u32,
    pub(super) megapixels: u32,
    /// The only side allowed, where all images are squares of one size.
    pub(super) exact_side_px: Option<u32>,
}

/// Reads one image file as RGB8.
pub(super) fn decode(path: &Path, limits: PixelLimits) -> Result<Image> {
    let broken = |reason: String| Error::BrokenImage { path: path.to_owned(), reason };
    let unreadable = |error: ImageError| broken(error.to_string());
    let bytes = fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let mut reader = ImageReader::new(Cursor::new(&bytes));
    if let Ok(format) = image::guess_format(&bytes) {
        reader.set_format(format);
    }
    let Some(format) = reader.format() else {
        return Err(broken("it is none of PNG, JPEG and WebP".to_owned()));
    };
    // Up to 16 bits and four channels a pixel, and as much again for the decoder's own planes.
    let mut decoder_limits = Limits::default();
    decoder_limits.max_alloc = Some(u64::from(limits.megapixels) * 16_000_000);
    reader.limits(decoder_limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    check_size(path, decoder.dimensions(), limits)?;
    if format == ImageFormat::Jpeg && !jpeg_is_whole(&bytes) {
        // The decoder makes do with what is there.
        return Err(broken("the JPEG data stop before their end marker: the file is cut short".to_owned()));
    }
    // Orientation data that cannot be read is no reason to lose the image.
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let (width_px, height_px) = (image.width() as usize, image.height() as usize);
    Image::new(width_px, height_px, rgb_over_black(image)).ok_or_else(|| broken("it has no pixels".to_owned()))
}

fn check_size(path: &Path, (width_px, height_px): (u32, u32), limits: PixelLimits) -> Result<()> {
    let too_large = |limit| Err(Error::ImageTooLarge { path: path.to_owned(), width_px, height_px, limit });
    if width_px.max(height_px) > limits.side_px {
        return too_large(format!("{} px a side", limits.side_px));
    }
    if u64::from(width_px) * u64::from(height_px) > u64::from(limits.megapixels) * 1_000_000 {
        return too_large(format!("{} million pixels", limits.megapixels));
    }
    if let Some(side_px) = limits.exact_side_px
        && (width_px, height_px) != (side_px, side_px)
    {
        return Err(Error::ImageSize { path: path.to_owned(), width_px, height_px, side_px });
    }
    Ok(())
}

/// Eight bits a channel; what is transparent shows black behind it.
fn rgb_over_black(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_rgb8().into_raw();
    }
    let over_black = |value: u8, alpha: u8| ((u16::from(value) * u16::from(alpha) + 127) / 255) as u8;
    image.into_rgba8().pixels().flat_map(|&image::Rgba([r, g, b, a])| [r, g, b].map(|value| over_black(value, a))).collect()
}

/// Walks the markers of a JPEG file to its end-of-image marker. Segments are skipped whole, so that the end of an embedded
/// thumbnail is not taken for it.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const START_OF_IMAGE: u8 = 0xd8;
    const END_OF_IMAGE: u8 = 0xd9;
    let mut rest = bytes;
    loop {
        // Whatever is between segments: compressed data, in which 0xff is followed by 0 or a restart marker, or filling.
        let Some(at) = rest.iter().position(|&byte| byte == 0xff) else { return false };
        let (Some(&marker), after) = (rest.get(at + 1), &rest[(at + 2).min(rest.len())..]) else { return false };
        rest = match marker {
            END_OF_IMAGE => return true,
            0xff => &rest[at + 1..],
            0 | 1 | START_OF_IMAGE | 0xd0..=0xd7 => after,
            _ => {
                let Some(&[high, low]) = after.first_chunk::<2>() else { return false };
                let length = usize::from(u16::from_be_bytes([high, low]));
                let Some(next) = after.get(length..) else { return false };
                next
            }
        };
    }
}
