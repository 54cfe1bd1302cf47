use multiversion::multiversion;
use relata_data::Image;

use crate::affine::Warp;
use crate::blur::Blur;
use crate::colour::{BLOCK, Normalise, Ops, change_all, colour};
use crate::config::{
    AffineConfig, BlurConfig, CropConfig, CropKind, CutoutConfig, JitterConfig, MAX_SIDE_PX, PipelineConfig, SolariseConfig,
    check, within,
};
use crate::parameters::{Crop, CropBox, ViewParameters, draw};
use crate::resize::{Rows, Taps};
use crate::{Error, Result, ViewKey};

/// Makes views of images: crop, flip, affine map, colours, normalisation and cut-out, as a configuration asks.
///
/// Holds settings only, so that one pipeline serves any number of threads; each brings its own [`Scratch`].
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    config: PipelineConfig,
    side_px: usize,
    normalise: Normalise,
}

/// Working memory of one thread, grown at first use and reused from view to view.
#[derive(Debug, Default)]
pub struct Scratch {
    rows: Rows,
    x: Taps,
    y: Taps,
    planes: [Vec<f32>; 3],
    warp: Warp,
    blur: Blur,
}

impl Scratch {
    /// Bytes that a thread needs for images of `image_px` square and views of `side_px` square.
    #[must_use]
    pub fn bytes(image_px: usize, side_px: usize) -> usize {
        let planes = 3 * (side_px * side_px).next_multiple_of(BLOCK);
        let rows = Rows::len(image_px, image_px, side_px);
        let taps = 2 * side_px * (1 + (2 * image_px).div_ceil(side_px).max(2));
        4 * (planes + rows + taps + Warp::floats(side_px) + Blur::floats(side_px))
    }
}

impl Pipeline {
    /// A pipeline for views of `side_px`, normalised by `mean` and `std`, unless the configuration names its own.
    ///
    /// # Errors
    /// [`Error::Setting`] where a setting, the side, a mean or a standard deviation lies outside its range.
    pub fn new(config: &PipelineConfig, side_px: usize, mean: [f32; 3], std: [f32; 3]) -> Result<Self> {
        config.validate()?;
        let side_px = if config.side == 0 { side_px } else { config.side };
        within("augment.side", side_px, 1, MAX_SIDE_PX, "1 to 4096")?;
        let radius = config.blur.radius_px(side_px);
        let fits = config.blur.p == 0.0 || radius < side_px;
        check("augment.blur.kernel", fits, 2 * radius + 1, "less than twice the view's side, whose border is reflected")?;
        let channels = |own: &[f64], given| {
            if let &[r, g, b] = own { [r as f32, g as f32, b as f32] } else { given }
        };
        let (mean, std) = (channels(&config.mean, mean), channels(&config.std, std));
        check("augment.mean", mean.iter().all(|v| v.is_finite()), mean, "three numbers in 0 to 1")?;
        check("augment.std", std.iter().all(|&v| v > 0.0 && v.is_finite()), std, "three numbers above 0")?;
        Ok(Self { config: config.clone(), side_px, normalise: Normalise { mean, inverse_std: std.map(|v| 1.0 / v) } })
    }

    /// The paper's relational augmentation, values left in [0, 1].
    ///
    /// # Errors
    /// [`Error::Setting`] where the side is not in 1..=4096.
    pub fn relational(side_px: usize) -> Result<Self> {
        Self::new(&PipelineConfig::default(), side_px, [0.0; 3], [1.0; 3])
    }

    /// The whole image resized to the side, nothing random, values left in [0, 1].
    ///
    /// # Errors
    /// [`Error::Setting`] where the side is not in 1..=4096.
    pub fn evaluation(side_px: usize) -> Result<Self> {
        Self::new(&PipelineConfig::evaluation(), side_px, [0.0; 3], [1.0; 3])
    }

    /// The same side and normalisation without any randomness: what a probe sees of a backbone trained with this pipeline.
    #[must_use]
    pub fn without_randomness(&self) -> Self {
        Self { config: PipelineConfig::evaluation(), side_px: self.side_px, normalise: self.normalise }
    }

    /// Side of a view in pixels.
    #[must_use]
    pub fn side_px(&self) -> usize {
        self.side_px
    }

