//! The steps of the augmentation, a file each.
//!
//! # Adding a step
//!
//! A step is one file that implements [`Step`] for its settings, its `mod` line, and its line in the table below. The pipeline
//! reads everything else from there: the table `[augment.<name>]` of a configuration file, its checks, random words, memory,
//! summary and definition, and the moment at which it runs.
//!
//! 1. Start from the step that is most like yours: `solarise.rs` changes one pixel at a time, `blur.rs` looks at neighbours,
//!    `flip.rs` picks other pixels of the image, `cutout.rs` works on the finished view.
//! 2. Write the settings (`<Name>Config`, with serde's `default` and `deny_unknown_fields`) and their defaults. Let the step be
//!    off by default (`p = 0.0`): then all views that were ever published stay as they are.
//! 3. Take the random words that follow the last ones taken. Two steps that share a word do not compile.
//! 4. Add the line to the table where the step is to run: `name: Settings => what is drawn for a view`.
//! 5. Test it in its file. Where torchvision has the step, add cases to `fixtures/make.py` and a line to `tests/torchvision.rs`;
//!    then its row in the README.

use std::ops::Range;

use crate::step::Step;

mod affine;
mod blur;
mod crop;
mod cutout;
mod flip;
mod grayscale;
mod invert;
mod jitter;
mod solarise;

/// The table: hands its lines to the macro `$define`.
macro_rules! for_each_step {
    ($define:ident) => {
        $define! {
            crop: CropConfig => Crop,
            flip: FlipConfig => bool,
            affine: AffineConfig => Option<Affine>,
            jitter: JitterConfig => Option<Jitter>,
            grayscale: GrayscaleConfig => bool,
            invert: InvertConfig => bool,
            blur: BlurConfig => Option<Blur>,
            solarise: SolariseConfig => Option<Solarise>,
            cutout: CutoutConfig => Option<CropBox>,
        }
    };
}
pub(crate) use for_each_step;

macro_rules! steps {
    ($($name:ident: $Config:ident => $Drawn:ty,)*) => {
        $(pub use $name::*;)*

        /// The same lines as data.
        pub(crate) const STEPS: &[StepEntry] = &[$(
            StepEntry { words: <$Config>::WORDS, workspace_floats: <$Config>::workspace_floats },
        )*];
    };
}

/// A step as others see it.
pub(crate) struct StepEntry {
    pub(crate) words: Range<usize>,
    pub(crate) workspace_floats: fn(usize) -> usize,
}

for_each_step!(steps);

/// Random words of a view: whole blocks of ChaCha up to the last word that a step takes.
pub(crate) const WORD_COUNT: usize = {
    let (mut end, mut step) = (0, 0);
    while step < STEPS.len() {
        let (words, mut other) = (&STEPS[step].words, 0);
        while other < step {
            let apart = STEPS[other].words.end <= words.start || words.end <= STEPS[other].words.start;
            assert!(apart, "two steps share a random word: take those that follow the last ones taken");
            other += 1;
        }
        end = if words.end > end { words.end } else { end };
        step += 1;
    }
    end.next_multiple_of(16)
};

#[cfg(test)]
mod tests;
