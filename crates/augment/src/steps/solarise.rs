//! Bright values turned to 1 - value: torchvision's `RandomSolarize`.

use crate::step::*;

settings! {
    /// `[augment.solarise]`: torchvision's `RandomSolarize`.
    SolariseConfig {
        /// Probability of a solarised view. Default 0: the paper has none.
        p: f64 = 0.0,
        /// Values of it and above become 1 - value. Default 0.5: BYOL's.
        threshold: f64 = 0.5,
    }
}

impl Step for SolariseConfig {
    type Drawn = Option<Solarise>;
    type Change = Solarise;
    const WORDS: Range<usize> = 53..54;

    fn validate(&self, _side_px: usize) -> Result<()> {
        check("augment.solarise.threshold", (0.0..=1.0).contains(&self.threshold), self.threshold, "0 to 1")
    }

    fn draw(&self, words: Words<'_>, _sizes: Sizes) -> Option<Solarise> {
        words.happens(self.p).then_some(Solarise { threshold: self.threshold as f32 })
    }

    #[inline(always)]
    fn changes(drawn: Option<Solarise>) -> impl Iterator<Item = Solarise> {
        drawn.into_iter()
    }
}

/// A solarisation with its number decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solarise {
    /// Values of this and above become 1 - value.
    pub threshold: f32,
}

impl Change for Solarise {
    #[inline(always)]
    fn apply(self, r: &mut Plane, g: &mut Plane, b: &mut Plane) {
        for plane in [r, g, b] {
            for v in plane {
                *v = if *v >= self.threshold { 1.0 - *v } else { *v };
            }
        }
    }
}
