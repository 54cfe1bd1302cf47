//! Colours taken away: torchvision's `RandomGrayscale`.

use crate::step::*;

settings! {
    /// `[augment.grayscale]`.
    GrayscaleConfig {
        /// Probability of a view without colour. Default 0.2: the paper's.
        p: f64 = 0.2,
    }
}

impl Step for GrayscaleConfig {
    type Drawn = bool;
    type Change = Grayscale;
    const WORDS: Range<usize> = 49..50;

    fn draw(&self, words: Words<'_>, _sizes: Sizes) -> bool {
        words.happens(self.p)
    }

    #[inline(always)]
    fn changes(drawn: bool) -> impl Iterator<Item = Grayscale> {
        drawn.then_some(Grayscale).into_iter()
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Grayscale;

impl Change for Grayscale {
    #[inline(always)]
    fn apply(self, r: &mut Plane, g: &mut Plane, b: &mut Plane) {
        for i in 0..r.len() {
            [r[i], g[i], b[i]] = [gray_value(r[i], g[i], b[i]); 3];
        }
    }
}
