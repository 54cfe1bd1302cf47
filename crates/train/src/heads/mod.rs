//! What methods have between the features and their loss.

pub(crate) mod classifier;
pub(crate) mod prior;
pub(crate) mod projection;
pub(crate) mod split;
