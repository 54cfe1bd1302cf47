use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Largest side of a view, in pixels.
pub const MAX_SIDE_PX: usize = 4096;

/// Every strength and probability of the augmentation, as a configuration file's `[augment]` holds them.
///
/// The defaults are the paper's relational augmentation (arXiv 2006.05849, appendix; the same as SimCLR's without blur).
/// The steps run in the order of the fields: crop, flip, affine, jitter, grayscale, invert, blur, solarise, normalise, cut-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineConfig {
    /// K, the views an image. Default 4: the reference's notebook; the paper's own runs take 32.
    pub views: usize,
    /// Side of a view in pixels; 0 (the default) takes the data set's own.
    pub side: usize,
    /// Mean of each channel for the normalisation, in [0, 1]; empty (the default) takes the data set's own.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel; empty (the default) takes the data set's own.
    pub std: Vec<f64>,
    /// Which part of the image is seen.
    pub crop: CropConfig,
    /// Left and right exchanged.
    pub flip: FlipConfig,
    /// Turned, shifted, scaled and sheared.
    pub affine: AffineConfig,
    /// Brightness, contrast, saturation and hue changed in random order.
    pub jitter: JitterConfig,
    /// Colours taken away.
    pub grayscale: GrayscaleConfig,
    /// Every channel turned to 1 - value.
    pub invert: InvertConfig,
    /// Smoothed by a Gaussian.
    pub blur: BlurConfig,
    /// Bright values turned to 1 - value.
    pub solarise: SolariseConfig,
    /// A square that is not seen.
    pub cutout: CutoutConfig,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            views: 4,
            side: 0,
            mean: Vec::new(),
            std: Vec::new(),
            crop: CropConfig::default(),
            flip: FlipConfig::default(),
            affine: AffineConfig::default(),
            jitter: JitterConfig::default(),
            grayscale: GrayscaleConfig::default(),
            invert: InvertConfig::default(),
            blur: BlurConfig::default(),
            solarise: SolariseConfig::default(),
            cutout: CutoutConfig::default(),
        }
    }
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

impl Default for CropConfig {
    fn default() -> Self {
        Self { kind: CropKind::Resized, scale: [0.08, 1.0], ratio: [3.0 / 4.0, 4.0 / 3.0], padding: 4 }
    }
}

/// `[augment.flip]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlipConfig {
    /// Probability of a horizontal flip. Default 0.5: the paper's.
    pub p: f64,
}

impl Default for FlipConfig {
    fn default() -> Self {
        Self { p: 0.5 }
    }
}

/// `[augment.affine]`: torchvision's `RandomApply([RandomAffine(degrees, translate, scale, shear)], p)`, bilinear and black outside,
/// on the view; all defaults but `p` are those of the paper's fine-tuning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AffineConfig {
    /// Probability that the view is mapped at all. Default 0: the paper's pretraining has none, its fine-tuning 0.5.
    pub p: f64,
    /// The angle is uniform in [-x, x] degrees. Default 18.
    pub degrees: f64,
    /// Both shifts are uniform in [-x, x] sides of the view, in whole pixels. Default 0.1.
    pub translate: f64,
    /// The enlargement is uniform in [smallest, largest]. Default 0.9 to 1.1.
    pub scale: [f64; 2],
    /// The shear along x is uniform in [-x, x] degrees. Default 10.
    pub shear: f64,
}

impl Default for AffineConfig {
    fn default() -> Self {
        Self { p: 0.0, degrees: 18.0, translate: 0.1, scale: [0.9, 1.1], shear: 10.0 }
    }
}

/// `[augment.jitter]`: torchvision's `RandomApply([ColorJitter(...)], p)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JitterConfig {
    /// Probability that colours are changed at all. Default 0.8: the paper's.
    pub p: f64,
    /// The brightness factor is uniform in [max(0, 1 - x), 1 + x]. Default 0.8: the paper's.
    pub brightness: f64,
    /// The contrast factor is uniform in [max(0, 1 - x), 1 + x]. Default 0.8: the paper's.
    pub contrast: f64,
    /// The saturation factor is uniform in [max(0, 1 - x), 1 + x]. Default 0.8: the paper's.
    pub saturation: f64,
    /// The hue's shift is uniform in [-x, x], in turns of the colour circle. Default 0.2: the paper's.
    pub hue: f64,
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self { p: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2 }
    }
}

/// `[augment.grayscale]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrayscaleConfig {
    /// Probability of a view without colour. Default 0.2: the paper's.
    pub p: f64,
}

