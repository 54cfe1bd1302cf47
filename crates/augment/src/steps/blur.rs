//! The view smoothed by a Gaussian, in two passes: torchvision's `GaussianBlur` with its border by reflection.

use crate::step::*;

settings! {
    /// `[augment.blur]`: torchvision's `RandomApply([GaussianBlur(kernel, sigma)], p)`.
    BlurConfig {
        /// Probability of a blurred view. Default 0: the paper has none.
        p: f64 = 0.0,
        /// Side of the kernel in pixels, odd; 0 (the default): a tenth of the view's, made odd, 3 at least, as SimCLR has it.
        kernel: usize = 0,
        /// The Gaussian's standard deviation in pixels is uniform in [smallest, largest]. Default 0.1 to 2: SimCLR's.
        sigma: [f64; 2] = [0.1, 2.0],
    }
}

impl BlurConfig {
    /// Pixels on either side of the middle one, for views of `side_px`.
    fn radius_px(&self, side_px: usize) -> usize {
        if self.kernel > 0 { self.kernel / 2 } else { (side_px / 10 / 2).max(1) }
    }
}

/// A blur with its number decided; the kernel is the pipeline's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blur {
    /// The Gaussian's standard deviation, 0 or more; 0 changes nothing.
    pub sigma_px: f32,
}

impl Step for BlurConfig {
    type Drawn = Option<Blur>;
    type Change = Infallible;
    const WORDS: Range<usize> = 51..53;

    fn validate(&self, side_px: usize) -> Result<()> {
        let (kernel, sigma, radius) = (self.kernel, self.sigma, self.radius_px(side_px));
        let odd = kernel == 0 || kernel % 2 == 1;
        check("augment.blur.kernel", odd && kernel <= MAX_SIDE_PX, kernel, "0 (a tenth of the side) or an odd number of pixels")?;
        // Far below, an f32 has no word for it.
        check("augment.blur.sigma", ordered(sigma) && sigma[0] >= 1e-3, sigma, "[smallest, largest], both 0.001 or more")?;
        let fits = self.p == 0.0 || side_px == 0 || radius < side_px;
        check("augment.blur.kernel", fits, 2 * radius + 1, "less than twice the view's side, whose border is reflected")
    }

    fn definition(&self, side_px: usize) -> String {
        format!("{:?} {} {:?}", self.p, self.radius_px(side_px), self.sigma)
    }

    fn draw(&self, words: Words<'_>, _sizes: Sizes) -> Option<Blur> {
        words.happens(self.p).then(|| Blur { sigma_px: words.uniform(1, self.sigma[0], self.sigma[1]) as f32 })
    }

    fn check(drawn: Option<Blur>, _sizes: Sizes) -> Result<()> {
        let sigma_px = drawn.map_or(0.0, |blur| blur.sigma_px);
        check("sigma_px", sigma_px >= 0.0 && sigma_px.is_finite(), sigma_px, "0 or more")
    }

    /// A plane, a row with its border, and one side of the kernel: radius and sides are below `side_px`.
    fn workspace_floats(side_px: usize) -> usize {
        side_px * side_px + 4 * side_px
    }

    #[inline(always)]
    fn reshape<C: Change>(&self, drawn: Option<Blur>, canvas: &mut Canvas<'_, C>) {
        let (side, radius) = (canvas.side_px, self.radius_px(canvas.side_px));
        if let Some(Blur { sigma_px }) = drawn.filter(|_| radius < side) {
            let (planes, workspace) = canvas.planes(Self::workspace_floats(side));
            let (weights, workspace) = workspace.split_at_mut(radius + 1);
            gaussian(sigma_px, weights);
            for plane in planes {
                blur(weights, side, &mut plane[..side * side], workspace);
            }
        }
    }
}

