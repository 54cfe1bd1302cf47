use multiversion::multiversion;
use relata_data::Image;

use crate::canvas::{BLOCK, Canvas, Normalise, Planes};
use crate::config::PipelineConfig;
use crate::error::Result;
use crate::key::ViewKey;
use crate::parameters::{AnyChange, ViewParameters};
use crate::resize::{Rows, Sampling};
use crate::step::Sizes;
use crate::steps::STEPS;
use crate::view_format::ViewFormat;

/// Makes views of images: all steps of a configuration, in their order.
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
    sampling: Sampling,
    rows: Rows,
    planes: Planes,
    waiting: Vec<AnyChange>,
    workspace: Vec<f32>,
}

impl Scratch {
    /// Bytes that a thread needs for images of `image_px` square and views of `side_px` square.
    #[must_use]
    pub fn bytes(image_px: usize, side_px: usize) -> usize {
        let planes = 3 * (side_px * side_px).next_multiple_of(BLOCK);
        let rows = Rows::len(image_px, image_px, side_px);
        let taps = 2 * side_px * (1 + (2 * image_px).div_ceil(side_px).max(2));
        let workspace = STEPS.iter().map(|step| (step.workspace_floats)(side_px)).max();
        4 * (planes + rows + taps + workspace.unwrap_or(0))
    }
}

impl Pipeline {
    /// A pipeline for views of this format, unless the configuration names its own.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] where a setting, the side, a mean or a standard deviation lies outside its range.
    pub fn new(config: &PipelineConfig, format: ViewFormat) -> Result<Self> {
        config.validate()?;
        let format = format.with(config);
        format.validate()?;
        config.validate_steps(format.side_px)?;
        let normalise = Normalise { mean: format.mean, inverse_std: format.std.map(|v| 1.0 / v) };
        Ok(Self { config: config.clone(), side_px: format.side_px, normalise })
    }

    /// The paper's relational augmentation, values left in [0, 1].
    ///
    /// # Errors
    /// [`crate::Error::Setting`] where the side is not in 1..=4096.
    pub fn relational(side_px: usize) -> Result<Self> {
        Self::new(&PipelineConfig::default(), ViewFormat::plain(side_px))
    }

    /// The whole image resized to the side, nothing random, values left in [0, 1].
    ///
    /// # Errors
    /// [`crate::Error::Setting`] where the side is not in 1..=4096.
    pub fn evaluation(side_px: usize) -> Result<Self> {
        Self::new(&PipelineConfig::evaluation(), ViewFormat::plain(side_px))
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
        let Normalise { mean, inverse_std } = self.normalise;
        format!("side {}; normalise {mean:?} {inverse_std:?}{}", self.side_px, self.config.definition(self.side_px))
    }

    /// What the view of this key does to an image of this size.
    #[must_use]
    pub fn parameters(&self, key: ViewKey, width_px: usize, height_px: usize) -> ViewParameters {
        ViewParameters::draw(&self.config, key, self.sizes(width_px, height_px))
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
    /// v / 255, the steps in the order of the parameters' fields, (v - mean) / std and then the cut-out, in f32 all the way. The
    /// meaning of every step is that of torchvision 0.24's functions on float tensors (resize with antialiasing), to 1e-5.
    ///
    /// # Errors
    /// [`crate::Error::CropOutside`] where the crop does not fit the image, or the cut-out the view; [`crate::Error::Setting`] for a blur below 0
    /// or not finite.
    ///
    /// # Panics
    /// Where `out` is not [`Pipeline::view_len`] long.
    pub fn apply(&self, parameters: &ViewParameters, image: &Image, out: &mut [f32], scratch: &mut Scratch) -> Result<()> {
        parameters.check(self.sizes(image.width_px(), image.height_px()))?;
        self.render(parameters, image, out, scratch);
        Ok(())
    }

    fn sizes(&self, image_width_px: usize, image_height_px: usize) -> Sizes {
        Sizes { image_width_px, image_height_px, side_px: self.side_px }
    }

    /// Needs parameters that have been checked.
    fn render(&self, parameters: &ViewParameters, image: &Image, out: &mut [f32], scratch: &mut Scratch) {
        self.render_by(pixels, parameters, image, out, scratch);
    }

    /// With one of the forms of [`pixels`].
    fn render_by(&self, pixels: Pixels, parameters: &ViewParameters, image: &Image, out: &mut [f32], scratch: &mut Scratch) {
        assert_eq!(out.len(), self.view_len(), "a view of {} px has {} floats", self.side_px, self.view_len());
        parameters.sample(self.sizes(image.width_px(), image.height_px()), &mut scratch.sampling);
        let padded = (self.side_px * self.side_px).next_multiple_of(BLOCK);
        for plane in &mut scratch.planes {
            plane.resize(padded, 0.0);
        }
        pixels(self, parameters, image, out, scratch);
        parameters.finish(self.side_px, out);
    }
}

type Pixels = fn(&Pipeline, &ViewParameters, &Image, &mut [f32], &mut Scratch);

/// [`pixels_body`], compiled for each instruction set and chosen at run time.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+bmi1+bmi2+fma",
    "x86_64+avx2+bmi1+bmi2+fma",
    "x86_64+sse4.1"
))]
fn pixels(pipeline: &Pipeline, parameters: &ViewParameters, image: &Image, out: &mut [f32], scratch: &mut Scratch) {
    pixels_body(pipeline, parameters, image, out, scratch);
}

/// All work on pixels.
///
/// The same additions and multiplications in the same order everywhere (no contraction, no reassociation): the same bits.
#[inline(always)]
fn pixels_body(pipeline: &Pipeline, parameters: &ViewParameters, image: &Image, out: &mut [f32], scratch: &mut Scratch) {
    let Scratch { sampling, rows, planes, waiting, workspace } = scratch;
    rows.resize(image, sampling.part, pipeline.side_px, &sampling.x, &sampling.y, planes);
    let mut canvas = Canvas::new(pipeline.side_px, planes, waiting, workspace);
    parameters.render(&pipeline.config, &mut canvas);
    canvas.write(&pipeline.normalise, out);
}

#[cfg(test)]
mod tests;
