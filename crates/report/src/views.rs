//! What the training sees: images beside their augmented views.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use relata_artifact::ViewGrid;

use crate::headline::Facts;
use crate::numbers::counted;

/// More column captions than these would not fit above the picture.
const MAX_CAPTIONED_COLUMNS: usize = 10;
/// Width of a column on the page at most: a picture of one view beside its image is no poster.
const MAX_COLUMN_REM: usize = 9;

pub(crate) fn section(views: Option<&(ViewGrid, Vec<u8>)>, facts: &Facts) -> Markup {
    html! {
        section #views {
            h2 { "What the training sees" }
            @match views {
                None => p.missing { "No picture of views was saved with this run." },
                Some((grid, png)) => (picture(grid, png, facts)),
            }
            @if facts.dataset.as_deref() == Some("shapes") && facts.is_relational() { (shapes_story()) }
        }
    }
}

fn picture(grid: &ViewGrid, png: &[u8], facts: &Facts) -> Markup {
    let columns = grid.columns;
    let captioned = !grid.captions.is_empty() && grid.captions.len() == columns && columns <= MAX_CAPTIONED_COLUMNS;
    html! {
        p {
            "Each row is one image: the original, then views of it as the training gets them."
            @if facts.is_relational() {
                " Two views of one row are a positive pair, views of two rows a negative one; the relation head learns "
                "to tell which is which."
            }
        }
        figure.views style=(format!("max-width:min(44rem,{}rem)", columns.max(1) * MAX_COLUMN_REM)) {
            @if captioned {
                div.columns style=(format!("grid-template-columns:repeat({columns},1fr)")) aria-hidden="true" {
                    @for caption in &grid.captions { span { (caption) } }
                }
            }
            img src=(format!("data:image/png;base64,{}", STANDARD.encode(png))) alt=(alt(grid));
            figcaption {
                @if !grid.augmentation.is_empty() { "Augmentation: " (grid.augmentation) "." }
                @if !captioned && !grid.captions.is_empty() { " " (grid.captions.join(" · ")) }
            }
        }
    }
}

fn alt(grid: &ViewGrid) -> String {
    match (grid.rows, grid.columns) {
        (0, _) | (_, 0) => "images and their augmented views".to_owned(),
        (rows, columns) => {
            let words = |n: usize, noun| counted(n as u64, noun);
            format!("{}, one a row, each with {}", words(rows, "image"), words(columns - 1, "augmented view"))
        }
    }
}

fn shapes_story() -> Markup {
    html! {
        aside {
            h3 { "The lesson of this data set" }
            p {
                "In " em { "shapes" } " only the outline tells the class; colour and background are drawn at random. An "
                "augmentation that leaves colours recognisable lets the relation head tell pairs by colour alone: it gets "
                "them right, the loss falls, and the features still know nothing of shape. Only where colour is made "
                "useless is the outline worth learning. So a high pair accuracy is no sign of good features; the probe, "
                "read against random weights, is."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_view_is_no_poster_and_one_in_words() {
        let page = |columns| {
            let grid = ViewGrid { rows: 6, columns, ..ViewGrid::default() };
            section(Some(&(grid, b"png".to_vec())), &Facts::default()).into_string()
        };
        assert!(page(2).contains("max-width:min(44rem,18rem)") && page(2).contains("each with 1\u{a0}augmented view\""));
        assert!(page(9).contains("max-width:min(44rem,81rem)") && page(9).contains("8\u{a0}augmented views\""));
    }
}
