//! Pictures as SVG: curves, confusion matrices, features in the plane.

pub(crate) mod curves;
mod embedding;
pub(crate) mod feature_map;
pub(crate) mod heat_map;
pub(crate) mod line_chart;
