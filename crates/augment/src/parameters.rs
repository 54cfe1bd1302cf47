use crate::config::{AffineConfig, CropConfig, CropKind, CutoutConfig, JitterConfig, PipelineConfig};
use crate::key::{Draws, ViewKey};

/// What is done to an image to make one view of it, with every number decided.
///
/// Drawn by [`crate::Pipeline::parameters`], carried out by [`crate::Pipeline::apply`]. The steps run in the order of the fields.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViewParameters {
    /// The part of the image that is seen.
    pub crop: Crop,
    /// Whether left and right are exchanged.
    pub flip: bool,
    /// How the view is turned, shifted, scaled and sheared, where it is.
    pub affine: Option<Affine>,
    /// Changes of colour, where there are any.
    pub jitter: Option<Jitter>,
    /// Whether colours are taken away.
    pub grayscale: bool,
    /// Whether every channel becomes 1 - value.
    pub invert: bool,
    /// Standard deviation of a Gaussian blur in pixels, where there is one; its kernel is the pipeline's.
    pub blur_sigma_px: Option<f32>,
    /// Values of this and above become 1 - value, where it is there.
    pub solarise: Option<f32>,
    /// A part of the view, in its own pixels, that becomes 0 after the normalisation: the data set's mean colour.
    pub cutout: Option<CropBox>,
}

/// An affine map about the middle of the view with its numbers decided: torchvision's `affine` with bilinear interpolation, what
/// comes from outside being black.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Rotation, clockwise, in degrees.
    pub angle_deg: f32,
    /// Shift to the right (negative: to the left), behind the rest.
    pub right_px: i32,
    /// Shift down (negative: up).
    pub down_px: i32,
    /// Enlargement, above 0; 1 changes nothing.
    pub scale: f32,
    /// Shear along x, in degrees, in front of the rotation.
    pub shear_deg: f32,
}

/// The part of an image that a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crop {
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

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropBox {
    /// First row.
    pub top_px: usize,
    /// First column.
    pub left_px: usize,
    /// Rows.
    pub height_px: usize,
    /// Columns.
    pub width_px: usize,
}

impl CropBox {
    /// The box that holds a whole image.
    #[must_use]
    pub fn whole(width_px: usize, height_px: usize) -> Self {
        Self { top_px: 0, left_px: 0, height_px, width_px }
    }

    /// Whether the box is not empty and lies inside an image of this size.
    #[must_use]
    pub fn fits(&self, width_px: usize, height_px: usize) -> bool {
        let inside = |first: usize, length: usize, limit| length > 0 && first.checked_add(length).is_some_and(|end| end <= limit);
        inside(self.top_px, self.height_px, height_px) && inside(self.left_px, self.width_px, width_px)
    }
}

/// One of the four changes of a colour jitter, each clamped to [0, 1] afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// v · factor.
    Brightness,
    /// v · factor + m · (1 - factor), m the mean over the image of its gray values as they are at that point.
    Contrast,
    /// v · factor + gray · (1 - factor), gray = 0.2989 R + 0.587 G + 0.114 B of the same pixel.
    Saturation,
    /// The hue of the pixel in HSV turned by a share of the circle.
    Hue,
}

/// A colour jitter with its numbers decided: torchvision's `ColorJitter` after `get_params`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    /// The order in which the four changes are made.
    pub order: [Adjustment; 4],
    /// Factor, 0 or more; 1 changes nothing.
    pub brightness: f32,
    /// Factor, 0 or more; 1 changes nothing.
    pub contrast: f32,
    /// Factor, 0 or more; 1 changes nothing.
    pub saturation: f32,
    /// Turns of the colour circle, -0.5 to 0.5; 0 changes nothing.
    pub hue: f32,
}

/// Tries before `RandomResizedCrop` falls back to the middle of the image (torchvision's number).
const CROP_TRIES: usize = 10;

/// Places of a view's random words. The crop's tries take four each: area, ratio, top, left.
mod place {
    pub(super) const CROP: usize = 0;
    pub(super) const SHIFT_TOP: usize = 40;
    pub(super) const SHIFT_LEFT: usize = 41;
    pub(super) const FLIP: usize = 42;
    pub(super) const JITTER: usize = 43;
    pub(super) const ORDER: usize = 44;
    pub(super) const BRIGHTNESS: usize = 45;
    pub(super) const CONTRAST: usize = 46;
    pub(super) const SATURATION: usize = 47;
    pub(super) const HUE: usize = 48;
    pub(super) const GRAYSCALE: usize = 49;
    pub(super) const INVERT: usize = 50;
    pub(super) const BLUR: usize = 51;
    pub(super) const BLUR_SIGMA: usize = 52;
    pub(super) const SOLARISE: usize = 53;
    pub(super) const AFFINE: usize = 54;
    pub(super) const ANGLE: usize = 55;
    pub(super) const SHIFT_X: usize = 56;
    pub(super) const SHIFT_Y: usize = 57;
    pub(super) const SCALE: usize = 58;
    pub(super) const SHEAR: usize = 59;
    pub(super) const CUTOUT: usize = 60;
    pub(super) const CUTOUT_TOP: usize = 61;
    pub(super) const CUTOUT_LEFT: usize = 62;
}

