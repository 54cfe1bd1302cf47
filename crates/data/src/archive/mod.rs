//! Data sets straight from their publishers' archives.

#[cfg(feature = "archives")]
mod check;
mod checksum;
mod description;
#[cfg(feature = "fetch")]
mod fetch;
mod folder;
mod progress;
#[cfg(feature = "archives")]
mod unpack;

#[cfg(feature = "hub")]
pub(crate) use self::check::{check, hexadecimal};
pub use self::checksum::Checksum;
pub use self::description::Archive;
#[cfg(feature = "hub")]
pub(crate) use self::fetch::{Download, agent_builder, answered_with, header, is_final};
#[cfg(feature = "fetch")]
pub use self::fetch::{FetchOptions, fetch};
pub(crate) use self::folder::is_there;
#[cfg(feature = "hub")]
pub(crate) use self::folder::{is_there_whole, put_in_place, remove_leftovers};
pub use self::progress::{Progress, Work};
#[cfg(feature = "archives")]
pub use self::unpack::{UnpackLimits, unpack};
