//! Left and right exchanged: torchvision's `RandomHorizontalFlip`.

use crate::step::*;

settings! {
    /// `[augment.flip]`.
    FlipConfig {
        /// Probability of a horizontal flip. Default 0.5: the paper's.
        p: f64 = 0.5,
    }
}

impl Step for FlipConfig {
    type Drawn = bool;
    type Change = Infallible;
    const WORDS: Range<usize> = 42..43;

    fn draw(&self, words: Words<'_>, _sizes: Sizes) -> bool {
        words.happens(self.p)
    }

    fn sample(flipped: bool, _sizes: Sizes, sampling: &mut Sampling) {
        if flipped {
            sampling.x.reverse();
        }
    }
}
