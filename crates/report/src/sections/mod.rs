//! The sections of both pages, a file each.

use crate::section::Section;

mod classes;
mod confusions;
mod features;
mod health;
mod neighbours;
mod provenance;
mod published;
mod runs;
pub(crate) mod scores;
mod training;
mod views;

/// All sections in the order of the pages; most are on one of the two.
pub(crate) const SECTIONS: &[Section] = &[
    runs::SECTION,
    scores::SECTION,
    published::SECTION,
    training::SECTION,
    confusions::SECTION,
    views::SECTION,
    health::SECTION,
    features::SECTION,
    neighbours::SECTION,
    classes::SECTION,
    provenance::SECTION,
];
