//! Which images: splits, subsets, and shares of every class.

mod split;
mod stratified_split;
mod subset;

pub use self::split::{Split, UnknownSplit};
pub use self::stratified_split::stratified_share;
pub use self::subset::Subset;
