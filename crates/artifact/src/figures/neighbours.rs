//! `figures/neighbours.json`: what the picture `figures/neighbours.png` shows.

use serde::{Deserialize, Serialize};

/// Images, each with those that its features are nearest to. Their pictures are square tiles of one PNG, a row for each image:
/// first the image itself, then its neighbours, the nearest first, without gaps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Neighbours {
    /// Side of a tile.
    pub tile_px: usize,
    /// Tiles a row: the image and its neighbours.
    pub columns: usize,
    /// The images whose neighbours are shown, in words: `cifar10, test split`.
    #[serde(rename = "asked")]
    pub queries: String,
    /// The images that were searched: `cifar10, train split`.
    pub searched: String,
    /// One for each image.
    pub rows: Vec<NeighbourRow>,
}

/// One image and its neighbours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NeighbourRow {
    /// Where the image comes from.
    pub image: String,
    /// Its class, where it has a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The nearest first.
    pub found: Vec<Neighbour>,
}

/// One neighbour.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Neighbour {
    /// Where it comes from.
    pub image: String,
    /// Its class, where it has a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Cosine of the two images' features, -1 to 1.
    pub similarity: f64,
}

impl NeighbourRow {
    /// Whether a neighbour is of the image's class; `None` where one of them has no label.
    #[must_use]
    pub fn is_same_class(&self, found: &Neighbour) -> Option<bool> {
        Some(self.class.as_ref()? == found.class.as_ref()?)
    }
}
