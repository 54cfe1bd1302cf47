//! The values of a view in the making, in [0, 1]: a plane a channel, and the changes of colour that wait to be made.

use std::convert::Infallible;

/// Pixels worked on at a time: enough to hide the choice of the operation, few enough to stay in the first cache.
pub(crate) const BLOCK: usize = 64;

/// Partial sums of a mean. Fixed, so that the result does not depend on the width of the machine's vectors.
const LANES: usize = 16;

/// torchvision's weights of red, green and blue in a gray value.
const GRAY: [f32; 3] = [0.2989, 0.587, 0.114];

/// A block of one channel.
pub(crate) type Plane = [f32; BLOCK];

/// Red, green and blue, `[side, side]` each, padded to whole blocks.
pub(crate) type Planes = [Vec<f32>; 3];

/// A change of colour that looks at one pixel at a time and keeps values in [0, 1].
pub(crate) trait Change: Copy {
    /// Where the mean gray value of the view behind all changes before this one goes, if the change needs it.
    #[inline(always)]
    fn mean_gray(&mut self) -> Option<&mut f32> {
        None
    }

    /// Changes a block of pixels.
    fn apply(self, r: &mut Plane, g: &mut Plane, b: &mut Plane);
}

impl Change for Infallible {
    fn apply(self, _: &mut Plane, _: &mut Plane, _: &mut Plane) {
        match self {}
    }
}

/// Subtracts the mean and divides by the standard deviation of each channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Normalise {
    pub(crate) mean: [f32; 3],
    pub(crate) inverse_std: [f32; 3],
}

/// A view in the making.
///
/// Changes of colour wait until somebody needs their result, and are then made together, in one pass over memory.
pub(crate) struct Canvas<'a, C> {
    pub(crate) side_px: usize,
    planes: &'a mut Planes,
    waiting: &'a mut Vec<C>,
    workspace: &'a mut Vec<f32>,
}

impl<'a, C: Change> Canvas<'a, C> {
    #[inline(always)]
    pub(crate) fn new(side_px: usize, planes: &'a mut Planes, waiting: &'a mut Vec<C>, workspace: &'a mut Vec<f32>) -> Self {
        waiting.clear();
        Self { side_px, planes, waiting, workspace }
    }

    /// Puts changes behind those that wait.
    #[inline(always)]
    pub(crate) fn change<S: Change>(&mut self, changes: impl Iterator<Item = S>, wrap: impl Fn(S) -> C) {
        for mut change in changes {
            if let Some(mean) = change.mean_gray() {
                *mean = self.mean_gray();
            }
            self.waiting.push(wrap(change));
        }
    }

    /// The planes with all changes made, and a workspace of so many floats with any content.
    #[inline(always)]
    pub(crate) fn planes(&mut self, floats: usize) -> (&mut Planes, &mut [f32]) {
        for (r, g, b) in blocks(self.planes) {
            for &change in self.waiting.iter() {
                change.apply(r, g, b);
            }
        }
        self.waiting.clear();
        if self.workspace.len() < floats {
            self.workspace.resize(floats, 0.0);
        }
        (self.planes, &mut self.workspace[..floats])
    }

    /// Makes the changes that wait; the mean of the gray values behind them.
    #[inline(always)]
    pub(crate) fn mean_gray(&mut self) -> f32 {
        let pixels = self.side_px * self.side_px;
        let mut sums = [0.0; LANES];
        for (index, (r, g, b)) in blocks(self.planes).enumerate() {
            for &change in self.waiting.iter() {
                change.apply(r, g, b);
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
        self.waiting.clear();
        sums.iter().sum::<f32>() / pixels as f32
    }

    /// Makes the changes that wait and writes `[side, side, 3]`, normalised.
    #[inline(always)]
    pub(crate) fn write(self, normalise: &Normalise, out: &mut [f32]) {
        let mut out = out.chunks_mut(BLOCK * 3);
        for (r, g, b) in blocks(self.planes) {
            for &change in self.waiting.iter() {
                change.apply(r, g, b);
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
}

#[inline(always)]
fn blocks(planes: &mut Planes) -> impl Iterator<Item = (&mut Plane, &mut Plane, &mut Plane)> {
    let [r, g, b] = planes;
    let (r, g, b) = (r.as_chunks_mut().0, g.as_chunks_mut().0, b.as_chunks_mut().0);
    r.iter_mut().zip(g).zip(b).map(|((r, g), b)| (r, g, b))
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
pub(crate) fn gray_value(r: f32, g: f32, b: f32) -> f32 {
    GRAY[0] * r + GRAY[1] * g + GRAY[2] * b
}

/// To [0, 1]. Written so that it becomes two vector instructions; `f32::clamp` also cares for NaN, which cannot occur here.
#[inline(always)]
pub(crate) fn clamped(v: f32) -> f32 {
    smaller(larger(v, 0.0), 1.0)
}

#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
pub(crate) fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
