//! Planes seen through an affine map, bilinear, black outside: torchvision's `affine` on float tensors.

use crate::Affine;

/// Zeros in front of and behind a row of pixels, so that no tap needs a test.
const BEFORE: usize = 1;
const BEHIND: usize = 2;

/// Working memory of an affine map, reused from view to view.
#[derive(Debug, Default)]
pub(crate) struct Warp {
    /// The view in a black frame, four floats a pixel so that a pixel is one vector; the fourth is of no use.
    framed: Vec<[f32; 4]>,
}

impl Warp {
    /// Floats for views of `side_px`.
    pub(crate) fn floats(side_px: usize) -> usize {
        4 * (side_px + BEFORE + BEHIND).pow(2)
    }

    /// Maps three planes `[side, side]` in place.
    #[inline(always)]
    pub(crate) fn apply(&mut self, affine: &Affine, side: usize, planes: &mut [Vec<f32>; 3]) {
        let framed_side = side + BEFORE + BEHIND;
        self.framed.clear();
        self.framed.resize(framed_side * framed_side, [0.0; 4]);
        for y in 0..side {
            let [r, g, b] = planes.each_ref().map(|plane| &plane[y * side..][..side]);
            let row = &mut self.framed[(y + BEFORE) * framed_side + BEFORE..][..side];
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = [r[x], g[x], b[x], 0.0];
            }
        }
        let [from_x, from_y] = affine.source_from_view();
        // Both count from the middle of the view; a pixel's own middle is half a pixel from its corner.
        let middle = 0.5 * side as f64;
        let first = 0.5 - middle;
        // In the frame, whose first row and column are black: what lies further out is as black.
        let framed = |place: f64| {
            let place = place + middle - 0.5 + BEFORE as f64;
            let place = if place > 0.0 { place } else { 0.0 };
            let end = (side + BEFORE) as f64;
            let place = if place < end { place } else { end };
            let whole = place as usize;
            (whole, (place - whole as f64) as f32)
        };
        let [red, green, blue] = planes;
        for at in 0..side * side {
            let (u, v) = (first + (at % side) as f64, first + (at / side) as f64);
            let (x, right) = framed(from_x[0] * u + from_x[1] * v + from_x[2]);
            let (y, below) = framed(from_y[0] * u + from_y[1] * v + from_y[2]);
            let corner = y * framed_side + x;
            let [a, b] = [self.framed[corner], self.framed[corner + 1]];
            let [c, d] = [self.framed[corner + framed_side], self.framed[corner + framed_side + 1]];
            let (left, above) = (1.0 - right, 1.0 - below);
            let weights = [left * above, right * above, left * below, right * below];
            let mixed: [f32; 4] = std::array::from_fn(|lane| {
                a[lane] * weights[0] + b[lane] * weights[1] + c[lane] * weights[2] + d[lane] * weights[3]
            });
            (red[at], green[at], blue[at]) = (mixed[0], mixed[1], mixed[2]);
        }
    }
}

impl Affine {
    /// Where a place of the view, (u, v) from its middle, lies in the image: two rows of `[a, b, c]`, `a u + b v + c`.
    ///
    /// The inverse of T · R · S · scale as torchvision has it: shear along x, rotation by the angle, shift.
    fn source_from_view(&self) -> [[f64; 3]; 2] {
        let (angle, shear) = (f64::from(self.angle_deg).to_radians(), f64::from(self.shear_deg).to_radians());
        let scale = f64::from(self.scale);
        let (sin, cos, tan) = (angle.sin(), angle.cos(), shear.tan());
        // The map without shift is scale · [[cos, -cos tan - sin], [sin, -sin tan + cos]], of determinant scale².
        let rows = [[(cos - sin * tan) / scale, (sin + cos * tan) / scale], [-sin / scale, cos / scale]];
        let shift = [self.right_px as f64, self.down_px as f64];
        rows.map(|[a, b]| [a, b, -a * shift[0] - b * shift[1]])
    }
}

#[cfg(test)]
mod tests {
    use super::Warp;
    use crate::Affine;

    const SIDE: usize = 5;

    /// Every pixel different, no symmetry.
    fn planes() -> [Vec<f32>; 3] {
        [0, 1, 2].map(|channel| (0..SIDE * SIDE).map(|at| ((at * 7 + channel * 11 + 3) % 26) as f32 / 26.0).collect())
    }

    fn mapped(affine: Affine) -> [Vec<f32>; 3] {
        let (mut warp, mut planes) = (Warp::default(), planes());
        warp.apply(&affine, SIDE, &mut planes);
        planes
    }

    const STILL: Affine = Affine { angle_deg: 0.0, right_px: 0, down_px: 0, scale: 1.0, shear_deg: 0.0 };

    #[test]
    fn nothing_asked_for_changes_nothing() {
        assert_eq!(mapped(STILL), planes());
    }

    #[test]
    fn a_shift_moves_the_image_and_leaves_black() {
        let (moved, before) = (mapped(Affine { right_px: 2, down_px: -1, ..STILL }), planes());
        for (moved, before) in moved.iter().zip(&before) {
            for (at, v) in moved.iter().enumerate() {
                let (x, y) = (at % SIDE, at / SIDE);
                let expected = if x >= 2 && y + 1 < SIDE { before[(y + 1) * SIDE + x - 2] } else { 0.0 };
                assert_eq!(*v, expected, "({x}, {y})");
            }
        }
    }

    #[test]
    fn a_quarter_turn_is_clockwise() {
        let (turned, before) = (mapped(Affine { angle_deg: 90.0, ..STILL }), planes());
        for (turned, before) in turned.iter().zip(&before) {
            for (at, v) in turned.iter().enumerate() {
                let (x, y) = (at % SIDE, at / SIDE);
                assert!((v - before[(SIDE - 1 - x) * SIDE + y]).abs() < 1e-6, "({x}, {y})");
            }
        }
    }

    #[test]
    fn a_map_far_outside_is_black() {
        for affine in [Affine { right_px: 900, ..STILL }, Affine { down_px: -900, ..STILL }] {
            assert!(mapped(affine).iter().flatten().all(|v| *v == 0.0));
        }
    }
}
