//! The picture of the features: one point an image, coloured and shaped by its class.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};
use relata_artifact::FeatureSample;

use super::embedding::{self, Placement};
use crate::numbers::count;

const WIDTH: f32 = 640.0;
const HEIGHT: f32 = 460.0;
const MARGIN: f32 = 14.0;
/// Numbers of colours and marker shapes share no divisor: 28 classes look different from each other.
const COLOURS: usize = 7;
const SHAPES: [&str; 4] = [
    "M-3.4,0a3.4,3.4 0 1 0 6.8,0a3.4,3.4 0 1 0 -6.8,0z", // disc
    "M0,-4.2L4,3H-4z",                                   // triangle
    "M-3,-3H3V3H-3z",                                    // square
    "M0,-4.4L3.6,0L0,4.4L-3.6,0z",                       // diamond
];
const MAX_LEGEND: usize = COLOURS * SHAPES.len();

/// Said in the place of a picture of features that are all the same or not finite.
pub(crate) const NOTHING_TO_DRAW: &str = "The features of the sample are all the same or not finite, so there is nothing to draw: \
     the backbone has collapsed or diverged.";

/// Points in the plane with their classes.
pub(crate) struct Map<'a> {
    placement: Placement,
    points: Vec<[f32; 2]>,
    labels: Vec<u32>,
    class_names: &'a [String],
    split: &'a str,
}

impl<'a> Map<'a> {
    /// `None` where all features are the same.
    pub(crate) fn of(sample: &'a FeatureSample) -> Option<Self> {
        let (features, labels) = thinned(sample);
        let (placement, points) = embedding::embed(&features, sample.dim)?;
        Some(Self { placement, points, labels, class_names: &sample.class_names, split: &sample.split })
    }

    /// `900 validation images`
    pub(crate) fn images(&self) -> String {
        let number = count(self.points.len() as u64);
        if self.split.is_empty() { format!("{number} images") } else { format!("{number} {} images", self.split) }
    }

    /// How the points were placed.
    pub(crate) fn placement_words(&self) -> &'static str {
        match self.placement {
            Placement::Tsne => "t-SNE",
            Placement::Pca => "the two main axes (PCA)",
        }
    }

    /// Whether distances between far groups mean nothing.
    pub(crate) fn is_tsne(&self) -> bool {
        self.placement == Placement::Tsne
    }

    pub(crate) fn svg(&self) -> Markup {
        PreEscaped(svg(&self.points, &self.labels, |label| self.name(label)))
    }

    pub(crate) fn legend(&self) -> Markup {
        let mut classes = self.labels.clone();
        classes.sort_unstable();
        classes.dedup();
        html! {
            @if classes.len() <= MAX_LEGEND {
                ul.legend.classes {
                    @for &label in &classes { li { (sample_marker(label)) (self.name(label)) } }
                }
            } @else {
                figcaption { (classes.len()) " classes; point at a mark to see its class." }
            }
        }
    }

    fn name(&self, label: u32) -> String {
        self.class_names.get(label as usize).cloned().unwrap_or_else(|| format!("class {label}"))
    }
}

/// At most [`embedding::MAX_POINTS`] rows, evenly spread over the sample.
fn thinned(sample: &FeatureSample) -> (Vec<f32>, Vec<u32>) {
    let (n, most) = (sample.labels.len(), embedding::MAX_POINTS);
    if n <= most {
        return (sample.features.clone(), sample.labels.clone());
    }
    let rows: Vec<usize> = (0..most).map(|index| index * n / most).collect();
    let features = rows.iter().flat_map(|row| &sample.features[row * sample.dim..(row + 1) * sample.dim]);
    (features.copied().collect(), rows.iter().map(|&row| sample.labels[row]).collect())
}

fn svg(points: &[[f32; 2]], labels: &[u32], name: impl Fn(u32) -> String) -> String {
    let bounds = |axis: usize| {
        let values = points.iter().map(move |point| point[axis]);
        values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let ((left, right), (bottom, top)) = (bounds(0), bounds(1));
    let at = |value: f32, low: f32, high: f32, size: f32| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        MARGIN + share * (size - 2.0 * MARGIN)
    };
    let mut marks = String::new();
    for (point, &label) in points.iter().zip(labels) {
        let (x, y) = (at(point[0], left, right, WIDTH), at(point[1], bottom, top, HEIGHT));
        let (colour, shape) = style_of(label);
        let title = html! { (name(label)) }.into_string();
        let transform = format!("translate({x:.1} {:.1})", HEIGHT - y);
        let path = SHAPES[shape];
        write!(marks, r#"<path class="c{colour}" transform="{transform}" d="{path}"><title>{title}</title></path>"#)
            .expect("writing to a string");
    }
    let alt = format!("{} points in the plane, marked by class", count(points.len() as u64));
    format!(r#"<svg class="points" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{alt}">{marks}</svg>"#)
}

fn style_of(label: u32) -> (usize, usize) {
    (label as usize % COLOURS, label as usize % SHAPES.len())
}

fn sample_marker(label: u32) -> Markup {
    let (colour, shape) = style_of(label);
    html! {
        svg.marker viewBox="-5 -5 10 10" aria-hidden="true" { path class={ "c" (colour) } d=(SHAPES[shape]) {} }
    }
}
