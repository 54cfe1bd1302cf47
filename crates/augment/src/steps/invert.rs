//! Every channel turned to 1 - value: torchvision's `RandomInvert`.

use crate::step::*;

settings! {
    /// `[augment.invert]`.
    InvertConfig {
        /// Probability of a negative. Default 0: the paper has none.
        p: f64 = 0.0,
    }
}

impl Step for InvertConfig {
    type Drawn = bool;
    type Change = Invert;
    const WORDS: Range<usize> = 50..51;

    fn draw(&self, words: Words<'_>, _sizes: Sizes) -> bool {
        words.happens(self.p)
    }

    #[inline(always)]
    fn changes(drawn: bool) -> impl Iterator<Item = Invert> {
        drawn.then_some(Invert).into_iter()
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Invert;

impl Change for Invert {
    #[inline(always)]
    fn apply(self, r: &mut Plane, g: &mut Plane, b: &mut Plane) {
        for plane in [r, g, b] {
            for v in plane {
                *v = 1.0 - *v;
            }
        }
    }
}
