//! Features with a known answer, for the tests of this crate.

use relata_testkit::hash_uniform;

use crate::Features;

/// Rows `first..first + rows` of clouds around one centre in [-1, 1)^D a class, each `spread` wide; labels go round.
pub(crate) fn clouds(first: usize, rows: usize, width: usize, classes: usize, spread: f64) -> Features {
    let value = |i: usize| {
        let (row, column) = (first + i / width, i % width);
        let centre = hash_uniform("centre", row % classes * width + column);
        (centre + spread * hash_uniform("noise", row * width + column)) as f32
    };
    let labels = (first..first + rows).map(|row| row % classes).collect();
    Features::new((0..rows * width).map(value).collect(), width, labels, names(classes)).unwrap()
}

/// The same rows with labels that have nothing to do with them.
pub(crate) fn with_random_labels(features: &Features, name: &str) -> Features {
    let classes = features.class_names().len();
    let label = |row| ((hash_uniform(name, row) + 1.0) / 2.0 * classes as f64) as usize;
    let labels = (0..features.rows()).map(label).collect();
    Features::new(features.values().to_vec(), features.width(), labels, names(classes)).unwrap()
}

pub(crate) fn names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("class {class}")).collect()
}