/// For a view of `side_px` of an image of `width_px` x `height_px`.
pub(crate) fn draw(config: &PipelineConfig, key: ViewKey, side_px: usize, width_px: usize, height_px: usize) -> ViewParameters {
    let draws = Draws::new(key);
    ViewParameters {
        crop: draw_crop(&config.crop, &draws, width_px, height_px),
        flip: draws.happens(place::FLIP, config.flip.p),
        affine: draws.happens(place::AFFINE, config.affine.p).then(|| draw_affine(&config.affine, &draws, side_px)),
        jitter: draws.happens(place::JITTER, config.jitter.p).then(|| draw_jitter(&config.jitter, &draws)),
        grayscale: draws.happens(place::GRAYSCALE, config.grayscale.p),
        invert: draws.happens(place::INVERT, config.invert.p),
        blur_sigma_px: draws
            .happens(place::BLUR, config.blur.p)
            .then(|| draws.uniform(place::BLUR_SIGMA, config.blur.sigma[0], config.blur.sigma[1]) as f32),
        solarise: draws.happens(place::SOLARISE, config.solarise.p).then_some(config.solarise.threshold as f32),
        cutout: draw_cutout(&config.cutout, &draws, side_px),
    }
}

/// torchvision's `RandomAffine.get_params`, whose shift is a whole number of pixels.
fn draw_affine(config: &AffineConfig, draws: &Draws, side_px: usize) -> Affine {
    let AffineConfig { degrees, translate, scale, shear, .. } = *config;
    let reach = translate * side_px as f64;
    let shift = |place| draws.uniform(place, -reach, reach).round_ties_even() as i32;
    Affine {
        angle_deg: draws.uniform(place::ANGLE, -degrees, degrees) as f32,
        right_px: shift(place::SHIFT_X),
        down_px: shift(place::SHIFT_Y),
        scale: draws.uniform(place::SCALE, scale[0], scale[1]) as f32,
        shear_deg: draws.uniform(place::SHEAR, -shear, shear) as f32,
    }
}

/// torchvision's `RandomErasing.get_params` for a square: none where it would be as large as the view, or no pixel.
fn draw_cutout(config: &CutoutConfig, draws: &Draws, side_px: usize) -> Option<CropBox> {
    let side = (config.area.sqrt() * side_px as f64).round_ties_even() as usize;
    (draws.happens(place::CUTOUT, config.p) && (1..side_px).contains(&side)).then(|| CropBox {
        top_px: draws.below(place::CUTOUT_TOP, side_px - side + 1),
        left_px: draws.below(place::CUTOUT_LEFT, side_px - side + 1),
        height_px: side,
        width_px: side,
    })
}

fn draw_crop(config: &CropConfig, draws: &Draws, width_px: usize, height_px: usize) -> Crop {
    match config.kind {
        CropKind::Whole => Crop::Resized(CropBox::whole(width_px, height_px)),
        CropKind::Resized => Crop::Resized(draw_box(config.scale, config.ratio, draws, width_px, height_px)),
        CropKind::Padded => {
            let reach = config.padding as isize;
            let offset = |place| draws.below(place, 2 * config.padding + 1) as isize - reach;
            Crop::Shifted { top_px: offset(place::SHIFT_TOP), left_px: offset(place::SHIFT_LEFT) }
        }
    }
}

/// torchvision's `RandomResizedCrop.get_params`: area uniform, ratio log-uniform, the first of ten tries that fits.
fn draw_box(scale: [f64; 2], ratio: [f64; 2], draws: &Draws, width_px: usize, height_px: usize) -> CropBox {
    let (width, height) = (width_px as f64, height_px as f64);
    let log_ratio = ratio.map(f64::ln);
    for first in (0..CROP_TRIES).map(|attempt| place::CROP + 4 * attempt) {
        let area = width * height * draws.uniform(first, scale[0], scale[1]);
        let ratio = draws.uniform(first + 1, log_ratio[0], log_ratio[1]).exp();
        let w = (area * ratio).sqrt().round_ties_even() as usize;
        let h = (area / ratio).sqrt().round_ties_even() as usize;
        if (1..=width_px).contains(&w) && (1..=height_px).contains(&h) {
            return CropBox {
                top_px: draws.below(first + 2, height_px - h + 1),
                left_px: draws.below(first + 3, width_px - w + 1),
                height_px: h,
                width_px: w,
            };
        }
    }
    middle_box(ratio, width_px, height_px)
}

/// The largest box in the middle of the image whose ratio is allowed.
fn middle_box(ratio: [f64; 2], width_px: usize, height_px: usize) -> CropBox {
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

fn draw_jitter(config: &JitterConfig, draws: &Draws) -> Jitter {
    let factor = |place, x: f64| draws.uniform(place, (1.0 - x).max(0.0), 1.0 + x) as f32;
    Jitter {
        order: permutation(draws.below(place::ORDER, 24)),
        brightness: factor(place::BRIGHTNESS, config.brightness),
        contrast: factor(place::CONTRAST, config.contrast),
        saturation: factor(place::SATURATION, config.saturation),
        hue: draws.uniform(place::HUE, -config.hue, config.hue) as f32,
    }
}

/// The 24 orders of the four adjustments, numbered.
fn permutation(mut number: usize) -> [Adjustment; 4] {
    use Adjustment::{Brightness, Contrast, Hue, Saturation};
    let mut order = [Brightness, Contrast, Saturation, Hue];
    for place in 0..3 {
        let choices = 4 - place;
        order.swap(place, place + number % choices);
        number /= choices;
    }
    order
}

#[cfg(test)]
mod tests;
