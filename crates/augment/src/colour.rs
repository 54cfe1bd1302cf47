use crate::parameters::{Adjustment, ViewParameters};

/// Pixels worked on at a time: enough to hide the choice of the operation, few enough to stay in the first cache.
pub(crate) const BLOCK: usize = 64;

/// Partial sums of a mean. Fixed, so that the result does not depend on the width of the machine's vectors.
const LANES: usize = 16;

/// torchvision's weights of red, green and blue in a gray value.
const GRAY: [f32; 3] = [0.2989, 0.587, 0.114];

type Plane = [f32; BLOCK];

/// One change of colour with its numbers; every one keeps values in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Op {
    Brightness(f32),
    /// The mean is known only when the changes before it are done.
    Contrast {
        factor: f32,
        mean: f32,
    },
    Saturation(f32),
    Hue(f32),
    Grayscale,
    Invert,
    /// Values of this and above become 1 - value.
    Solarise(f32),
}

/// The changes of one view in order, without those that change nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ops {
    ops: [Op; Self::MOST],
    len: usize,
}

impl Ops {
    /// Four adjustments, grayscale, invert, solarise.
    const MOST: usize = 7;

    pub(crate) fn none() -> Self {
        Self { ops: [Op::Invert; Self::MOST], len: 0 }
    }

    /// Adds what comes last.
    pub(crate) fn solarise(&mut self, parameters: &ViewParameters) {
        if let Some(threshold) = parameters.solarise {
            self.push(Op::Solarise(threshold));
        }
    }

    /// Those in front of the blur.
    pub(crate) fn new(parameters: &ViewParameters) -> Self {
        let mut list = Self::none();
        if let Some(jitter) = parameters.jitter {
            for adjustment in jitter.order {
                match adjustment {
                    Adjustment::Brightness if jitter.brightness != 1.0 => list.push(Op::Brightness(jitter.brightness)),
                    Adjustment::Contrast if jitter.contrast != 1.0 => {
                        list.push(Op::Contrast { factor: jitter.contrast, mean: 0.0 })
                    }
                    Adjustment::Saturation if jitter.saturation != 1.0 => list.push(Op::Saturation(jitter.saturation)),
                    Adjustment::Hue if jitter.hue != 0.0 => list.push(Op::Hue(jitter.hue)),
                    _ => {}
                }
            }
        }
        if parameters.grayscale {
            list.push(Op::Grayscale);
        }
        if parameters.invert {
            list.push(Op::Invert);
        }
        list
    }

    fn push(&mut self, op: Op) {
        self.ops[self.len] = op;
        self.len += 1;
    }
}

/// Subtracts the mean and divides by the standard deviation of each channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Normalise {
    pub(crate) mean: [f32; 3],
    pub(crate) inverse_std: [f32; 3],
}

/// Makes the changes on three planes (padded to whole blocks) and writes `[pixels, 3]`, normalised.
///
/// A contrast needs the mean of the whole image, so there is one pass up to it and one from it on.
#[inline(always)]
pub(crate) fn colour(mut list: Ops, normalise: &Normalise, planes: &mut [Vec<f32>; 3], out: &mut [f32]) {
    let done = average_contrasts(&mut list, planes, out.len() / 3);
    change_and_write(&list.ops[done..list.len], normalise, planes, out);
}

/// Makes the changes in place, for what works on whole planes after them.
#[inline(always)]
pub(crate) fn change_all(mut list: Ops, planes: &mut [Vec<f32>; 3], pixels: usize) {
    let done = average_contrasts(&mut list, planes, pixels);
    for (r, g, b) in blocks(planes) {
        for &op in &list.ops[done..list.len] {
            change(op, r, g, b);
        }
    }
}

/// Makes the changes in front of the last contrast, and gives each contrast its mean; how many are made.
#[inline(always)]
fn average_contrasts(list: &mut Ops, planes: &mut [Vec<f32>; 3], pixels: usize) -> usize {
    let ops = &mut list.ops[..list.len];
    let mut done = 0;
    for at in 0..ops.len() {
        if let Op::Contrast { factor, .. } = ops[at] {
            let mean = change_and_average(&ops[done..at], planes, pixels);
            ops[at] = Op::Contrast { factor, mean };
            done = at;
        }
    }
    done
}

