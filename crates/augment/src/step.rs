//! What a step of the augmentation is, and all that a step's file needs: see `steps/mod.rs` for how one is added.

use std::fmt::Debug;

pub(crate) use std::convert::Infallible;
pub(crate) use std::ops::Range;

pub(crate) use crate::canvas::{Canvas, Change, Plane, Planes, clamped, gray_value, larger, smaller};
pub(crate) use crate::check::{MAX_SIDE_PX, check, ordered, within};
pub(crate) use crate::crop_box::CropBox;
pub(crate) use crate::error::{Error, Result};
pub(crate) use crate::key::Words;
pub(crate) use crate::resize::Sampling;

/// Sizes that a step may need to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) image_width_px: usize,
    pub(crate) image_height_px: usize,
    pub(crate) side_px: usize,
}

/// A step's settings: one table of the configuration file.
pub(crate) trait Settings: Default {
    /// The probability that the step happens.
    fn p(&self) -> f64;

    /// The same settings, by which the step never happens.
    fn never(self) -> Self;

    /// All settings in their order, as digests of checkpoints have them: the text of a setting never changes.
    fn listed(&self) -> String;
}

/// Defines the settings of a step that happens with a probability `p`, with their defaults.
macro_rules! settings {
    (
        $(#[$doc:meta])*
        $Config:ident {
            $(#[$p_doc:meta])* p: f64 = $p:expr,
            $($(#[$field_doc:meta])* $field:ident: $Type:ty = $default:expr,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Config {
            $(#[$p_doc])* pub p: f64,
            $($(#[$field_doc])* pub $field: $Type,)*
        }

        impl Default for $Config {
            fn default() -> Self {
                Self { p: $p, $($field: $default,)* }
            }
        }

        impl $crate::step::Settings for $Config {
            fn p(&self) -> f64 {
                self.p
            }

            fn never(mut self) -> Self {
                self.p = 0.0;
                self
            }

            fn listed(&self) -> String {
                [format!("{:?}", self.p), $(format!("{:?}", self.$field)),*].join(" ")
            }
        }
    };
}
pub(crate) use settings;

/// All that the pipeline knows of a step, through its settings.
///
/// A view goes through the stages [`Step::sample`], before there are pixels; [`Step::changes`] and [`Step::reshape`], on values in
/// [0, 1]; normalisation; and [`Step::finish`]. In each it goes through all steps in the order of the table. A step implements the
/// stage that it acts in. What runs per pixel is `#[inline(always)]`, so that it is compiled for each instruction set.
pub(crate) trait Step: Settings {
    /// What the step does to one view, with every number decided. The default is a view that it leaves alone.
    type Drawn: Copy + Debug + Default + PartialEq;

    /// A change of a pixel's colour; [`Infallible`] for a step that makes none.
    type Change: Change;

    /// Indices of the step's random words among those of the view. They never change, or published runs would: a new step takes the
    /// words that follow the last ones taken.
    const WORDS: Range<usize>;

    /// Checks the settings behind the probability; `side_px` is 0 while it is not known.
    fn validate(&self, _side_px: usize) -> Result<()> {
        Ok(())
    }

    /// What is random, for people; empty where nothing is.
    fn summary(&self, name: &str) -> String {
        format!("{name} p {}", self.p())
    }

    /// Every setting that decides what the step does to a view of `side_px`.
    fn definition(&self, _side_px: usize) -> String {
        self.listed()
    }

    /// Decides what happens to one view.
    fn draw(&self, words: Words<'_>, sizes: Sizes) -> Self::Drawn;

    /// Checks numbers that a caller has decided.
    fn check(_drawn: Self::Drawn, _sizes: Sizes) -> Result<()> {
        Ok(())
    }

    /// Floats of [`Canvas::planes`]'s workspace that the step needs.
    fn workspace_floats(_side_px: usize) -> usize {
        0
    }

    /// Which pixels of the image those of the view are mixed from.
    fn sample(_drawn: Self::Drawn, _sizes: Sizes, _sampling: &mut Sampling) {}

    /// Changes that look at one pixel at a time; those of all steps are made together.
    #[inline(always)]
    fn changes(_drawn: Self::Drawn) -> impl Iterator<Item = Self::Change> {
        std::iter::empty()
    }

    /// What looks at a pixel's neighbours.
    #[inline(always)]
    fn reshape<C: Change>(&self, _drawn: Self::Drawn, _canvas: &mut Canvas<'_, C>) {}

    /// What is done to the normalised view, `[side, side, 3]`.
    fn finish(_drawn: Self::Drawn, _side_px: usize, _view: &mut [f32]) {}
}
