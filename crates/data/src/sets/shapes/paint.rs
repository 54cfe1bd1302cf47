use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::figure::{Figure, Paint};
use super::scene::{Dot, Scene, Stripes};

/// Paints the scene with `figure` in it: `[side_px, side_px, 3]` bytes. The noise is drawn from `rng`.
pub(super) fn paint(figure: Figure, scene: &Scene, side_px: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut canvas = vec![scene.background; side_px * side_px];
    add_stripes(&mut canvas, &scene.stripes, side_px);
    for dot in &scene.dots {
        add_dot(&mut canvas, dot, side_px);
    }
    figure.with_distance(FigurePainter { canvas: &mut canvas, scene, side_px });
    let mut rgb = Vec::with_capacity(canvas.len() * 3);
    for value in canvas.iter().flatten() {
        let noise: f32 = StandardNormal.sample(rng);
        // `as` takes what lies outside 0 to 255 to the nearer end.
        rgb.push(((value + scene.noise * noise) * 255.0 + 0.5) as u8);
    }
    rgb
}

fn add_stripes(canvas: &mut [[f32; 3]], stripes: &Stripes, side_px: usize) {
    let step = 1.0 / side_px as f32 / stripes.period;
    for (y, row) in canvas.chunks_exact_mut(side_px).enumerate() {
        let start = stripes.phase + (y as f32 + 0.5) * step * stripes.across[1];
        for (x, pixel) in row.iter_mut().enumerate() {
            let height = wave(start + (x as f32 + 0.5) * step * stripes.across[0]);
            for (value, tint) in pixel.iter_mut().zip(stripes.tint) {
                *value += tint * height;
            }
        }
    }
}

/// From -1 to 1 and back in one period, nearly a sine, of exact operations only.
fn wave(periods: f32) -> f32 {
    let t = 4.0 * (periods - periods.floor() - 0.5).abs() - 1.0;
    t * (1.5 - 0.5 * t * t)
}

fn add_dot(canvas: &mut [[f32; 3]], dot: &Dot, side_px: usize) {
    let side = side_px as f32;
    let (radius, [cx, cy]) = (dot.radius * side, dot.centre.map(|c| c * side));
    let rows = (cy - radius - 1.0).max(0.0) as usize..((cy + radius + 1.0) as usize + 1).min(side_px);
    let columns = (cx - radius - 1.0).max(0.0) as usize..((cx + radius + 1.0) as usize + 1).min(side_px);
    for y in rows {
        for x in columns.clone() {
            let (dx, dy) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
            let distance_px = (dx * dx + dy * dy).sqrt() - radius;
            blend(&mut canvas[y * side_px + x], dot.colour, cover(distance_px));
        }
    }
}

struct FigurePainter<'a> {
    canvas: &'a mut [[f32; 3]],
    scene: &'a Scene,
    side_px: usize,
}

impl Paint for FigurePainter<'_> {
    fn run(self, distance: impl Fn([f32; 2]) -> f32) {
        let Scene { foreground, centre: [cx, cy], turn: [cos, sin], radius, .. } = *self.scene;
        let pixel_side = 1.0 / self.side_px as f32;
        let radius_px = radius * self.side_px as f32;
        for (y, row) in self.canvas.chunks_exact_mut(self.side_px).enumerate() {
            let dy = ((y as f32 + 0.5) * pixel_side - cy) / radius;
            for (x, pixel) in row.iter_mut().enumerate() {
                let dx = ((x as f32 + 0.5) * pixel_side - cx) / radius;
                let from_figure = distance([cos * dx + sin * dy, cos * dy - sin * dx]);
                blend(pixel, foreground, cover(from_figure * radius_px));
            }
        }
    }
}

/// The share of a pixel that a straight edge leaves covered, by the distance of its centre from the edge.
fn cover(distance_px: f32) -> f32 {
    (0.5 - distance_px).clamp(0.0, 1.0)
}

fn blend(pixel: &mut [f32; 3], colour: [f32; 3], share: f32) {
    for (value, colour) in pixel.iter_mut().zip(colour) {
        *value += (colour - *value) * share;
    }
}
