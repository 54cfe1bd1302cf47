//! A Gaussian blur of planes, in two passes: torchvision's `gaussian_blur` with its border by reflection.

/// Kernel and working memory of a blur, reused from view to view.
#[derive(Debug, Default)]
pub(crate) struct Blur {
    /// Weights from the middle outwards: w(0), w(1) .. w(radius); both sides together sum to 1.
    weights: Vec<f32>,
    /// One row with its border.
    row: Vec<f32>,
    /// A plane after the horizontal pass.
    horizontal: Vec<f32>,
}

impl Blur {
    /// `w(i) = exp(-i² / (2 sigma²))`, normalised over -radius ..= radius.
    pub(crate) fn fill(&mut self, radius: usize, sigma_px: f32) {
        // The middle's is 1 for any sigma, that of 0 included, which blurs nothing.
        let weight = |i: usize| if i == 0 { 1.0 } else { (-0.5 * (i as f64 / f64::from(sigma_px)).powi(2)).exp() };
        let total: f64 = weight(0) + 2.0 * (1..=radius).map(weight).sum::<f64>();
        self.weights.clear();
        self.weights.extend((0..=radius).map(|i| (weight(i) / total) as f32));
    }

    /// Floats for views of `side_px`.
    pub(crate) fn floats(side_px: usize) -> usize {
        side_px * side_px + 3 * side_px
    }

    /// Blurs a plane `[side, side]` in place; the kernel's radius is below `side`.
    #[inline(always)]
    pub(crate) fn apply(&mut self, side: usize, plane: &mut [f32]) {
        let Self { weights, row, horizontal } = self;
        let radius = weights.len() - 1;
        row.resize(side + 2 * radius, 0.0);
        horizontal.resize(side * side, 0.0);
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
}

/// `to += weight · (a + b)`
#[inline(always)]
fn add(weight: f32, a: &[f32], b: &[f32], to: &mut [f32]) {
    to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to += weight * (a + b));
}

#[cfg(test)]
mod tests {
    use super::Blur;

    #[test]
    fn weights_sum_to_one_and_a_constant_plane_stays() {
        for (radius, sigma) in [(1, 0.0), (1, 0.1), (1, 2.0), (4, 1.3)] {
            let mut blur = Blur::default();
            blur.fill(radius, sigma);
            let sum = blur.weights[0] + 2.0 * blur.weights[1..].iter().sum::<f32>();
            assert!((sum - 1.0).abs() < 1e-6, "{radius} {sigma}: {sum}");
            let mut plane = vec![0.7; 25];
            blur.apply(5, &mut plane);
            assert!(plane.iter().all(|v| (v - 0.7).abs() < 1e-6), "{plane:?}");
        }
    }

    #[test]
    fn a_marked_corner_spreads_to_its_own_neighbours() {
        let mut blur = Blur::default();
        blur.fill(1, 1.0);
        let mut plane = vec![0.0; 25];
        plane[1] = 1.0;
        blur.apply(5, &mut plane);
        let [middle, side] = [blur.weights[0], blur.weights[1]];
        // Row 0 is reached by itself alone: what is reflected above it is row 1. Column 0 has column 1 on both sides.
        assert_eq!(plane[..3], [middle * (side * (0.0 + 0.0) + side * 2.0), middle * middle, middle * side]);
        assert_eq!(plane[6], side * middle);
        assert!(plane[10..].iter().all(|v| *v == 0.0));
    }
}
