use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::jpeg::Survey;
use super::options::FolderOptions;
use crate::{Error, Image, Result};

/// What an image file may at most unpack to, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PixelLimits {
    pub(super) side_px: u32,
    pub(super) megapixels: u32,
    /// The only side allowed, where all images are squares of one size.
    pub(super) exact_side_px: Option<u32>,
    /// As [`FolderOptions::jpeg_side_px`].
    #[cfg(feature = "jpeg-turbo")]
    pub(super) jpeg_side_px: u32,
}

impl PixelLimits {
    pub(crate) fn of(options: &FolderOptions) -> Self {
        Self {
            side_px: options.max_side_px,
            megapixels: options.max_megapixels,
            exact_side_px: options.exact_side_px,
            #[cfg(feature = "jpeg-turbo")]
            jpeg_side_px: options.jpeg_side_px,
        }
    }
}

/// What lies in an image file beside its pixels: colour profiles, previews, maker's notes.
const BESIDE_PIXELS_BYTES: u64 = 64 << 20;

impl PixelLimits {
    /// More than an image of these limits takes: 16 bits and four channels a pixel, half as much again where they do not pack.
    fn file_bytes(self) -> u64 {
        let allowed = u64::from(self.megapixels) * 1_000_000;
        let pixels = self.exact_side_px.map_or(allowed, |side_px| allowed.min(u64::from(side_px).pow(2)));
        pixels * 12 + BESIDE_PIXELS_BYTES
    }
}

/// The bytes of a file that may hold an image of these limits.
fn read(path: &Path, limits: PixelLimits) -> Result<Vec<u8>> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let limit = limits.file_bytes();
    let file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    if bytes > limit {
        return Err(Error::FileTooLarge { path: path.to_owned(), bytes, limit });
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    // It may grow meanwhile.
    file.take(limit).read_to_end(&mut content).map_err(io)?;
    Ok(content)
}

/// Reads one image file as RGB8.
pub(super) fn decode(path: &Path, limits: PixelLimits) -> Result<Image> {
    let bytes = read(path, limits)?;
    let broken = |reason: &str| Error::BrokenImage { path: path.to_owned(), reason: reason.to_owned() };
    let image = match image::guess_format(&bytes) {
        Ok(ImageFormat::Jpeg) => decode_jpeg(path, &bytes, limits)?,
        Ok(format) => {
            let mut decoder = decoder(path, &bytes, format, limits)?;
            // Orientation data that cannot be read is no reason to lose the image.
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            pixels(path, decoder, orientation)?
        }
        Err(_) => return Err(broken("it is neither PNG nor JPEG nor WebP")),
    };
    let (width_px, height_px) = (image.width() as usize, image.height() as usize);
    Image::new(width_px, height_px, rgb_over_black(image)).ok_or_else(|| broken("it has no pixels"))
}

fn decode_jpeg(path: &Path, bytes: &[u8], limits: PixelLimits) -> Result<DynamicImage> {
    let survey = Survey::of(bytes);
    let whole = || {
        // Decoders make do with what is there.
        let reason = "the JPEG data stop before their end marker: the file is cut short";
        if survey.whole { Ok(()) } else { Err(Error::BrokenImage { path: path.to_owned(), reason: reason.to_owned() }) }
    };
    #[cfg(feature = "jpeg-turbo")]
    if let Some(jpeg) = super::turbo::Jpeg::open(bytes) {
        check_size(path, jpeg.dimensions(), limits)?;
        whole()?;
        if let Some(mut image) = jpeg.decode(limits.jpeg_side_px) {
            image.apply_orientation(survey.orientation);
            return Ok(image);
        }
    }
    let decoder = decoder(path, bytes, ImageFormat::Jpeg, limits)?;
    whole()?;
    pixels(path, decoder, survey.orientation)
}

/// A decoder whose image is of an allowed size.
fn decoder<'a>(path: &Path, bytes: &'a [u8], format: ImageFormat, limits: PixelLimits) -> Result<impl ImageDecoder + 'a> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // Up to 16 bits and four channels a pixel, and as much again for the decoder's own planes.
    let mut decoder_limits = Limits::default();
    decoder_limits.max_alloc = Some(u64::from(limits.megapixels) * 16_000_000);
    reader.limits(decoder_limits);
    let decoder = reader.into_decoder().map_err(|error| unreadable(path, &error))?;
    check_size(path, decoder.dimensions(), limits)?;
    Ok(decoder)
}

fn pixels(path: &Path, decoder: impl ImageDecoder, orientation: Orientation) -> Result<DynamicImage> {
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| unreadable(path, &error))?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn unreadable(path: &Path, error: &ImageError) -> Error {
    Error::BrokenImage { path: path.to_owned(), reason: error.to_string() }
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
