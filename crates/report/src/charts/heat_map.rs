//! A confusion matrix as SVG: a row is a true class, a column a predicted class, a cell's shade its share of the row.
//!
//! Up to [`MAX_NUMBERED`] classes every cell has its number, up to [`MAX_NAMED`] every row and column its name; beyond that the
//! picture is condensed: neighbouring classes join, cells of one shade become one path.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};
use relata_artifact::ProbeResult;

use crate::numbers::{count, counted};

const MAX_NUMBERED: usize = 10;
pub(crate) const MAX_NAMED: usize = 20;
/// Rows of a condensed matrix; more would be finer than a pixel.
const MAX_ROWS: usize = 100;
/// Shades of a condensed matrix.
const LEVELS: u32 = 10;
/// Side of the square of cells.
const SIDE: f64 = 400.0;
/// Room for names of classes, and of one letter of them at the font's 13 units.
const NAME_ROOM: f64 = 132.0;
const LETTER: f64 = 7.6;
const MAX_LETTERS: usize = 16;
/// Room for the words along a condensed matrix.
const WORD_ROOM: f64 = 24.0;

pub(crate) fn is_square(probe: &ProbeResult) -> bool {
    !probe.confusion.is_empty() && probe.confusion.iter().all(|row| row.len() == probe.confusion.len())
}

/// The class's own name, or its number.
pub(crate) fn class_name(probe: &ProbeResult, class: usize) -> String {
    probe.class_names.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
}

pub(crate) fn total(row: &[u32]) -> u64 {
    row.iter().map(|&n| u64::from(n)).sum()
}

/// Trainings or draws that the matrix is a sum over.
fn seeds(probe: &ProbeResult) -> u64 {
    probe.accuracy_by_seed_pct.len().max(1) as u64
}

/// ` over 3 seeds` behind a number of predictions, where each image was predicted several times.
pub(crate) fn over_seeds(probe: &ProbeResult) -> String {
    if seeds(probe) == 1 { String::new() } else { format!(" over {}", counted(seeds(probe), "seed")) }
}

/// The picture and how to read it; `probe` must have a square matrix.
pub(crate) fn figure(probe: &ProbeResult) -> Markup {
    let classes = probe.confusion.len();
    let together = classes.div_ceil(MAX_ROWS);
    html! {
        (PreEscaped(if classes <= MAX_NAMED { named(probe) } else { condensed(probe, together) }))
        p.note {
            "Rows: true class; columns: predicted class. "
            @if classes <= MAX_NUMBERED { "Numbers and shade: share of the row in percent; a dot is less than 1." }
            @else { "The darker, the larger the share of the row." }
            " The diagonal is correct."
            @if seeds(probe) > 1 { " Predictions" (over_seeds(probe)) " together." }
            @if together > 1 { " Each cell stands for " (together) " × " (together) " neighbouring classes." }
        }
    }
}

