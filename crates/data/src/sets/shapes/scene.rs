use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::difficulty::Difficulty;

/// Everything about one image but its class and its noise. Colours are in [0, 1], lengths in sides of the image.
pub(super) struct Scene {
    pub(super) foreground: [f32; 3],
    pub(super) background: [f32; 3],
    pub(super) centre: [f32; 2],
    pub(super) radius: f32,
    /// A unit vector: cosine and sine of the figure's angle.
    pub(super) turn: [f32; 2],
    pub(super) stripes: Stripes,
    pub(super) dots: Vec<Dot>,
    pub(super) noise: f32,
}

/// A soft wave over the background.
pub(super) struct Stripes {
    /// What the crest of the wave adds to each channel.
    pub(super) tint: [f32; 3],
    /// A unit vector across the stripes.
    pub(super) across: [f32; 2],
    pub(super) period: f32,
    /// In periods.
    pub(super) phase: f32,
}

/// A stray disc behind the figure.
pub(super) struct Dot {
    pub(super) colour: [f32; 3],
    pub(super) centre: [f32; 2],
    pub(super) radius: f32,
}

/// Least difference in brightness between figure and background: shape must outlive the loss of colour.
const LEAST_CONTRAST: f32 = 0.25;
const NOISE: f32 = 0.03;

/// The random numbers of image `stream`: its scene first, then its noise.
pub(super) fn numbers(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

impl Scene {
    /// Draws a scene. It does not depend on the class, so nothing but the figure shows the class.
    pub(super) fn draw(rng: &mut ChaCha8Rng, difficulty: Difficulty) -> Self {
        let background = colour(rng);
        let foreground = loop {
            let candidate = colour(rng);
            if (brightness(candidate) - brightness(background)).abs() >= LEAST_CONTRAST {
                break candidate;
            }
        };
        let radius = uniform(rng, 0.28, 0.40);
        // Nearly all of the figure stays inside.
        let reach = 0.5 - 0.92 * radius;
        let centre = [uniform(rng, 0.5 - reach, 0.5 + reach), uniform(rng, 0.5 - reach, 0.5 + reach)];
        let turn = direction(rng);
        let (strength, most_dots) = match difficulty {
            Difficulty::Plain => ((0.02, 0.06), 1),
            Difficulty::Hard => ((0.12, 0.30), 4),
        };
        let strength = uniform(rng, strength.0, strength.1);
        let stripes = Stripes {
            tint: std::array::from_fn(|_| strength * uniform(rng, -1.0, 1.0)),
            across: direction(rng),
            period: uniform(rng, 0.15, 0.5),
            phase: unit(rng),
        };
        let dots = (0..below(rng, most_dots + 1)).map(|_| dot(rng)).collect();
        Self { foreground, background, centre, radius, turn, stripes, dots, noise: NOISE }
    }
}

fn dot(rng: &mut ChaCha8Rng) -> Dot {
    Dot { colour: colour(rng), centre: [unit(rng), unit(rng)], radius: uniform(rng, 0.04, 0.08) }
}

fn colour(rng: &mut ChaCha8Rng) -> [f32; 3] {
    std::array::from_fn(|_| unit(rng))
}

/// Rec. 601 luma, as grey-scale conversion weighs the channels.
pub(super) fn brightness([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// A unit vector at a random angle, by rejection: no sine, which differs from one system's library to another's.
fn direction(rng: &mut ChaCha8Rng) -> [f32; 2] {
    loop {
        let (x, y) = (uniform(rng, -1.0, 1.0), uniform(rng, -1.0, 1.0));
        let square = x * x + y * y;
        if (0.01..=1.0).contains(&square) {
            let length = square.sqrt();
            return [x / length, y / length];
        }
    }
}

fn uniform(rng: &mut ChaCha8Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * unit(rng)
}

/// One of the 2^24 multiples of 2^-24 in [0, 1).
fn unit(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// A whole number below `bound`; the bias of at most bound / 2^32 is of no matter here.
fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}
