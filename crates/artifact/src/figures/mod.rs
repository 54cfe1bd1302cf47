//! `figures/`: what the pictures of a run show.

mod neighbours;
mod view_grid;

pub use neighbours::{Neighbour, NeighbourRow, Neighbours};
pub use view_grid::ViewGrid;
