//! What the training sees: images beside their augmented views.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use relata_artifact::ViewGrid;

use crate::numbers::counted;
use crate::run::Run;
use crate::section::Section;

/// More column captions than these would not fit above the picture.
const MAX_CAPTIONED_COLUMNS: usize = 10;
/// Width of a column on the page at most: a picture of one view beside its image is no poster.
const MAX_COLUMN_REM: usize = 9;

pub(super) const SECTION: Section = Section {
    anchor: "views",
    title: "What the training sees",
    of_run: |run| Ok(Some(body(run))),
    of_comparison: Section::on_no_comparison,
};

fn body(run: &Run) -> Markup {
    let facts = &run.summary.facts;
    let views_note = facts.method.as_ref().map_or("", |method| method.views_note.as_str());
    let dataset_note = facts.dataset.as_ref().map(|dataset| dataset.note.as_str()).filter(|note| !note.is_empty());
    html! {
        @match &run.views {
            None => p.missing { "No picture of views was saved with this run." },
            Some((grid, png)) => (picture(grid, png, views_note)),
        }
        @if let Some(note) = dataset_note.filter(|_| run.summary.saw_no_labels()) {
            aside {
                h3 { "What this data set shows" }
                p { (note) }
            }
        }
    }
}

fn picture(grid: &ViewGrid, png: &[u8], note: &str) -> Markup {
    let columns = grid.columns;
    let captioned = !grid.captions.is_empty() && grid.captions.len() == columns && columns <= MAX_CAPTIONED_COLUMNS;
    html! {
        p {
            "Each row is one image: the original, then views of it as the training gets them."
            @if !note.is_empty() { " " (note) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_view_is_no_poster_and_one_in_words() {
        let page = |columns| {
            let grid = ViewGrid { rows: 6, columns, ..ViewGrid::default() };
            picture(&grid, b"png", "").into_string()
        };
        assert!(page(2).contains("max-width:min(44rem,18rem)") && page(2).contains("each with 1\u{a0}augmented view\""));
        assert!(page(9).contains("max-width:min(44rem,81rem)") && page(9).contains("8\u{a0}augmented views\""));
    }
}
