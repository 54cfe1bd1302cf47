//! The view turned, shifted, scaled and sheared: torchvision's `RandomAffine`, bilinear, black outside.

use crate::step::*;

settings! {
    /// `[augment.affine]`: torchvision's `RandomApply([RandomAffine(degrees, translate, scale, shear)], p)`, bilinear and black outside,
    /// on the view; all defaults but `p` are those of the paper's fine-tuning.
    AffineConfig {
        /// Probability that the view is mapped at all. Default 0: the paper's pretraining has none, its fine-tuning 0.5.
        p: f64 = 0.0,
        /// The angle is uniform in [-x, x] degrees. Default 18.
        degrees: f64 = 18.0,
        /// Both shifts are uniform in [-x, x] sides of the view, in whole pixels. Default 0.1.
        translate: f64 = 0.1,
        /// The enlargement is uniform in [smallest, largest]. Default 0.9 to 1.1.
        scale: [f64; 2] = [0.9, 1.1],
        /// The shear along x is uniform in [-x, x] degrees. Default 10.
        shear: f64 = 10.0,
    }
}

/// An affine map about the middle of the view with its numbers decided: torchvision's `affine` with bilinear interpolation, what
/// comes from outside being black.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Rotation, clockwise, in degrees.
    pub angle_deg: f32,
    /// Shift to the right (negative: to the left), behind the rest.
    pub right_px: i32,
    /// Shift down (negative: up).
    pub down_px: i32,
    /// Enlargement, above 0; 1 changes nothing.
    pub scale: f32,
    /// Shear along x, in degrees, in front of the rotation.
    pub shear_deg: f32,
}

impl Step for AffineConfig {
    type Drawn = Option<Affine>;
    type Change = Infallible;
    const WORDS: Range<usize> = 54..60;

    fn validate(&self, _side_px: usize) -> Result<()> {
        let Self { p: _, degrees, translate, scale, shear } = *self;
        check("augment.affine.degrees", (0.0..=180.0).contains(&degrees), degrees, "0 to 180")?;
        check("augment.affine.translate", (0.0..=1.0).contains(&translate), translate, "0 to 1, in sides of the view")?;
        let fits = ordered(scale) && scale[0] >= 1e-3 && scale[1] <= 1e3;
        check("augment.affine.scale", fits, scale, "[smallest, largest] in 0.001 to 1000")?;
        check("augment.affine.shear", (0.0..90.0).contains(&shear), shear, "0 to 90 (exclusive)")
    }

    fn summary(&self, name: &str) -> String {
        let Self { p, degrees, translate, scale: [smallest, largest], shear } = self;
        format!("{name} {degrees}° shift {translate} scale {smallest}-{largest} shear {shear}° (p {p})")
    }

    /// torchvision's `RandomAffine.get_params`, whose shift is a whole number of pixels.
    fn draw(&self, words: Words<'_>, sizes: Sizes) -> Option<Affine> {
        let Self { p, degrees, translate, scale, shear } = *self;
        let reach = translate * sizes.side_px as f64;
        let shift = |index| words.uniform(index, -reach, reach).round_ties_even() as i32;
        words.happens(p).then(|| Affine {
            angle_deg: words.uniform(1, -degrees, degrees) as f32,
            right_px: shift(2),
            down_px: shift(3),
            scale: words.uniform(4, scale[0], scale[1]) as f32,
            shear_deg: words.uniform(5, -shear, shear) as f32,
        })
    }

    fn workspace_floats(side_px: usize) -> usize {
        4 * (side_px + BEFORE + BEHIND).pow(2)
    }

    #[inline(always)]
    fn reshape<C: Change>(&self, drawn: Option<Affine>, canvas: &mut Canvas<'_, C>) {
        if let Some(affine) = drawn {
            let side = canvas.side_px;
            let (planes, workspace) = canvas.planes(Self::workspace_floats(side));
            affine.apply(side, planes, workspace.as_chunks_mut().0);
        }
    }
}

/// Zeros in front of and behind a row of pixels, so that no tap needs a test.
const BEFORE: usize = 1;
const BEHIND: usize = 2;

impl Affine {
    /// Maps three planes `[side, side]` in place. `framed` holds the view in a black frame, four floats a pixel so that a pixel is
    /// one vector; the fourth is of no use.
    #[inline(always)]
    fn apply(&self, side: usize, planes: &mut Planes, framed: &mut [[f32; 4]]) {
        let framed_side = side + BEFORE + BEHIND;
        framed.fill([0.0; 4]);
        for y in 0..side {
            let [r, g, b] = planes.each_ref().map(|plane| &plane[y * side..][..side]);
            let row = &mut framed[(y + BEFORE) * framed_side + BEFORE..][..side];
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = [r[x], g[x], b[x], 0.0];
            }
        }
        let [from_x, from_y] = self.source_from_view();
        // Both count from the middle of the view; a pixel's own middle is half a pixel from its corner.
        let middle = 0.5 * side as f64;
        let first = 0.5 - middle;
        // In the frame, whose first row and column are black: what lies further out is as black.
        let in_frame = |position: f64| {
            let position = position + middle - 0.5 + BEFORE as f64;
            let position = if position > 0.0 { position } else { 0.0 };
            let end = (side + BEFORE) as f64;
            let position = if position < end { position } else { end };
            let whole = position as usize;
            (whole, (position - whole as f64) as f32)
        };
        let [red, green, blue] = planes;
        for at in 0..side * side {
            let (u, v) = (first + (at % side) as f64, first + (at / side) as f64);
            let (x, right) = in_frame(from_x[0] * u + from_x[1] * v + from_x[2]);
            let (y, below) = in_frame(from_y[0] * u + from_y[1] * v + from_y[2]);
            let corner = y * framed_side + x;
            let [a, b] = [framed[corner], framed[corner + 1]];
            let [c, d] = [framed[corner + framed_side], framed[corner + framed_side + 1]];
            let (left, above) = (1.0 - right, 1.0 - below);
            let weights = [left * above, right * above, left * below, right * below];
            let mixed: [f32; 4] = std::array::from_fn(|lane| {
                a[lane] * weights[0] + b[lane] * weights[1] + c[lane] * weights[2] + d[lane] * weights[3]
            });
            (red[at], green[at], blue[at]) = (mixed[0], mixed[1], mixed[2]);
        }
    }

    /// Where a position of the view, (u, v) from its middle, lies in the image: two rows of `[a, b, c]`, `a u + b v + c`.
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
    use super::*;

    const SIDE: usize = 5;

    /// Every pixel different, no symmetry.
    fn planes() -> [Vec<f32>; 3] {
        [0, 1, 2].map(|channel| (0..SIDE * SIDE).map(|at| ((at * 7 + channel * 11 + 3) % 26) as f32 / 26.0).collect())
    }

    fn mapped(affine: Affine) -> [Vec<f32>; 3] {
        let (mut planes, mut workspace) = (planes(), vec![f32::NAN; AffineConfig::workspace_floats(SIDE)]);
        affine.apply(SIDE, &mut planes, workspace.as_chunks_mut().0);
        planes
    }

    const STILL: Affine = Affine { angle_deg: 0.0, right_px: 0, down_px: 0, scale: 1.0, shear_deg: 0.0 };

    #[test]
    fn a_map_of_no_change_changes_nothing() {
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