impl Default for GrayscaleConfig {
    fn default() -> Self {
        Self { p: 0.2 }
    }
}

/// `[augment.invert]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InvertConfig {
    /// Probability of a negative. Default 0: the paper has none.
    pub p: f64,
}

/// `[augment.blur]`: torchvision's `RandomApply([GaussianBlur(kernel, sigma)], p)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlurConfig {
    /// Probability of a blurred view. Default 0: the paper has none.
    pub p: f64,
    /// Side of the kernel in pixels, odd; 0 (the default): a tenth of the view's, made odd, 3 at least, as SimCLR has it.
    pub kernel: usize,
    /// The Gaussian's standard deviation in pixels is uniform in [smallest, largest]. Default 0.1 to 2: SimCLR's.
    pub sigma: [f64; 2],
}

impl Default for BlurConfig {
    fn default() -> Self {
        Self { p: 0.0, kernel: 0, sigma: [0.1, 2.0] }
    }
}

impl BlurConfig {
    /// Pixels on either side of the middle one, for views of `side_px`.
    pub(crate) fn radius_px(&self, side_px: usize) -> usize {
        if self.kernel > 0 { self.kernel / 2 } else { (side_px / 10 / 2).max(1) }
    }
}

/// `[augment.solarise]`: torchvision's `RandomSolarize`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SolariseConfig {
    /// Probability of a solarised view. Default 0: the paper has none.
    pub p: f64,
    /// Values of it and above become 1 - value. Default 0.5: BYOL's.
    pub threshold: f64,
}

impl Default for SolariseConfig {
    fn default() -> Self {
        Self { p: 0.0, threshold: 0.5 }
    }
}

/// `[augment.cutout]`: torchvision's `RandomErasing(p, scale=(area, area), ratio=(1, 1), value=0)` behind the normalisation: one square
/// of the data set's mean colour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CutoutConfig {
    /// Probability of a cut-out. Default 0: the paper's pretraining has none, its fine-tuning 0.5.
    pub p: f64,
    /// The square's share of the view's area; its side is rounded to pixels. Default 0.111: the reference's for STL-10; it takes
    /// 0.25 for CIFAR-10 and 0.0625 for CIFAR-100.
    pub area: f64,
}

impl Default for CutoutConfig {
    fn default() -> Self {
        Self { p: 0.0, area: 0.111 }
    }
}

