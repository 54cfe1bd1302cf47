/// One of the ten classes: a figure about the origin, reaching about one unit from it, as a signed distance.
///
/// Distances are exact or, beyond some corners, a little short, which anti-aliasing does not show. They use only
/// operations that IEEE 754 fixes to the bit, so that every machine draws the same pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    Disc,
    Square,
    Triangle,
    Star,
    Plus,
    Ring,
    Crescent,
    Burst,
    Bar,
    TwoDiscs,
}

impl Figure {
    /// Every figure, in label order.
    pub(super) const ALL: [Self; 10] = [
        Self::Disc,
        Self::Square,
        Self::Triangle,
        Self::Star,
        Self::Plus,
        Self::Ring,
        Self::Crescent,
        Self::Burst,
        Self::Bar,
        Self::TwoDiscs,
    ];

    /// The class name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Disc => "disc",
            Self::Square => "square",
            Self::Triangle => "triangle",
            Self::Star => "star",
            Self::Plus => "plus",
            Self::Ring => "ring",
            Self::Crescent => "crescent",
            Self::Burst => "burst",
            Self::Bar => "bar",
            Self::TwoDiscs => "two discs",
        }
    }

    /// Hands the figure's distance function to `paint`: one copy of its loop for each figure, without a branch a pixel.
    pub(super) fn with_distance(self, paint: impl Paint) {
        match self {
            Self::Disc => paint.run(|p| length(p) - 0.86),
            Self::Square => paint.run(|p| rectangle(p, [0.75, 0.75])),
            Self::Triangle => paint.run(triangle),
            Self::Star => paint.run(star),
            Self::Plus => paint.run(|p| rectangle(p, [1.0, 0.32]).min(rectangle(p, [0.32, 1.0]))),
            Self::Ring => paint.run(|p| (length(p) - 0.74).abs() - 0.23),
            Self::Crescent => paint.run(|[x, y]| (length([x, y]) - 0.95).max(0.76 - length([x - 0.46, y]))),
            Self::Burst => paint.run(burst),
            Self::Bar => paint.run(|p| rectangle(p, [1.08, 0.36])),
            Self::TwoDiscs => paint.run(|[x, y]| length([x.abs() - 0.6, y]) - 0.46),
        }
    }
}

/// Something to do with a distance function.
pub(super) trait Paint {
    /// Does it.
    fn run(self, distance: impl Fn([f32; 2]) -> f32);
}

#[inline]
fn length([x, y]: [f32; 2]) -> f32 {
    (x * x + y * y).sqrt()
}

/// A rectangle of the given half sides.
#[inline]
fn rectangle([x, y]: [f32; 2], half: [f32; 2]) -> f32 {
    let (dx, dy) = (x.abs() - half[0], y.abs() - half[1]);
    length([dx.max(0.0), dy.max(0.0)]) + dx.max(dy).min(0.0)
}

/// Equal sides, one corner on the y axis.
#[inline]
fn triangle([x, y]: [f32; 2]) -> f32 {
    const COS_30: f32 = 0.866_025_4;
    (x.abs() * COS_30 + y * 0.5).max(-y) - 0.56
}

/// Five points.
#[inline]
fn star([x, y]: [f32; 2]) -> f32 {
    const COS_36: f32 = 0.809_017;
    const SIN_36: f32 = 0.587_785_25;
    const COS_108: f32 = -0.309_017;
    const SIN_108: f32 = 0.951_056_5;
    // Each mirror halves the plane, until all that is left is the tenth between the tip at 0 degrees and a notch at 36.
    let p = mirror([x.abs(), y], COS_108, SIN_108);
    let [x, y] = mirror(p, COS_36, SIN_36);
    edge([x.abs(), y], 1.12, [0.48 * SIN_36, 0.48 * COS_36])
}

/// Eight points.
#[inline]
fn burst([x, y]: [f32; 2]) -> f32 {
    const COS_22_5: f32 = 0.923_879_5;
    const SIN_22_5: f32 = 0.382_683_43;
    let (x, y) = (x.abs(), y.abs());
    let p = mirror([x.min(y), x.max(y)], COS_22_5, SIN_22_5);
    edge(p, 1.1, [0.6 * SIN_22_5, 0.6 * COS_22_5])
}

/// Points beyond the line through the origin at some angle (from the y axis, clockwise) thrown back over it.
#[inline]
fn mirror([x, y]: [f32; 2], cos: f32, sin: f32) -> [f32; 2] {
    let beyond = (x * cos - y * sin).max(0.0) * 2.0;
    [x - beyond * cos, y + beyond * sin]
}

/// The line from a tip on the y axis to a notch to its right; inside is the origin's side.
#[inline]
fn edge([x, y]: [f32; 2], tip: f32, notch: [f32; 2]) -> f32 {
    let (ex, ey) = (notch[0], notch[1] - tip);
    let (wx, wy) = (x, y - tip);
    let along = ((wx * ex + wy * ey) / (ex * ex + ey * ey)).clamp(0.0, 1.0);
    length([wx - ex * along, wy - ey * along]).copysign(ex * wy - ey * wx)
}
