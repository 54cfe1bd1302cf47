//! What a protocol is: its settings ([`ProtocolSettings`]), what others know of it ([`ProtocolInfo`]), and how it runs
//! ([`FeatureProtocol`], or [`TrainingProtocol`] where it trains the backbone). The protocols themselves are in `protocols/`.

mod entry;
mod features;
pub(crate) mod info;
mod settings;
#[cfg(feature = "images")]
mod training;

pub(crate) use entry::{ProtocolEntry, RunProtocol};
pub use features::FeatureProtocol;
pub use info::ProtocolInfo;
pub use settings::{ProtocolSettings, SettingsTables};
#[cfg(feature = "images")]
pub(crate) use training::check_training;
#[cfg(feature = "images")]
pub use training::{TrainingProtocol, TrainingRecipe};
