//! Brightness, contrast, saturation and hue changed in random order: torchvision's `ColorJitter`.

use crate::step::*;

settings! {
    /// `[augment.jitter]`: torchvision's `RandomApply([ColorJitter(...)], p)`.
    JitterConfig {
        /// Probability that colours are changed at all. Default 0.8: the paper's.
        p: f64 = 0.8,
        /// The brightness factor is uniform in [max(0, 1 - x), 1 + x]. Default 0.8: the paper's.
        brightness: f64 = 0.8,
        /// The contrast factor is uniform in [max(0, 1 - x), 1 + x]. Default 0.8: the paper's.
        contrast: f64 = 0.8,
        /// The saturation factor is uniform in [max(0, 1 - x), 1 + x]. Default 0.8: the paper's.
        saturation: f64 = 0.8,
        /// The hue's shift is uniform in [-x, x], in turns of the colour circle. Default 0.2: the paper's.
        hue: f64 = 0.2,
    }
}

/// A colour jitter with its numbers decided: torchvision's `ColorJitter` after `get_params`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    /// The order in which the four changes are made.
    pub order: [Adjustment; 4],
    /// Factor, 0 or more; 1 changes nothing.
    pub brightness: f32,
    /// Factor, 0 or more; 1 changes nothing.
    pub contrast: f32,
    /// Factor, 0 or more; 1 changes nothing.
    pub saturation: f32,
    /// Turns of the colour circle, -0.5 to 0.5; 0 changes nothing.
    pub hue: f32,
}

/// One of the four changes of a colour jitter, each clamped to [0, 1] afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// v · factor.
    Brightness,
    /// v · factor + m · (1 - factor), m the mean over the image of its gray values as they are at that point.
    Contrast,
    /// v · factor + gray · (1 - factor), gray = 0.2989 R + 0.587 G + 0.114 B of the same pixel.
    Saturation,
    /// The hue of the pixel in HSV turned by a share of the circle.
    Hue,
}

/// An adjustment with its number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Adjust {
    Brightness(f32),
    Contrast { factor: f32, mean: f32 },
    Saturation(f32),
    Hue(f32),
}

impl Step for JitterConfig {
    type Drawn = Option<Jitter>;
    type Change = Adjust;
    const WORDS: Range<usize> = 43..49;

    fn validate(&self, _side_px: usize) -> Result<()> {
        let strength = |key, value| check(key, (0.0..=100.0).contains(&value), value, "0 to 100");
        strength("augment.jitter.brightness", self.brightness)?;
        strength("augment.jitter.contrast", self.contrast)?;
        strength("augment.jitter.saturation", self.saturation)?;
        check("augment.jitter.hue", (0.0..=0.5).contains(&self.hue), self.hue, "0 to 0.5")
    }

    fn summary(&self, name: &str) -> String {
        let Self { p, brightness, contrast, saturation, hue } = self;
        format!("{name} {brightness}/{contrast}/{saturation} hue {hue} (p {p})")
    }

    fn draw(&self, words: Words<'_>, _sizes: Sizes) -> Option<Jitter> {
        let factor = |index, x: f64| words.uniform(index, (1.0 - x).max(0.0), 1.0 + x) as f32;
        words.happens(self.p).then(|| Jitter {
            order: permutation(words.below(1, 24)),
            brightness: factor(2, self.brightness),
            contrast: factor(3, self.contrast),
            saturation: factor(4, self.saturation),
            hue: words.uniform(5, -self.hue, self.hue) as f32,
        })
    }

    /// In the jitter's order, without those that change nothing.
    #[inline(always)]
    fn changes(drawn: Option<Jitter>) -> impl Iterator<Item = Adjust> {
        drawn.into_iter().flat_map(|jitter| {
            jitter.order.into_iter().filter_map(move |adjustment| match adjustment {
                Adjustment::Brightness => (jitter.brightness != 1.0).then_some(Adjust::Brightness(jitter.brightness)),
                Adjustment::Contrast => {
                    (jitter.contrast != 1.0).then_some(Adjust::Contrast { factor: jitter.contrast, mean: 0.0 })
                }
                Adjustment::Saturation => (jitter.saturation != 1.0).then_some(Adjust::Saturation(jitter.saturation)),
                Adjustment::Hue => (jitter.hue != 0.0).then_some(Adjust::Hue(jitter.hue)),
            })
        })
    }
}

/// The 24 orders of the four adjustments, numbered.
pub(super) fn permutation(mut number: usize) -> [Adjustment; 4] {
    use Adjustment::{Brightness, Contrast, Hue, Saturation};
    let mut order = [Brightness, Contrast, Saturation, Hue];
    for position in 0..3 {
        let choices = 4 - position;
        order.swap(position, position + number % choices);
        number /= choices;
    }
    order
}

impl Change for Adjust {
    #[inline(always)]
    fn mean_gray(&mut self) -> Option<&mut f32> {
        if let Self::Contrast { mean, .. } = self { Some(mean) } else { None }
    }

    #[inline(always)]
    fn apply(self, r: &mut Plane, g: &mut Plane, b: &mut Plane) {
        match self {
            Self::Brightness(factor) => {
                for plane in [r, g, b] {
                    for v in plane {
                        *v = clamped(*v * factor);
                    }
                }
            }
            Self::Contrast { factor, mean } => {
                let added = mean * (1.0 - factor);
                for plane in [r, g, b] {
                    for v in plane {
                        *v = clamped(*v * factor + added);
                    }
                }
            }
            Self::Saturation(factor) => {
                for i in 0..r.len() {
                    let added = gray_value(r[i], g[i], b[i]) * (1.0 - factor);
                    r[i] = clamped(r[i] * factor + added);
                    g[i] = clamped(g[i] * factor + added);
                    b[i] = clamped(b[i] * factor + added);
                }
            }
            Self::Hue(turns) => {
                for i in 0..r.len() {
                    [r[i], g[i], b[i]] = turned([r[i], g[i], b[i]], turns * 6.0);
                }
            }
        }
    }
}

/// The hue turned by `sixths` of the circle, in -3..=3: to HSV, hue + sixths, and back to RGB.
///
/// Writes out the conversions without their table of six cases: in HSV with chroma c = max - min, a channel is
/// max - c · (1 - ramp), where its ramp is 1 over a third of the circle around its own hue and 0 over the opposite third.
#[inline(always)]
fn turned([r, g, b]: [f32; 3], sixths: f32) -> [f32; 3] {
    let max = larger(larger(r, g), b);
    let chroma = max - smaller(smaller(r, g), b);
    let inverse = 1.0 / if chroma > 0.0 { chroma } else { 1.0 };
    // As the reference: red wins a tie for the largest, then green. In -1..=5.
    let from_green_or_blue = if max == g { (b - r) * inverse + 2.0 } else { (r - g) * inverse + 4.0 };
    let hue = if max == r { (g - b) * inverse } else { from_green_or_blue };
    let hue = hue + sixths;
    let hue = if hue < 0.0 { hue + 6.0 } else { hue };
    let hue = if hue >= 6.0 { hue - 6.0 } else { hue };
    let channel = |missing: f32| max - chroma * clamped(missing);
    [channel(2.0 - (hue - 3.0).abs()), channel((hue - 2.0).abs() - 1.0), channel((hue - 4.0).abs() - 1.0)]
}

#[cfg(test)]
mod tests;