/// Weights from the middle outwards, w(0), w(1) .. w(radius): `w(i) = exp(-i² / (2 sigma²))`, normalised over -radius ..= radius.
fn gaussian(sigma_px: f32, weights: &mut [f32]) {
    // The middle's is 1 for any sigma, that of 0 included, which blurs nothing.
    let weight = |i: usize| if i == 0 { 1.0 } else { (-0.5 * (i as f64 / f64::from(sigma_px)).powi(2)).exp() };
    let total: f64 = weight(0) + 2.0 * (1..weights.len()).map(weight).sum::<f64>();
    weights.iter_mut().enumerate().for_each(|(i, to)| *to = (weight(i) / total) as f32);
}

/// Blurs a plane `[side, side]` in place; there are at most `side` weights.
#[inline(always)]
fn blur(weights: &[f32], side: usize, plane: &mut [f32], workspace: &mut [f32]) {
    let radius = weights.len() - 1;
    let (row, horizontal) = workspace.split_at_mut(side + 2 * radius);
    let horizontal = &mut horizontal[..side * side];
    for (from, to) in plane.chunks_exact(side).zip(horizontal.chunks_exact_mut(side)) {
        row[radius..radius + side].copy_from_slice(from);
        for i in 1..=radius {
            row[radius - i] = from[i];
            row[radius + side - 1 + i] = from[side - 1 - i];
        }
        let shifted = |by: usize| &row[by..by + side];
        to.iter_mut().zip(shifted(radius)).for_each(|(to, v)| *to = weights[0] * v);
        for (i, &weight) in weights.iter().enumerate().skip(1) {
            add(weight, shifted(radius - i), shifted(radius + i), to);
        }
    }
    for (y, to) in plane.chunks_exact_mut(side).enumerate().take(side) {
        let line = |y: usize| &horizontal[y * side..][..side];
        to.iter_mut().zip(line(y)).for_each(|(to, v)| *to = weights[0] * v);
        for (i, &weight) in weights.iter().enumerate().skip(1) {
            // Reflected without the border itself: -1 is 1, side is side - 2.
            let (above, below) = (y.abs_diff(i), y + i);
            let below = if below < side { below } else { 2 * (side - 1) - below };
            add(weight, line(above), line(below), to);
        }
    }
}

/// `to += weight · (a + b)`
#[inline(always)]
fn add(weight: f32, a: &[f32], b: &[f32], to: &mut [f32]) {
    to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to += weight * (a + b));
}

/// A plane blurred, for tests.
#[cfg(test)]
pub(crate) fn blurred(radius: usize, sigma_px: f32, side: usize, mut plane: Vec<f32>) -> Vec<f32> {
    let mut weights = vec![0.0; radius + 1];
    gaussian(sigma_px, &mut weights);
    blur(&weights, side, &mut plane, &mut vec![f32::NAN; BlurConfig::workspace_floats(side)]);
    plane
}

#[cfg(test)]
mod tests {
    use super::{blurred, gaussian};

    #[test]
    fn weights_sum_to_one_and_a_constant_plane_stays() {
        for (radius, sigma) in [(1, 0.0), (1, 0.1), (1, 2.0), (4, 1.3)] {
            let mut weights = vec![0.0; radius + 1];
            gaussian(sigma, &mut weights);
            let sum = weights[0] + 2.0 * weights[1..].iter().sum::<f32>();
            assert!((sum - 1.0).abs() < 1e-6, "{radius} {sigma}: {sum}");
            let plane = blurred(radius, sigma, 5, vec![0.7; 25]);
            assert!(plane.iter().all(|v| (v - 0.7).abs() < 1e-6), "{plane:?}");
        }
    }

    #[test]
    fn a_marked_corner_spreads_to_its_own_neighbours() {
        let (mut plane, mut weights) = (vec![0.0; 25], [0.0; 2]);
        plane[1] = 1.0;
        gaussian(1.0, &mut weights);
        let (plane, [middle, side]) = (blurred(1, 1.0, 5, plane), weights);
        // Row 0 is reached by itself alone: what is reflected above it is row 1. Column 0 has column 1 on both sides.
        assert_eq!(plane[..3], [middle * (side * (0.0 + 0.0) + side * 2.0), middle * middle, middle * side]);
        assert_eq!(plane[6], side * middle);
        assert!(plane[10..].iter().all(|v| *v == 0.0));
    }
}
