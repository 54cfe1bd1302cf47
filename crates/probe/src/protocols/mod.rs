//! The protocols, a row of [`PROTOCOLS`] each.
//!
//! **Adding a protocol.** Write a file or folder beside this one: a struct of its settings that implements
//! [`crate::ProtocolSettings`] (name, title, rank, one line of help; the check of its settings) and [`FeatureProtocol`] (the score).
//! Declare it with `mod` and add its row to [`PROTOCOLS`]. Settings in `[probe.<name>]`, `key=value` arguments, `--protocol` with its
//! help, results, seeds and shares of the labels follow from the row. Start from `knn` (nothing is trained) or `linear` (a layer is). A
//! protocol that trains the backbone implements `TrainingProtocol` instead; start from `finetune.rs`.

pub(crate) mod kmeans;
pub(crate) mod knn;
pub(crate) mod linear;
pub(crate) mod logistic;
pub(crate) mod retrieval;

#[cfg(feature = "images")]
pub(crate) mod finetune;
#[cfg(feature = "images")]
pub(crate) mod supervised;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use relata_artifact::BackboneUse;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::protocol::{FeatureProtocol, ProtocolEntry, ProtocolInfo, RunProtocol, SettingsTables};
use crate::{Error, Result};

/// Every protocol.
static PROTOCOLS: &[ProtocolEntry] = &[
    ProtocolEntry::of_features::<linear::LinearProbe>(),
    ProtocolEntry::of_features::<knn::Knn>(),
    ProtocolEntry::of_features::<logistic::LogisticProbe>(),
    ProtocolEntry::of_features::<kmeans::KMeans>(),
    ProtocolEntry::of_features::<retrieval::Retrieval>(),
    #[cfg(feature = "images")]
    ProtocolEntry::of_training::<finetune::Finetune>(),
    #[cfg(feature = "images")]
    ProtocolEntry::of_training::<supervised::Supervised>(),
];

/// A way to score a backbone: by its frozen features, or by training it. In configuration files it is its name.
#[derive(Clone, Copy)]
pub struct Protocol(&'static ProtocolEntry);

impl Protocol {
    /// Every protocol, in the order of their ranks.
    pub fn all() -> impl Iterator<Item = Self> {
        PROTOCOLS.iter().map(Self)
    }

    /// The protocols that take frozen features; the others train the backbone, and take as long.
    pub fn frozen() -> impl Iterator<Item = Self> {
        Self::all().filter(|protocol| !protocol.trains_backbone())
    }

    /// The protocol of these settings.
    #[must_use]
    pub fn of<P: FeatureProtocol>() -> Self {
        Self(const { &ProtocolEntry::of_features::<P>() })
    }

    /// The protocol of these settings, one that trains the backbone.
    #[cfg(feature = "images")]
    #[must_use]
    pub fn of_training<P: crate::TrainingProtocol>() -> Self {
        Self(const { &ProtocolEntry::of_training::<P>() })
    }

    /// The protocol of a name.
    ///
    /// # Errors
    /// [`Error::UnknownProtocol`], with the known ones.
    pub fn from_name(name: &str) -> Result<Self> {
        let known = || Self::all().map(|protocol| protocol.name().to_owned()).collect();
        let found = Self::all().find(|protocol| protocol.name() == name);
        found.ok_or_else(|| Error::UnknownProtocol { name: name.to_owned(), known: known() })
    }

    /// Name, title, rank and all else that can be said of it.
    #[must_use]
    pub fn info(self) -> &'static ProtocolInfo {
        &self.0.info
    }

    /// The name in configuration files, on the command line and of the result file.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.info.name
    }

    /// Whether it trains the backbone instead of taking features.
    #[must_use]
    pub fn trains_backbone(self) -> bool {
        self.0.info.backbone != BackboneUse::Frozen
    }

    /// Whether it trains a backbone from random weights, so that its score is an upper bound for the others'.
    #[must_use]
    pub fn is_upper_bound(self) -> bool {
        self.0.info.backbone == BackboneUse::FromScratch
    }

    /// Whether training images have a say in the score: not where test images are searched for among themselves.
    pub(crate) fn uses_training_rows(self, settings: &SettingsTables) -> bool {
        (self.0.uses_training_rows)(settings)
    }

    /// Refuses settings of this protocol that cannot work; an error's key has its table, as in `probe.logistic.l2`.
    pub(crate) fn validate(self, settings: &SettingsTables) -> Result<()> {
        let own = format!("probe.{}", self.name());
        let table = if self.0.info.settings_in_probe { "probe" } else { &own };
        (self.0.validate)(settings).map_err(|error| error.within(table))
    }

    pub(crate) fn run(self) -> &'static RunProtocol {
        &self.0.run
    }

    /// Its settings out of those that a file gives, every key written out; or a message of what is wrong with them.
    pub(crate) fn read_settings(self, given: toml::Table) -> Result<toml::Table, String> {
        (self.0.read)(given)
    }

    pub(crate) fn default_settings(self) -> toml::Table {
        (self.0.defaults)()
    }
}

impl PartialEq for Protocol {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Protocol {}

impl Hash for Protocol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protocol({})", self.name())
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::from_name(name)
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{PROTOCOLS, Protocol};
    use crate::Error;

    #[test]
    fn a_name_written_is_the_name_read() {
        for protocol in Protocol::all() {
            assert_eq!(Protocol::from_name(protocol.name()).unwrap(), protocol);
            assert_eq!(serde_json::to_value(protocol).unwrap(), protocol.name());
        }
        let error = "Linear".parse::<Protocol>().unwrap_err();
        assert!(matches!(error, Error::UnknownProtocol { name, known } if name == "Linear" && known[..2] == ["linear", "knn"]));
    }

    #[test]
    fn the_table_is_sorted_by_rank_and_names_nothing_twice() {
        assert!(PROTOCOLS.windows(2).all(|pair| pair[0].info.rank < pair[1].info.rank));
        for (at, entry) in PROTOCOLS.iter().enumerate() {
            let info = entry.info;
            let others = || PROTOCOLS[..at].iter().map(|entry| entry.info);
            assert!(others().all(|other| other.name != info.name && other.title != info.title), "{}", info.name);
            assert!(info.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{}", info.name);
        }
    }
}
