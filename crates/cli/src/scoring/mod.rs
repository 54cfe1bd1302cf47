//! How good features are: scores of a run's backbone or of feature files, nearest neighbours, and kNN while a run trains.

pub(crate) mod evaluation;
pub(crate) mod feature_files;
pub(crate) mod neighbour_picture;
pub(crate) mod neighbours;
pub(crate) mod online;
pub(crate) mod request;
