//! Which images, how they are prepared, and pictures of them.

pub(crate) mod images;
pub(crate) mod picture;
