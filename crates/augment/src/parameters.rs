//! What is done to an image to make one view of it, and the ways through all steps that a view takes.

use crate::canvas::{Canvas, Change, Plane};
use crate::config::PipelineConfig;
use crate::crop_box::CropBox;
use crate::error::Result;
use crate::key::{ViewKey, Words};
use crate::resize::Sampling;
use crate::step::{Sizes, Step};
use crate::steps::*;

macro_rules! view_parameters {
    ($($name:ident: $Config:ident => $Drawn:ty,)*) => {
        /// What is done to an image to make one view of it, with every number decided.
        ///
        /// Drawn by [`crate::Pipeline::parameters`], carried out by [`crate::Pipeline::apply`]. The steps run in the order of the
        /// fields. The default is the whole image, left as it is.
        #[derive(Debug, Clone, Copy, PartialEq, Default)]
        pub struct ViewParameters {
            $(#[doc = concat!("What [`", stringify!($Config), "`] decides.")] pub $name: $Drawn,)*
        }

        impl ViewParameters {
            pub(crate) fn draw(config: &PipelineConfig, key: ViewKey, sizes: Sizes) -> Self {
                let words: [u32; WORD_COUNT] = key.words();
                Self { $($name: config.$name.draw(Words(&words[$Config::WORDS]), sizes),)* }
            }

            pub(crate) fn check(&self, sizes: Sizes) -> Result<()> {
                $($Config::check(self.$name, sizes)?;)*
                Ok(())
            }

            pub(crate) fn sample(&self, sizes: Sizes, sampling: &mut Sampling) {
                $($Config::sample(self.$name, sizes, sampling);)*
            }

            #[inline(always)]
            pub(crate) fn render(&self, config: &PipelineConfig, canvas: &mut Canvas<'_, AnyChange>) {
                $(
                    canvas.change($Config::changes(self.$name), AnyChange::$Config);
                    config.$name.reshape(self.$name, canvas);
                )*
            }

            pub(crate) fn finish(&self, side_px: usize, view: &mut [f32]) {
                $($Config::finish(self.$name, side_px, view);)*
            }
        }

        /// A change of colour of any step, under the name of the step's settings.
        #[derive(Debug, Clone, Copy)]
        #[allow(clippy::enum_variant_names)]
        pub(crate) enum AnyChange {
            $($Config(<$Config as Step>::Change),)*
        }

        impl Change for AnyChange {
            #[inline(always)]
            fn apply(self, r: &mut Plane, g: &mut Plane, b: &mut Plane) {
                match self {
                    $(Self::$Config(change) => change.apply(r, g, b),)*
                }
            }
        }
    };
}

for_each_step!(view_parameters);
