//! Which part of the image becomes the view.

use serde::{Deserialize, Serialize};

use crate::step::*;

/// `[augment.crop]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CropConfig {
    /// How the part is chosen.
    pub kind: CropKind,
    /// `resized`: the box's share of the image's area, smallest and largest. Default 0.08 to 1: torchvision's and the paper's.
    pub scale: [f64; 2],
    /// `resized`: the box's width over its height, smallest and largest. Default 3/4 to 4/3: torchvision's and the paper's.
    pub ratio: [f64; 2],
    /// `padded`: black pixels around the image. Default 4: the reference's side / 8 for images of 32 px.
    pub padding: usize,
}

/// How the part of the image that becomes a view is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropKind {
    /// torchvision's `RandomResizedCrop`: a box of random area and aspect ratio, resized to the side. The paper's choice.
    #[default]
    Resized,
    /// torchvision's `RandomCrop(side, padding)`: the image (resized to the side where it differs) moved over a black frame.
    Padded,
    /// The whole image, resized to the side: nothing random.
    Whole,
}

impl Default for CropConfig {
    fn default() -> Self {
        Self { kind: CropKind::Resized, scale: [0.08, 1.0], ratio: [3.0 / 4.0, 4.0 / 3.0], padding: 4 }
    }
}

/// The part of an image that a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Crop {
    /// The whole image, resized to the side.
    #[default]
    Whole,
    /// This box, resized to the side.
    Resized(CropBox),
    /// The whole image, resized to the side, seen through a window of the same side whose corner is moved by this many
    /// pixels; what lies outside the image is black.
    Shifted {
        /// Rows down (negative: up, into the padding).
        top_px: isize,
        /// Columns to the right (negative: left, into the padding).
        left_px: isize,
    },
}

/// Tries before `RandomResizedCrop` falls back to the middle of the image (torchvision's number).
const TRIES: usize = 10;
/// Random words: each try takes four (area, ratio, top, left), then the two shifts of a padded crop.
const SHIFT_TOP: usize = 4 * TRIES;
const SHIFT_LEFT: usize = SHIFT_TOP + 1;

impl Settings for CropConfig {
    fn p(&self) -> f64 {
        1.0
    }

    fn never(self) -> Self {
        Self { kind: CropKind::Whole, ..self }
    }

    fn listed(&self) -> String {
        match self.kind {
            CropKind::Resized => format!("resized {:?} {:?}", self.scale, self.ratio),
            CropKind::Padded => format!("padded {}", self.padding),
            CropKind::Whole => "whole".to_owned(),
        }
    }
}

impl Step for CropConfig {
    type Drawn = Crop;
    type Change = Infallible;
    const WORDS: Range<usize> = 0..SHIFT_LEFT + 1;

    fn validate(&self, _side_px: usize) -> Result<()> {
        let Self { scale, ratio, padding, .. } = *self;
        let fits = ordered(scale) && scale[1] <= 1.0;
        check("augment.crop.scale", fits, scale, "[smallest, largest] in 0 (exclusive) to 1")?;
        check("augment.crop.ratio", ordered(ratio), ratio, "[smallest, largest], both above 0")?;
        within("augment.crop.padding", padding, 0, MAX_SIDE_PX, "0 to 4096")
    }

    fn summary(&self, name: &str) -> String {
        match self.kind {
            CropKind::Resized => format!("{name} {}-{}", self.scale[0], self.scale[1]),
            CropKind::Padded => format!("{name} after padding {} px", self.padding),
            CropKind::Whole => String::new(),
        }
    }

    fn draw(&self, words: Words<'_>, sizes: Sizes) -> Crop {
        match self.kind {
            CropKind::Whole => Crop::Whole,
            CropKind::Resized => {
                Crop::Resized(draw_box(self.scale, self.ratio, words, sizes.image_width_px, sizes.image_height_px))
            }
            CropKind::Padded => {
                let shift = |index| words.below(index, 2 * self.padding + 1) as isize - self.padding as isize;
                Crop::Shifted { top_px: shift(SHIFT_TOP), left_px: shift(SHIFT_LEFT) }
            }
        }
    }

    fn check(crop: Crop, sizes: Sizes) -> Result<()> {
        let (width_px, height_px) = (sizes.image_width_px, sizes.image_height_px);
        match crop {
            Crop::Resized(crop) if !crop.fits(width_px, height_px) => Err(Error::CropOutside { crop, width_px, height_px }),
            _ => Ok(()),
        }
    }

    fn sample(crop: Crop, sizes: Sizes, sampling: &mut Sampling) {
        let whole = CropBox::whole(sizes.image_width_px, sizes.image_height_px);
        sampling.fill(if let Crop::Resized(part) = crop { part } else { whole }, sizes.side_px);
        if let Crop::Shifted { top_px, left_px } = crop {
            sampling.x.shift(left_px);
            sampling.y.shift(top_px);
        }
    }
}

/// torchvision's `RandomResizedCrop.get_params`: area uniform, ratio log-uniform, the first of ten tries that fits.
fn draw_box(scale: [f64; 2], ratio: [f64; 2], words: Words<'_>, width_px: usize, height_px: usize) -> CropBox {
    let (width, height) = (width_px as f64, height_px as f64);
    let log_ratio = ratio.map(f64::ln);
    for first in (0..TRIES).map(|attempt| 4 * attempt) {
        let area = width * height * words.uniform(first, scale[0], scale[1]);
        let ratio = words.uniform(first + 1, log_ratio[0], log_ratio[1]).exp();
        let w = (area * ratio).sqrt().round_ties_even() as usize;
        let h = (area / ratio).sqrt().round_ties_even() as usize;
        if (1..=width_px).contains(&w) && (1..=height_px).contains(&h) {
            let (top_px, left_px) = (words.below(first + 2, height_px - h + 1), words.below(first + 3, width_px - w + 1));
            return CropBox { top_px, left_px, height_px: h, width_px: w };
        }
    }
    middle_box(ratio, width_px, height_px)
}

/// The largest box in the middle of the image whose ratio is allowed.
pub(super) fn middle_box(ratio: [f64; 2], width_px: usize, height_px: usize) -> CropBox {
    let (width, height) = (width_px as f64, height_px as f64);
    let (w, h) = if width / height < ratio[0] {
        (width_px, ((width / ratio[0]).round_ties_even() as usize).clamp(1, height_px))
    } else if width / height > ratio[1] {
        (((height * ratio[1]).round_ties_even() as usize).clamp(1, width_px), height_px)
    } else {
        (width_px, height_px)
    };
    CropBox { top_px: (height_px - h) / 2, left_px: (width_px - w) / 2, height_px: h, width_px: w }
}
