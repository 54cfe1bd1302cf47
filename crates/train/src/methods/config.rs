//! `[method]` of a configuration.

use super::METHODS;
use crate::method::{IntoMethod, MethodEntry, StoredSpec};
use crate::{Error, HeadShape, Method, MethodSettings, MethodSpec, Result, TrainConfig};
use relata_artifact::MethodFacts;
use relata_model::{Buffers, Compute};
use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::{Table, Value};

/// `[method]` of a configuration: `kind`, the name of one of [`METHODS`], and a table of settings for each of them.
///
/// Settings of one method become a configuration by [`MethodConfig::from`].
#[derive(Debug, Clone)]
pub struct MethodConfig {
    entry: &'static MethodEntry,
    spec: Arc<dyn StoredSpec>,
    /// Of the other methods, by name; those that are not here are the defaults.
    others: BTreeMap<&'static str, Arc<dyn StoredSpec>>,
}

impl MethodConfig {
    /// The method of that name with its defaults.
    ///
    /// # Errors
    /// [`Error::UnknownName`] where there is none.
    pub fn named(name: &str) -> Result<Self> {
        let entry = entry(name)?;
        Ok(Self { entry, spec: (entry.defaults)(), others: BTreeMap::new() })
    }

    /// The chosen method's place in the table: name and title.
    #[must_use]
    pub fn entry(&self) -> &'static MethodEntry {
        self.entry
    }

    /// The chosen method's settings, which say what it needs.
    #[must_use]
    pub fn spec(&self) -> &dyn MethodSpec {
        &*self.spec
    }

    /// What the page of a run says of its method, for `views` views an image.
    #[must_use]
    pub fn facts(&self, views: usize) -> MethodFacts {
        let needs = self.spec.needs();
        MethodFacts {
            name: self.entry.name.to_owned(),
            title: self.entry.title.to_owned(),
            trains: needs.steps,
            labels: needs.labels,
            views: Some(views as u64),
            views_note: self.entry.views_note.to_owned(),
            figures: self.spec.figures(),
        }
    }

    fn of_entry(&self, entry: &'static MethodEntry) -> Arc<dyn StoredSpec> {
        let chosen = (entry.name == self.entry.name).then_some(&self.spec);
        chosen.or_else(|| self.others.get(entry.name)).cloned().unwrap_or_else(entry.defaults)
    }

    /// Checks `train.weight_decay` against the learning rate that the method steps at.
    ///
    /// # Errors
    /// [`Error::WeightDecay`] where a step would turn the weights' signs.
    pub fn check_decay(&self, train: &TrainConfig) -> Result<()> {
        train.check_decay(self.spec.base_lr(train), self.spec.needs().lr_key)
    }
}

impl Default for MethodConfig {
    fn default() -> Self {
        Self::named(METHODS[0].name).expect("the first method is one of them")
    }
}

impl<S: MethodSettings> From<S> for MethodConfig {
    fn from(settings: S) -> Self {
        Self { spec: Arc::new(settings), ..Self::named(S::NAME).expect("its file is in the table") }
    }
}

impl PartialEq for MethodConfig {
    fn eq(&self, other: &Self) -> bool {
        let tables = |config: &Self| METHODS.iter().map(|entry| config.of_entry(entry).to_table().ok()).collect::<Vec<_>>();
        self.entry.name == other.entry.name && tables(self) == tables(other)
    }
}

impl Serialize for MethodConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.entry.name)?;
        for entry in METHODS {
            let table = self.of_entry(entry).to_table().map_err(S::Error::custom)?;
            if !table.is_empty() {
                map.serialize_entry(entry.name, &table)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for MethodConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Table::deserialize(deserializer)?;
        let mut config = match table.remove("kind") {
            None => Self::default(),
            Some(Value::String(kind)) => Self::named(&kind).map_err(D::Error::custom)?,
            Some(other) => return Err(D::Error::custom(format!("kind = {other}: expected the name of a method"))),
        };
        for (name, settings) in table {
            let entry = entry(&name).map_err(D::Error::custom)?;
            let Value::Table(settings) = settings else {
                return Err(D::Error::custom(format!("{name} = {settings}: expected a table of settings")));
            };
            let spec = (entry.read)(settings).map_err(|error| D::Error::custom(error.message()))?;
            if entry.name == config.entry.name {
                config.spec = spec;
            } else {
                config.others.insert(entry.name, spec);
            }
        }
        Ok(config)
    }
}

impl IntoMethod for MethodConfig {
    fn into_method(self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        self.spec.validate(shape.views)?;
        self.spec.build(shape, seed, compute, buffers)
    }
}

fn entry(name: &str) -> Result<&'static MethodEntry> {
    let known = || METHODS.iter().map(|entry| entry.name);
    METHODS.iter().find(|entry| entry.name == name).ok_or_else(|| Error::UnknownName {
        key: "method.kind",
        name: name.to_owned(),
        known: known().collect(),
    })
}