impl PipelineConfig {
    /// No randomness: the whole image, resized and normalised.
    #[must_use]
    pub fn evaluation() -> Self {
        Self {
            views: 1,
            crop: CropConfig { kind: CropKind::Whole, ..CropConfig::default() },
            flip: FlipConfig { p: 0.0 },
            jitter: JitterConfig { p: 0.0, ..JitterConfig::default() },
            grayscale: GrayscaleConfig { p: 0.0 },
            invert: InvertConfig { p: 0.0 },
            blur: BlurConfig { p: 0.0, ..BlurConfig::default() },
            solarise: SolariseConfig { p: 0.0, ..SolariseConfig::default() },
            affine: AffineConfig { p: 0.0, ..AffineConfig::default() },
            cutout: CutoutConfig { p: 0.0, ..CutoutConfig::default() },
            ..Self::default()
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key, the value and the allowed range of the first setting that is wrong.
    pub fn validate(&self) -> Result<()> {
        within("augment.views", self.views, 1, 65_536, "1 to 65536")?;
        within("augment.side", self.side, 0, MAX_SIDE_PX, "0 (the data set's own) to 4096")?;
        channels("augment.mean", &self.mean, "[] or three numbers in 0 to 1", |v| (0.0..=1.0).contains(&v))?;
        channels("augment.std", &self.std, "[] or three numbers above 0", |v| v > 0.0 && v.is_finite())?;
        let CropConfig { scale, ratio, padding, .. } = self.crop;
        let ordered = |pair: [f64; 2]| pair[0] > 0.0 && pair[0] <= pair[1] && pair[1].is_finite();
        let fits = ordered(scale) && scale[1] <= 1.0;
        check("augment.crop.scale", fits, scale, "[smallest, largest] in 0 (exclusive) to 1")?;
        check("augment.crop.ratio", ordered(ratio), ratio, "[smallest, largest], both above 0")?;
        within("augment.crop.padding", padding, 0, MAX_SIDE_PX, "0 to 4096")?;
        probability("augment.flip.p", self.flip.p)?;
        let AffineConfig { p, degrees, translate, scale, shear } = self.affine;
        probability("augment.affine.p", p)?;
        check("augment.affine.degrees", (0.0..=180.0).contains(&degrees), degrees, "0 to 180")?;
        check("augment.affine.translate", (0.0..=1.0).contains(&translate), translate, "0 to 1, in sides of the view")?;
        let fits = ordered(scale) && scale[0] >= 1e-3 && scale[1] <= 1e3;
        check("augment.affine.scale", fits, scale, "[smallest, largest] in 0.001 to 1000")?;
        check("augment.affine.shear", (0.0..90.0).contains(&shear), shear, "0 to 90 (exclusive)")?;
        let JitterConfig { p, brightness, contrast, saturation, hue } = self.jitter;
        probability("augment.jitter.p", p)?;
        strength("augment.jitter.brightness", brightness)?;
        strength("augment.jitter.contrast", contrast)?;
        strength("augment.jitter.saturation", saturation)?;
        check("augment.jitter.hue", (0.0..=0.5).contains(&hue), hue, "0 to 0.5")?;
        probability("augment.grayscale.p", self.grayscale.p)?;
        probability("augment.invert.p", self.invert.p)?;
        let BlurConfig { p, kernel, sigma } = self.blur;
        probability("augment.blur.p", p)?;
        let odd = kernel == 0 || kernel % 2 == 1;
        check("augment.blur.kernel", odd && kernel <= MAX_SIDE_PX, kernel, "0 (a tenth of the side) or an odd number of pixels")?;
        // Far below, an f32 has no word for it.
        check("augment.blur.sigma", ordered(sigma) && sigma[0] >= 1e-3, sigma, "[smallest, largest], both 0.001 or more")?;
        probability("augment.solarise.p", self.solarise.p)?;
        check("augment.solarise.threshold", (0.0..=1.0).contains(&self.solarise.threshold), self.solarise.threshold, "0 to 1")?;
        let CutoutConfig { p, area } = self.cutout;
        probability("augment.cutout.p", p)?;
        check("augment.cutout.area", area > 0.0 && area < 1.0, area, "above 0, below 1")
    }

    /// What is random, in few words: `crop 0.08-1, flip p 0.5`; `none` where nothing is.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { crop, flip, affine, jitter, grayscale, invert, blur, solarise, cutout, .. } = self;
        let mut words = Vec::new();
        match crop.kind {
            CropKind::Resized => words.push(format!("crop {}-{}", crop.scale[0], crop.scale[1])),
            CropKind::Padded => words.push(format!("crop after padding {} px", crop.padding)),
            CropKind::Whole => {}
        }
        if flip.p > 0.0 {
            words.push(format!("flip p {}", flip.p));
        }
        if affine.p > 0.0 {
            let AffineConfig { p, degrees, translate, scale, shear } = affine;
            let [smallest, largest] = scale;
            words.push(format!("affine {degrees}° shift {translate} scale {smallest}-{largest} shear {shear}° (p {p})"));
        }
        if jitter.p > 0.0 {
            let JitterConfig { p, brightness, contrast, saturation, hue } = jitter;
            words.push(format!("jitter {brightness}/{contrast}/{saturation} hue {hue} (p {p})"));
        }
        for (name, p) in [("grayscale", grayscale.p), ("invert", invert.p), ("blur", blur.p), ("solarise", solarise.p)] {
            if p > 0.0 {
                words.push(format!("{name} p {p}"));
            }
        }
        if cutout.p > 0.0 {
            words.push(format!("cut-out of {} (p {})", cutout.area, cutout.p));
        }
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}

pub(crate) fn check(key: &'static str, good: bool, value: impl std::fmt::Debug, allowed: &'static str) -> Result<()> {
    if good { Ok(()) } else { Err(Error::Setting { key, value: format!("{value:?}"), allowed }) }
}

pub(crate) fn within(key: &'static str, value: usize, least: usize, most: usize, allowed: &'static str) -> Result<()> {
    check(key, (least..=most).contains(&value), value, allowed)
}

fn probability(key: &'static str, p: f64) -> Result<()> {
    check(key, (0.0..=1.0).contains(&p), p, "a probability, 0 to 1")
}

fn strength(key: &'static str, value: f64) -> Result<()> {
    check(key, (0.0..=100.0).contains(&value), value, "0 to 100")
}

fn channels(key: &'static str, values: &[f64], allowed: &'static str, good: impl Fn(f64) -> bool) -> Result<()> {
    let count = values.is_empty() || values.len() == 3;
    check(key, count && values.iter().all(|&v| good(v)), values, allowed)
}