#[inline(always)]
fn blocks(planes: &mut [Vec<f32>; 3]) -> impl Iterator<Item = (&mut Plane, &mut Plane, &mut Plane)> {
    let [r, g, b] = planes;
    let (r, g, b) = (r.as_chunks_mut().0, g.as_chunks_mut().0, b.as_chunks_mut().0);
    r.iter_mut().zip(g).zip(b).map(|((r, g), b)| (r, g, b))
}

/// Makes the changes in place; the mean of the gray values after them.
#[inline(always)]
fn change_and_average(ops: &[Op], planes: &mut [Vec<f32>; 3], pixels: usize) -> f32 {
    let mut sums = [0.0; LANES];
    for (index, (r, g, b)) in blocks(planes).enumerate() {
        for &op in ops {
            change(op, r, g, b);
        }
        let mut gray = [0.0; BLOCK];
        for i in 0..BLOCK {
            gray[i] = gray_value(r[i], g[i], b[i]);
        }
        let used = (pixels - index * BLOCK).min(BLOCK);
        gray[used..].fill(0.0);
        for lanes in gray.as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                sums[lane] += lanes[lane];
            }
        }
    }
    sums.iter().sum::<f32>() / pixels as f32
}

#[inline(always)]
fn change_and_write(ops: &[Op], normalise: &Normalise, planes: &mut [Vec<f32>; 3], out: &mut [f32]) {
    let mut out = out.chunks_mut(BLOCK * 3);
    for (r, g, b) in blocks(planes) {
        for &op in ops {
            change(op, r, g, b);
        }
        let Some(out) = out.next() else { return };
        if let Ok(whole) = <&mut [f32; BLOCK * 3]>::try_from(&mut *out) {
            interleave(normalise, r, g, b, whole);
        } else {
            let mut whole = [0.0; BLOCK * 3];
            interleave(normalise, r, g, b, &mut whole);
            out.copy_from_slice(&whole[..out.len()]);
        }
    }
}

#[inline(always)]
fn interleave(normalise: &Normalise, r: &Plane, g: &Plane, b: &Plane, out: &mut [f32; BLOCK * 3]) {
    let Normalise { mean, inverse_std } = *normalise;
    for i in 0..BLOCK {
        out[i * 3] = (r[i] - mean[0]) * inverse_std[0];
        out[i * 3 + 1] = (g[i] - mean[1]) * inverse_std[1];
        out[i * 3 + 2] = (b[i] - mean[2]) * inverse_std[2];
    }
}

#[inline(always)]
fn change(op: Op, r: &mut Plane, g: &mut Plane, b: &mut Plane) {
    match op {
        Op::Brightness(factor) => {
            for plane in [r, g, b] {
                for v in plane {
                    *v = clamped(*v * factor);
                }
            }
        }
        Op::Contrast { factor, mean } => {
            let added = mean * (1.0 - factor);
            for plane in [r, g, b] {
                for v in plane {
                    *v = clamped(*v * factor + added);
                }
            }
        }
        Op::Saturation(factor) => {
            for i in 0..BLOCK {
                let added = gray_value(r[i], g[i], b[i]) * (1.0 - factor);
                r[i] = clamped(r[i] * factor + added);
                g[i] = clamped(g[i] * factor + added);
                b[i] = clamped(b[i] * factor + added);
            }
        }
        Op::Hue(turns) => {
            for i in 0..BLOCK {
                [r[i], g[i], b[i]] = turned([r[i], g[i], b[i]], turns * 6.0);
            }
        }
        Op::Grayscale => {
            for i in 0..BLOCK {
                let gray = gray_value(r[i], g[i], b[i]);
                [r[i], g[i], b[i]] = [gray; 3];
            }
        }
        Op::Solarise(threshold) => {
            for plane in [r, g, b] {
                for v in plane {
                    *v = if *v >= threshold { 1.0 - *v } else { *v };
                }
            }
        }
        Op::Invert => {
            for plane in [r, g, b] {
                for v in plane {
                    *v = 1.0 - *v;
                }
            }
        }
    }
}

#[inline(always)]
fn gray_value(r: f32, g: f32, b: f32) -> f32 {
    GRAY[0] * r + GRAY[1] * g + GRAY[2] * b
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

/// To [0, 1]. Written so that it becomes two vector instructions; `f32::clamp` also cares for NaN, which cannot occur here.
#[inline(always)]
fn clamped(v: f32) -> f32 {
    smaller(larger(v, 0.0), 1.0)
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[cfg(test)]
mod tests;
