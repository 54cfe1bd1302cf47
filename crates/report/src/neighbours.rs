//! A few images beside those that their features are nearest to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use relata_artifact::{NeighbourRow, Neighbours};

use crate::headline::Facts;
use crate::numbers::short;

/// The one picture that holds all tiles; each place shows a square of it.
const TILES: &str = "neighbour-tiles";

/// The section; nothing where a run has no such pictures.
pub(crate) fn section(neighbours: Option<&(Neighbours, Vec<u8>)>, facts: &Facts) -> Markup {
    html! {
        @if let Some((neighbours, png)) = neighbours {
            section #neighbours {
                h2 { "Nearest neighbours" }
                p { (introduction(neighbours, facts)) }
                (tiles(neighbours, png))
                div.scroll tabindex="0" role="region" aria-label="Images and their nearest neighbours" {
                    div.neighbours style=(format!("grid-template-columns:repeat({},minmax(5.9rem,1fr))", neighbours.columns.max(1))) {
                        @for (index, row) in neighbours.rows.iter().enumerate() { (pictures(neighbours, index, row)) }
                    }
                }
            }
        }
    }
}

fn introduction(neighbours: &Neighbours, facts: &Facts) -> Markup {
    let judged = neighbours.rows.iter().flat_map(|row| row.found.iter().filter_map(|found| row.is_same_class(found)));
    let (mut same, mut all) = (0, 0);
    judged.for_each(|is_same| {
        same += usize::from(is_same);
        all += 1;
    });
    html! {
        "At the left of each row an image (" (neighbours.asked) "), beside it those whose features are most alike by cosine ("
        (neighbours.searched) "), the nearest first."
        @if all > 0 {
            " A whole frame and ✓ mark the image's own class, a broken frame and ✗ another: " strong { (same) " of " (all) }
            " are of the own class."
            @if !facts.is_supervised() { " The training never saw a class." }
        }
    }
}

/// The tiles, drawn nowhere themselves.
fn tiles(neighbours: &Neighbours, png: &[u8]) -> Markup {
    let (width, height) = (neighbours.columns * neighbours.tile_px, neighbours.rows.len() * neighbours.tile_px);
    html! {
        svg.store width="0" height="0" aria-hidden="true" {
            defs {
                image id=(TILES) width=(width) height=(height) href=(format!("data:image/png;base64,{}", STANDARD.encode(png))) {}
            }
        }
    }
}

fn pictures(neighbours: &Neighbours, index: usize, row: &NeighbourRow) -> Markup {
    let name = |image: &str, class: Option<&String>| class.cloned().unwrap_or_else(|| image.to_owned());
    html! {
        div.tile.asked title=(row.image) {
            (picture(neighbours, index, 0, &name(&row.image, row.class.as_ref())))
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
                        (picture(neighbours, index, place, &name))
                        span { (mark) (name) }
                    }
                }
            }
        }
    }
}

fn picture(neighbours: &Neighbours, row: usize, column: usize, alt: &str) -> Markup {
    let side = neighbours.tile_px;
    let square = format!("{} {} {side} {side}", column * side, row * side);
    html! {
        svg viewBox=(square) role="img" aria-label=(alt) { use href=(format!("#{TILES}")) {} }
    }
}

#[cfg(test)]
mod tests {
    use relata_artifact::Neighbour;

    use super::*;

    #[test]
    fn own_and_other_classes_differ_in_more_than_colour() {
        let found = ["cat", "dog"].map(|class| Neighbour { class: Some(class.into()), ..Neighbour::default() }).to_vec();
        let row = NeighbourRow { image: "test 7".into(), class: Some("cat".into()), found };
        let unlabelled = NeighbourRow { image: "holiday.jpg".into(), found: row.found.clone(), class: None };
        let few = NeighbourRow { found: Vec::new(), ..row.clone() };
        let neighbours = Neighbours { tile_px: 32, columns: 3, rows: vec![row, unlabelled, few], ..Neighbours::default() };
        let page = section(Some(&(neighbours, b"png".to_vec())), &Facts::default()).into_string();
        assert_eq!([page.matches("tile same").count(), page.matches("tile other").count()], [1, 1]);
        assert!(page.contains("<span>✓ cat</span>") && page.contains("<span>✗ dog</span>") && page.contains("holiday.jpg"));
        assert!(page.contains("1 of 2"));
        assert!(page.contains("viewBox=\"64 32 32 32\""), "second row, third column");
        assert_eq!(page.matches("<image").count(), 1, "all tiles share one picture");
        assert_eq!(section(None, &Facts::default()).into_string(), "");
    }
}
