//! What a data set holds: broken images, statistics of its channels, a picture of it, and how fast it is read.

mod channels;
mod contact_sheet;
mod throughput;
mod verify;

pub use self::channels::{ChannelStatistics, channel_statistics};
pub use self::contact_sheet::{ContactSheet, ContactSheetOptions, contact_sheet};
pub use self::throughput::images_per_second;
pub use self::verify::{Broken, VerifyReport, verify};
