//! The settings of the augmentation: a table of its own for each step, and what belongs to no step.

use serde::{Deserialize, Serialize};

use crate::check::{MAX_SIDE_PX, check, within};
use crate::error::Result;
use crate::step::{Settings, Step};
use crate::steps::*;

macro_rules! pipeline_config {
    ($($name:ident: $Config:ident => $Drawn:ty,)*) => {
        /// Every strength and probability of the augmentation, as a configuration file's `[augment]` holds them.
        ///
        /// The defaults are the paper's relational augmentation (arXiv 2006.05849, appendix; the same as SimCLR's without blur).
        /// The steps run in the order of the fields, `cutout` behind the normalisation.
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
            $(#[doc = concat!("`[augment.", stringify!($name), "]`.")] pub $name: $Config,)*
        }

        impl Default for PipelineConfig {
            fn default() -> Self {
                Self { views: 4, side: 0, mean: Vec::new(), std: Vec::new(), $($name: $Config::default(),)* }
            }
        }

        impl PipelineConfig {
            /// No randomness: the whole image, resized and normalised.
            #[must_use]
            pub fn evaluation() -> Self {
                Self { views: 1, $($name: $Config::default().never(),)* ..Self::default() }
            }

            /// Checks every setting.
            ///
            /// # Errors
            /// [`crate::Error::Setting`] with the key, the value and the allowed range of the first setting that is wrong.
            pub fn validate(&self) -> Result<()> {
                within("augment.views", self.views, 1, 65_536, "1 to 65536")?;
                within("augment.side", self.side, 0, MAX_SIDE_PX, "0 (the data set's own) to 4096")?;
                channels("augment.mean", &self.mean, "[] or three numbers in 0 to 1", |v| (0.0..=1.0).contains(&v))?;
                channels("augment.std", &self.std, "[] or three numbers above 0", |v| v > 0.0 && v.is_finite())?;
                self.validate_steps(0)
            }

            /// Checks the settings of the steps for views of `side_px`; 0 while it is not known.
            pub(crate) fn validate_steps(&self, side_px: usize) -> Result<()> {
                $(
                    let (key, p) = (concat!("augment.", stringify!($name), ".p"), self.$name.p());
                    check(key, (0.0..=1.0).contains(&p), p, "a probability, 0 to 1")?;
                    self.$name.validate(side_px)?;
                )*
                Ok(())
            }

            /// What is random, in few words: `crop 0.08-1, flip p 0.5`; `none` where nothing is.
            #[must_use]
            pub fn in_words(&self) -> String {
                let steps = [$((self.$name.p(), self.$name.summary(stringify!($name)))),*];
                let random = steps.into_iter().filter(|(p, text)| *p > 0.0 && !text.is_empty());
                let happen: Vec<String> = random.map(|(_, text)| text).collect();
                if happen.is_empty() { "none".to_owned() } else { happen.join(", ") }
            }

            /// The settings of the steps that may happen, with all that decides what a view is: `; flip 0.5; grayscale 0.2`.
            pub(crate) fn definition(&self, side_px: usize) -> String {
                let steps = [$((self.$name.p(), stringify!($name), self.$name.definition(side_px))),*];
                let happen = steps.into_iter().filter(|(p, ..)| *p > 0.0);
                happen.map(|(_, name, text)| format!("; {name} {text}")).collect()
            }
        }
    };
}

for_each_step!(pipeline_config);

fn channels(key: &'static str, values: &[f64], allowed: &'static str, good: impl Fn(f64) -> bool) -> Result<()> {
    let count = values.is_empty() || values.len() == 3;
    check(key, count && values.iter().all(|&v| good(v)), values, allowed)
}
