//! What a JPEG file says outside its pixels.

use image::metadata::Orientation;
use memchr::memchr;

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
/// The segment that holds EXIF data, after six bytes that say so.
const APP1: u8 = 0xe1;
const EXIF: &[u8] = b"Exif\0\0";

/// What a walk over the markers of a JPEG file finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Survey {
    /// Whether the end-of-image marker is there.
    pub(super) whole: bool,
    /// How the image is to be turned. Data that cannot be read, or none, turn nothing.
    pub(super) orientation: Orientation,
}

impl Survey {
    /// Walks from marker to marker. Segments are skipped whole, so that the end of an embedded thumbnail is not taken for the
    /// image's.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut survey = Self { whole: false, orientation: Orientation::NoTransforms };
        let mut before_scan = true;
        let mut rest = bytes;
        // Whatever is between segments: compressed data, in which 0xff is followed by 0 or a restart marker, or filling.
        while let Some(at) = memchr(0xff, rest) {
            let Some(&marker) = rest.get(at + 1) else { break };
            let after = &rest[at + 2..];
            rest = match marker {
                END_OF_IMAGE => {
                    survey.whole = true;
                    break;
                }
                0xff => &rest[at + 1..],
                0 | 1 | START_OF_IMAGE | 0xd0..=0xd7 => after,
                _ => {
                    let Some(&[high, low]) = after.first_chunk::<2>() else { break };
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    let Some(next) = after.get(length..) else { break };
                    before_scan &= marker != START_OF_SCAN;
                    if before_scan
                        && marker == APP1
                        && let Some(exif) = after.get(2..length).and_then(|segment| segment.strip_prefix(EXIF))
                        && let Some(orientation) = Orientation::from_exif_chunk(exif)
                    {
                        survey.orientation = orientation;
                    }
                    next
                }
            };
        }
        survey
    }
}
