//! A few images beside those that their features are nearest to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use relata_artifact::{NeighbourRow, Neighbours};

use crate::numbers::short;
use crate::run::Run;
use crate::section::Section;

/// The one picture that holds all tiles; each place shows a square of it. Where several runs share a page, a number follows.
const TILES: &str = "neighbour-tiles";

/// What a run kept: the images, and the picture of their tiles.
type Kept = (Neighbours, Vec<u8>);

/// What the pictures show, whatever the images.
const WORDS: [&str; 2] = [
    "beside it the images with the most similar features by cosine",
    "A solid frame and ✓ mark the same class, a broken frame and ✗ another class",
];

pub(super) const SECTION: Section = Section {
    anchor: "neighbours",
    title: "Nearest neighbours",
    of_run: |run| Ok(run.neighbours.as_ref().map(|kept| pictures_of_run(kept, run.summary.saw_no_labels()))),
    of_comparison: |runs| Ok(folds(runs.iter().map(|run: &Run| (run.name.as_str(), run.neighbours.as_ref())))),
};

fn pictures_of_run((neighbours, png): &Kept, saw_no_labels: bool) -> Markup {
    html! {
        p { (introduction(neighbours, saw_no_labels)) }
        (grid(neighbours, png, TILES))
    }
}

/// The pictures of several runs, one fold each, the first two of them open; `None` where no run has any.
fn folds<'a>(runs: impl Iterator<Item = (&'a str, Option<&'a Kept>)>) -> Option<Markup> {
    let kept: Vec<_> = runs.filter_map(|(name, kept)| Some((name, kept?))).collect();
    let markup = html! {
        p {
            "At the left of each row an image, " (WORDS[0]) ", the nearest first. " (WORDS[1]) ". Runs on the same data show the "
            "same images."
        }
        @for (place, (name, (neighbours, png))) in kept.iter().enumerate() {
            @let (same, all) = of_same_class(neighbours);
            details.probe open[place < 2] {
                summary {
                    strong { (name) }
                    @if all > 0 { ": " (same) " of " (all) " are of the same class" }
                    span.soft { " (" (neighbours.queries) ", among " (neighbours.searched) ")" }
                }
                div.unfolded { (grid(neighbours, png, &format!("{TILES}-{}", place + 1))) }
            }
        }
    };
    (!kept.is_empty()).then_some(markup)
}

/// How many neighbours are of their image's class, and of how many that is known.
fn of_same_class(neighbours: &Neighbours) -> (usize, usize) {
    let known = neighbours.rows.iter().flat_map(|row| row.found.iter().filter_map(|found| row.is_same_class(found)));
    known.fold((0, 0), |(same, all), is_same| (same + usize::from(is_same), all + 1))
}

fn introduction(neighbours: &Neighbours, saw_no_labels: bool) -> Markup {
    let (same, all) = of_same_class(neighbours);
    html! {
        "At the left of each row an image (" (neighbours.queries) "), " (WORDS[0]) " (" (neighbours.searched) "), the nearest first."
        @if all > 0 {
            " " (WORDS[1]) ": " strong { (same) " of " (all) } " are of the same class."
            @if saw_no_labels { " The training never saw a class." }
        }
    }
}

fn grid(neighbours: &Neighbours, png: &[u8], id: &str) -> Markup {
    html! {
        (tiles(neighbours, png, id))
        div.scroll tabindex="0" role="region" aria-label="Images and their nearest neighbours" {
            div.neighbours style=(format!("grid-template-columns:repeat({},minmax(5.9rem,1fr))", neighbours.columns.max(1))) {
                @for (index, row) in neighbours.rows.iter().enumerate() { (pictures(neighbours, index, row, id)) }
            }
        }
    }
}

/// The tiles, drawn nowhere themselves.
fn tiles(neighbours: &Neighbours, png: &[u8], id: &str) -> Markup {
    let (width, height) = (neighbours.columns * neighbours.tile_px, neighbours.rows.len() * neighbours.tile_px);
    html! {
        svg.store width="0" height="0" aria-hidden="true" {
            defs {
                image id=(id) width=(width) height=(height) href=(format!("data:image/png;base64,{}", STANDARD.encode(png))) {}
            }
        }
    }
}

