//! `figures/views.json`: what the picture `figures/views.png` shows.

use serde::{Deserialize, Serialize};

/// Captions of a picture whose rows are images and whose columns are the original and its views.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewGrid {
    /// Images, one a row.
    pub rows: usize,
    /// Tiles a row: the original, then its views.
    pub columns: usize,
    /// A caption for each column (`original`, `view 1` ...), or for each row, or none.
    pub captions: Vec<String>,
    /// The augmentation in words: `crop 0.08-1, jitter 0.8 (p 0.8), grayscale p 0.2`.
    pub augmentation: String,
}