    /// Floats of a view: side · side · 3.
    #[must_use]
    pub fn view_len(&self) -> usize {
        self.side_px * self.side_px * 3
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &PipelineConfig {
        &self.config
    }

    /// All that decides what the view of a key is, as text: pipelines of one definition make the same views.
    ///
    /// What changes no view does not stand there (the number of views, settings of steps that never happen), so a step that is added to
    /// the settings later, and is off by default, leaves the text of older ones as it was.
    #[must_use]
    pub fn definition(&self) -> String {
        let PipelineConfig {
            crop,
            flip,
            affine,
            jitter,
            grayscale,
            invert,
            blur,
            solarise,
            cutout,
            views: _,
            side: _,
            mean: _,
            std: _,
        } = &self.config;
        let Normalise { mean, inverse_std } = self.normalise;
        let CropConfig { kind, scale, ratio, padding } = crop;
        let crop = match kind {
            CropKind::Resized => format!("resized {scale:?} {ratio:?}"),
            CropKind::Padded => format!("padded {padding}"),
            CropKind::Whole => "whole".to_owned(),
        };
        let AffineConfig { p: _, degrees, translate, scale, shear } = affine;
        let JitterConfig { p: _, brightness, contrast, saturation, hue } = jitter;
        let (BlurConfig { p: _, kernel: _, sigma }, radius_px) = (blur, blur.radius_px(self.side_px));
        let SolariseConfig { p: _, threshold } = solarise;
        let CutoutConfig { p: _, area } = cutout;
        let steps = [
            ("flip", flip.p, String::new()),
            ("affine", affine.p, format!(" {degrees:?} {translate:?} {scale:?} {shear:?}")),
            ("jitter", jitter.p, format!(" {brightness:?} {contrast:?} {saturation:?} {hue:?}")),
            ("grayscale", grayscale.p, String::new()),
            ("invert", invert.p, String::new()),
            ("blur", blur.p, format!(" {radius_px} {sigma:?}")),
            ("solarise", solarise.p, format!(" {threshold:?}")),
            ("cutout", cutout.p, format!(" {area:?}")),
        ];
        let happen = steps.into_iter().filter(|(_, p, _)| *p > 0.0);
        let steps: String = happen.map(|(name, p, settings)| format!("; {name} {p:?}{settings}")).collect();
        format!("side {}; normalise {mean:?} {inverse_std:?}; crop {crop}{steps}", self.side_px)
    }

    /// What the view of this key does to an image of this size.
    #[must_use]
    pub fn parameters(&self, key: ViewKey, width_px: usize, height_px: usize) -> ViewParameters {
        draw(&self.config, key, self.side_px, width_px, height_px)
    }

    /// One view, `[side, side, 3]`. Allocates; [`Pipeline::view_into`] is the form for many.
    #[must_use]
    pub fn view(&self, image: &Image, key: ViewKey) -> Vec<f32> {
        let mut out = vec![0.0; self.view_len()];
        self.view_into(image, key, &mut out, &mut Scratch::default());
        out
    }

    /// Writes one view, `[side, side, 3]`, to `out`.
    ///
    /// # Panics
    /// Where `out` is not [`Pipeline::view_len`] long.
    pub fn view_into(&self, image: &Image, key: ViewKey, out: &mut [f32], scratch: &mut Scratch) {
        let parameters = self.parameters(key, image.width_px(), image.height_px());
        self.render(&parameters, image, out, scratch);
    }

    /// Writes the view that these parameters describe, `[side, side, 3]`, to `out`.
    ///
    /// v / 255 → resize → flip → affine map → colours, each clamped to [0, 1] → (v - mean) / std → cut-out, in f32 all the way. The
    /// meaning of every step is that of torchvision 0.24's functions on float tensors (resize with antialiasing), to 1e-5.
    ///
    /// # Errors
    /// [`Error::CropOutside`] where the crop does not fit the image, or the cut-out the view; [`Error::Setting`] for a blur below 0
    /// or of no number.
    ///
    /// # Panics
    /// Where `out` is not [`Pipeline::view_len`] long.
    pub fn apply(&self, parameters: &ViewParameters, image: &Image, out: &mut [f32], scratch: &mut Scratch) -> Result<()> {
        let (width_px, height_px) = (image.width_px(), image.height_px());
        if let Crop::Resized(crop) = parameters.crop
            && !crop.fits(width_px, height_px)
        {
            return Err(Error::CropOutside { crop, width_px, height_px });
        }
        let side = self.side_px;
        if let Some(crop) = parameters.cutout.filter(|part| !part.fits(side, side)) {
            return Err(Error::CropOutside { crop, width_px: side, height_px: side });
        }
        let sigma_px = parameters.blur_sigma_px.unwrap_or(0.0);
        check("blur_sigma_px", sigma_px >= 0.0 && sigma_px.is_finite(), sigma_px, "0 or more")?;
        self.render(parameters, image, out, scratch);
        Ok(())
    }

    /// Needs a crop and a cut-out that fit.
    fn render(&self, parameters: &ViewParameters, image: &Image, out: &mut [f32], scratch: &mut Scratch) {
        self.render_by(pixels, parameters, image, out, scratch);
    }

    /// With one of the forms of [`pixels`].
    fn render_by(&self, pixels: Pixels, parameters: &ViewParameters, image: &Image, out: &mut [f32], scratch: &mut Scratch) {
        assert_eq!(out.len(), self.view_len(), "a view of {} px has {} floats", self.side_px, self.view_len());
        let side = self.side_px;
        let crop = match parameters.crop {
            Crop::Resized(crop) => crop,
            Crop::Shifted { .. } => CropBox::whole(image.width_px(), image.height_px()),
        };
        scratch.x.fill(crop.width_px, side);
        scratch.y.fill(crop.height_px, side);
        if let Crop::Shifted { top_px, left_px } = parameters.crop {
            scratch.x.shift(left_px);
            scratch.y.shift(top_px);
        }
        if parameters.flip {
            scratch.x.reverse();
        }
        let padded = (side * side).next_multiple_of(BLOCK);
        for plane in &mut scratch.planes {
            plane.resize(padded, 0.0);
        }
        let blurred = parameters.blur_sigma_px.filter(|_| self.config.blur.radius_px(side) < side);
        if let Some(sigma_px) = blurred {
            scratch.blur.fill(self.config.blur.radius_px(side), sigma_px);
        }
        pixels(image, crop, side, parameters, blurred.is_some(), &self.normalise, out, scratch);
        if let Some(part) = parameters.cutout {
            let rows = out.chunks_exact_mut(side * 3).skip(part.top_px).take(part.height_px);
            rows.for_each(|row| row[part.left_px * 3..][..part.width_px * 3].fill(0.0));
        }
    }
}

type Pixels = fn(&Image, CropBox, usize, &ViewParameters, bool, &Normalise, &mut [f32], &mut Scratch);

/// [`pixels_body`], compiled for each instruction set and chosen at run time.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+bmi1+bmi2+fma",
    "x86_64+avx2+bmi1+bmi2+fma",
    "x86_64+sse4.1"
))]
fn pixels(
    image: &Image,
    crop: CropBox,
    side: usize,
    parameters: &ViewParameters,
    blurred: bool,
    normalise: &Normalise,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    pixels_body(image, crop, side, parameters, blurred, normalise, out, scratch);
}

/// All work on pixels.
///
/// The same additions and multiplications in the same order everywhere (no contraction, no reassociation): the same bits.
#[inline(always)]
fn pixels_body(
    image: &Image,
    crop: CropBox,
    side: usize,
    parameters: &ViewParameters,
    blurred: bool,
    normalise: &Normalise,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    let Scratch { rows, x, y, planes, warp, blur } = scratch;
    rows.resize(image, crop, side, x, y, planes);
    if let Some(affine) = &parameters.affine {
        warp.apply(affine, side, planes);
    }
    let mut ops = Ops::new(parameters);
    if blurred {
        change_all(ops, planes, side * side);
        planes.iter_mut().for_each(|plane| blur.apply(side, &mut plane[..side * side]));
        ops = Ops::none();
    }
    ops.solarise(parameters);
    colour(ops, normalise, planes, out);
}

#[cfg(test)]
mod tests;