fn pictures(neighbours: &Neighbours, index: usize, row: &NeighbourRow, id: &str) -> Markup {
    let name = |image: &str, class: Option<&String>| class.cloned().unwrap_or_else(|| image.to_owned());
    html! {
        div.tile.query title=(row.image) {
            (picture(neighbours, [index, 0], &name(&row.image, row.class.as_ref()), id))
            span { (name(&row.image, row.class.as_ref())) }
        }
        // As many as the columns hold, so that each row begins at the left.
        @for place in 1..neighbours.columns {
            @match row.found.get(place - 1) {
                None => div {},
                Some(found) => {
                    @let (class, mark) = match row.is_same_class(found) {
                        Some(true) => ("tile same", "✓ "),
                        Some(false) => ("tile other", "✗ "),
                        None => ("tile", ""),
                    };
                    @let name = name(&found.image, found.class.as_ref());
                    div class=(class) title=(format!("{}, cosine {}", found.image, short(found.similarity))) {
                        (picture(neighbours, [index, place], &name, id))
                        span { (mark) (name) }
                    }
                }
            }
        }
    }
}

fn picture(neighbours: &Neighbours, [row, column]: [usize; 2], alt: &str, id: &str) -> Markup {
    let side = neighbours.tile_px;
    let square = format!("{} {} {side} {side}", column * side, row * side);
    html! {
        svg viewBox=(square) role="img" aria-label=(alt) { use href=(format!("#{id}")) {} }
    }
}

#[cfg(test)]
mod tests {
    use relata_artifact::Neighbour;

    use super::*;

    #[test]
    fn same_and_other_classes_differ_in_more_than_colour() {
        let found = ["cat", "dog"].map(|class| Neighbour { class: Some(class.into()), ..Neighbour::default() }).to_vec();
        let row = NeighbourRow { image: "test 7".into(), class: Some("cat".into()), found };
        let unlabelled = NeighbourRow { image: "holiday.jpg".into(), found: row.found.clone(), class: None };
        let few = NeighbourRow { found: Vec::new(), ..row.clone() };
        let neighbours = Neighbours { tile_px: 32, columns: 3, rows: vec![row, unlabelled, few], ..Neighbours::default() };
        let page = pictures_of_run(&(neighbours, b"png".to_vec()), true).into_string();
        assert_eq!([page.matches("tile same").count(), page.matches("tile other").count()], [1, 1]);
        assert!(page.contains("<span>✓ cat</span>") && page.contains("<span>✗ dog</span>") && page.contains("holiday.jpg"));
        assert!(page.contains("1 of 2"));
        assert!(page.contains("viewBox=\"64 32 32 32\""), "second row, third column");
        assert_eq!(page.matches("<image").count(), 1, "all tiles share one picture");
    }

    #[test]
    fn runs_beside_each_other_keep_their_own_tiles() {
        let found = vec![Neighbour { class: Some("cat".into()), ..Neighbour::default() }];
        let row = NeighbourRow { image: "test 7".into(), class: Some("cat".into()), found };
        let kept = (Neighbours { tile_px: 32, columns: 2, rows: vec![row], ..Neighbours::default() }, b"png".to_vec());
        let page = folds([("a", Some(&kept)), ("none", None), ("b", Some(&kept)), ("c", Some(&kept))].into_iter())
            .unwrap()
            .into_string();
        for number in 1..=3 {
            let id = format!("{TILES}-{number}\"");
            assert_eq!((page.matches(&format!("id=\"{id}")).count(), page.matches(&format!("href=\"#{id}")).count()), (1, 2));
        }
        assert_eq!([page.matches(" open").count(), page.matches("1 of 1 are of the same class").count()], [2, 3]);
        assert!(!page.contains("none") && folds([("none", None)].into_iter()).is_none());
    }
}
