use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

use super::info::ProtocolInfo;
use crate::{Error, Result};

/// A protocol: its settings, a plain struct with the defaults of its literature, and what it is.
///
/// `#[derive(Serialize, Deserialize)]` with `#[serde(default, deny_unknown_fields)]` makes the fields the keys of its table in a
/// configuration file.
pub trait ProtocolSettings: Clone + fmt::Debug + Default + PartialEq + Serialize + DeserializeOwned + 'static {
    /// What it is.
    const INFO: ProtocolInfo;

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`Error::Setting`] with the field's name as its key.
    fn validate(&self) -> Result<()> {
        Ok(())
    }
}

/// The settings of all protocols, each as the TOML table that its type reads and writes. What is not there has its defaults.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SettingsTables(BTreeMap<&'static str, Table>);

impl SettingsTables {
    /// The settings of a protocol.
    ///
    /// # Panics
    /// Never: a table that is here was written by the same type.
    #[must_use]
    pub fn get<P: ProtocolSettings>(&self) -> P {
        let table = self.0.get(P::INFO.name).cloned();
        table.map_or_else(P::default, |table| table.try_into().expect("written by the same type"))
    }

    /// Takes the place of what was there.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number that TOML cannot hold.
    pub fn set<P: ProtocolSettings>(&mut self, settings: &P) -> Result<()> {
        self.0.insert(P::INFO.name, table_of(settings)?);
        Ok(())
    }

    pub(crate) fn set_table(&mut self, name: &'static str, table: Table) {
        self.0.insert(name, table);
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.0.get(name)
    }
}

/// The settings with every key written out.
pub(super) fn table_of<P: ProtocolSettings>(settings: &P) -> Result<Table> {
    Table::try_from(settings).map_err(|error| Error::Setting {
        key: format!("probe.{}", P::INFO.name),
        value: error.to_string(),
        allowed: "numbers up to 9223372036854775807",
    })
}