fn named(probe: &ProbeResult) -> String {
    let classes = probe.confusion.len();
    let names: Vec<String> = (0..classes).map(|class| shortened(&class_name(probe, class))).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let room = (longest as f64 * LETTER + 12.0).min(NAME_ROOM);
    let cell = SIDE / classes as f64;
    let over = over_seeds(probe);
    let mut svg = open("heat", room + SIDE, room + SIDE, probe);
    for (class, name) in names.iter().enumerate() {
        let middle = room + (class as f64 + 0.5) * cell;
        let (name, edge) = (html! { (name) }.into_string(), room - 6.0);
        write!(svg, r#"<text x="{edge:.1}" y="{:.1}" text-anchor="end">{name}</text>"#, middle + 4.5)
            .expect("writing to a string");
        let turned = format!("translate({:.1} {edge:.1}) rotate(-90)", middle + 4.5);
        write!(svg, r#"<text transform="{turned}">{name}</text>"#).expect("writing to a string");
    }
    for (truth, row) in probe.confusion.iter().enumerate() {
        let all = total(row);
        for (predicted, &n) in row.iter().enumerate() {
            let share = f64::from(n) / all.max(1) as f64;
            let kind = if truth == predicted { "right" } else { "wrong" };
            let (x, y) = (room + predicted as f64 * cell, room + truth as f64 * cell);
            let words = format!("{} predicted as {}: {n} of {all}{over}", class_name(probe, truth), class_name(probe, predicted));
            let title = html! { title { (words) } }.into_string();
            write!(
                svg,
                r#"<rect class="{kind}" style="--share:{share:.2}" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}">{title}</rect>"#,
                cell - 1.0,
                cell - 1.0
            )
            .expect("writing to a string");
            if classes <= MAX_NUMBERED && n > 0 {
                let number = if share < 0.01 { "·".to_owned() } else { format!("{:.0}", 100.0 * share) };
                let (x, y) = (x + cell / 2.0, y + cell / 2.0 + 4.5);
                write!(svg, r#"<text class="{kind}" x="{x:.1}" y="{y:.1}" text-anchor="middle">{number}</text>"#)
                    .expect("writing to a string");
            }
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Without names: `together` classes a row, one path for the cells of a shade.
fn condensed(probe: &ProbeResult, together: usize) -> String {
    let classes = probe.confusion.len();
    let rows = classes.div_ceil(together);
    let mut joined = vec![vec![0_u64; rows]; rows];
    for (truth, row) in probe.confusion.iter().enumerate() {
        for (predicted, &n) in row.iter().enumerate() {
            joined[truth / together][predicted / together] += u64::from(n);
        }
    }
    let cell = SIDE / rows as f64;
    let mut paths = vec![[String::new(), String::new()]; LEVELS as usize + 1];
    for (truth, row) in joined.iter().enumerate() {
        let all: u64 = row.iter().sum();
        for (predicted, &n) in row.iter().enumerate().filter(|(_, n)| **n > 0) {
            // Most cells of many classes are small; equal steps of the square root keep them distinct.
            let level = ((n as f64 / all as f64).sqrt() * f64::from(LEVELS)).ceil() as usize;
            let (x, y) = (WORD_ROOM + predicted as f64 * cell, WORD_ROOM + truth as f64 * cell);
            let path = &mut paths[level.min(LEVELS as usize)][usize::from(truth != predicted)];
            write!(path, "M{x:.1},{y:.1}h{cell:.2}v{cell:.2}h-{cell:.2}z").expect("writing to a string");
        }
    }
    let mut svg = open("heat condensed", WORD_ROOM + SIDE, WORD_ROOM + SIDE, probe);
    write!(svg, r#"<rect class="ground" x="{WORD_ROOM}" y="{WORD_ROOM}" width="{SIDE}" height="{SIDE}"/>"#)
        .expect("writing to a string");
    for (level, kinds) in paths.iter().enumerate() {
        for (kind, path) in ["right", "wrong"].iter().zip(kinds).filter(|(_, path)| !path.is_empty()) {
            let shade = (level as f64 / f64::from(LEVELS)).powf(1.5);
            write!(svg, r#"<path class="{kind}" style="--share:{shade:.2}" d="{path}"/>"#).expect("writing to a string");
        }
    }
    let (middle, edge) = (WORD_ROOM + SIDE / 2.0, WORD_ROOM - 8.0);
    let number = count(classes as u64);
    write!(
        svg,
        r#"<text x="{middle}" y="{edge}" text-anchor="middle">predicted class, {number} classes</text><text transform="translate({edge} {middle}) rotate(-90)" text-anchor="middle">true class</text></svg>"#
    )
    .expect("writing to a string");
    svg
}

fn open(class: &str, width: f64, height: f64, probe: &ProbeResult) -> String {
    let predictions: u64 = probe.confusion.iter().map(|row| total(row)).sum();
    let images = count(predictions / seeds(probe));
    let alt = format!("Confusion matrix of {} classes, {images} images{}", probe.confusion.len(), over_seeds(probe));
    format!(r#"<svg class="{class}" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{alt}">"#)
}

/// A long name without its middle: names that begin alike often end otherwise.
fn shortened(name: &str) -> String {
    let letters = name.chars().count();
    if letters <= MAX_LETTERS {
        return name.to_owned();
    }
    let (first, last) = (MAX_LETTERS / 2, MAX_LETTERS / 2 - 1);
    name.chars().take(first).chain(['…']).chain(name.chars().skip(letters - last)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(classes: usize) -> ProbeResult {
        let row = |truth| (0..classes).map(|predicted| if predicted == truth { 3 } else { u32::from(predicted == 0) }).collect();
        ProbeResult { confusion: (0..classes).map(row).collect(), ..ProbeResult::default() }
    }

    #[test]
    fn ten_classes_have_names_and_numbers() {
        let page = figure(&probe(10)).into_string();
        assert_eq!(page.matches("<rect").count(), 100);
        assert_eq!(page.matches("<text").count(), 20 + 10 + 9, "names twice, the diagonal, the first column");
        assert!(page.contains("class 9 predicted as class 0: 1 of 4"));
    }

    #[test]
    fn more_classes_have_names_only_and_many_neither() {
        assert_eq!(figure(&probe(20)).into_string().matches("<text").count(), 40);
        let many = figure(&probe(21)).into_string();
        assert_eq!((many.matches("<text").count(), many.matches("<rect").count()), (2, 1));
    }

    #[test]
    fn a_thousand_classes_stay_a_small_picture() {
        let page = figure(&probe(1000)).into_string();
        assert!(page.len() < 20_000 && page.contains("10 × 10 neighbouring classes"), "{}", page.len());
    }

    #[test]
    fn predictions_of_several_seeds_are_not_as_many_images() {
        let mut probe = probe(10);
        assert!(figure(&probe).into_string().contains("of 10 classes, 39 images\""));
        probe.accuracy_by_seed_pct = vec![70.0, 80.0, 75.0];
        let page = figure(&probe).into_string().replace('\u{a0}', " ");
        assert!(page.contains("of 10 classes, 13 images over 3 seeds\""), "{page}");
        assert!(
            page.contains("class 9 predicted as class 0: 1 of 4 over 3 seeds")
                && page.contains("Predictions over 3 seeds together.")
        );
    }

    #[test]
    fn a_class_without_images_and_a_long_name_do_no_harm() {
        let mut probe = probe(2);
        probe.confusion[1] = vec![0, 0];
        probe.class_names = vec!["<a name that is far too long>".into(), "ü".into()];
        let page = figure(&probe).into_string();
        assert!(page.contains(">&lt;a name …o long&gt;<") && !page.contains("NaN"));
        assert_ne!(shortened("great spotted woodpecker"), shortened("great spotted cuckoo"));
    }
}
