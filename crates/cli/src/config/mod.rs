//! All settings of a run: a recipe (TOML) laid over the defaults, `key=value` arguments laid over both.

mod aliases;
mod error;
mod layers;
mod online;
mod recipe;
mod resume;
#[cfg(test)]
mod tests;

pub use error::ConfigError;
use error::Result;

use relata_augment::PipelineConfig;
use relata_data::DataConfig;
use relata_model::ModelConfig;
use relata_probe::ProbeConfig;
use relata_train::{MethodConfig, TrainConfig};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub(crate) use layers::{COMMAND_LINE, SettingsLayer};
use layers::{insert, merge, value_at};
pub(crate) use online::OnlineConfig;
pub(crate) use recipe::Recipe;
use resume::changeable;

/// A run's whole configuration, as `config.toml` in its folder holds it. The defaults are the paper's relational method with
/// the small settings of the reference's notebook; each section's own documentation names its sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The one seed of the run: weights, order of images, views. Default 1, the paper's first.
    pub seed: u64,
    /// `auto` or `cpu`. Default auto.
    pub device: String,
    /// Compute threads; 0 (the default): as many as the machine has. Changes no result.
    pub threads: usize,
    /// Which images.
    pub data: DataConfig,
    /// What views of them.
    pub augment: PipelineConfig,
    /// What net.
    pub model: ModelConfig,
    /// Trained how.
    pub method: MethodConfig,
    /// For how long.
    pub train: TrainConfig,
    /// Watched how, while it trains.
    pub online: OnlineConfig,
    /// And evaluated how.
    pub probe: ProbeConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            device: "auto".to_owned(),
            threads: 0,
            data: DataConfig::default(),
            augment: PipelineConfig::default(),
            model: ModelConfig::default(),
            method: MethodConfig::default(),
            train: TrainConfig::default(),
            online: OnlineConfig::default(),
            probe: ProbeConfig::default(),
        }
    }
}

impl Config {
    /// Joins layers, the later over the earlier, all over the defaults. Ranges are not checked yet: see [`Config::validate`].
    pub(crate) fn from_layers(layers: &[SettingsLayer]) -> Result<Self> {
        let defaults = Self::default().to_table();
        let mut table = defaults.clone();
        for layer in layers {
            layer.check(&defaults)?;
            merge(&mut table, &layer.table);
        }
        Value::Table(table).try_into().map_err(|error| culprit(layers, &defaults, &error))
    }

    /// The configuration of a recipe, or of an existing run's `config.toml`, from its text; `origin` is its name for messages.
    /// Ranges are not checked yet: see [`Config::validate`].
    ///
    /// # Errors
    /// Text that is no TOML, and the first key that is unknown, of another type, or of a value that its setting does not know.
    pub fn from_toml(origin: &str, text: &str) -> Result<Self> {
        Self::from_layers(&[SettingsLayer::parse(origin, text)?])
    }

    /// The same with `settings` (`key=value`) laid over it.
    pub(crate) fn changed_by(&self, settings: &[String]) -> Result<Self> {
        Self::from_layers(&[self.as_layer(), SettingsLayer::from_settings(settings)?])
    }

    /// The same with `settings` changed; for a resumed run, which may change little.
    ///
    /// # Errors
    /// [`ConfigError::Resume`] for a setting that would make it another run; the same value as before is no change.
    /// [`ConfigError::ResumeSchedule`] for another number of epochs where learning rate or momentum was planned for so many.
    pub(crate) fn resumed_with(&self, settings: &[String]) -> Result<Self> {
        let changed = self.changed_by(settings)?;
        let epochs = (self.train.epochs, changed.train.epochs);
        let planned = self.train.planned_by_epochs().or_else(|| self.method.spec().needs().planned_by_epochs);
        if let Some(planned) = planned.filter(|_| epochs.0 != epochs.1) {
            return Err(ConfigError::ResumeSchedule { given: epochs.1, stored: epochs.0, planned });
        }
        let (stored, new) = (self.to_table(), changed.to_table());
        for (key, value) in SettingsLayer::from_settings(settings)?.settings() {
            let (before, after) = (value_at(&stored, &key), value_at(&new, &key));
            if before != after && !changeable(&key) {
                let stored = before.map_or_else(|| "absence".to_owned(), Value::to_string);
                return Err(ConfigError::Resume { key, given: value.to_string(), stored });
            }
        }
        Ok(changed)
    }

    /// As a table of TOML, every default written out.
    pub(crate) fn to_table(&self) -> Table {
        Table::try_from(self).expect("a configuration holds nothing but what TOML knows")
    }

    /// Its settings as (dotted key, value), in a fixed order.
    pub(crate) fn as_settings(&self) -> Vec<(String, Value)> {
        self.as_layer().settings()
    }

    fn as_layer(&self) -> SettingsLayer {
        SettingsLayer { origin: "the run's configuration".to_owned(), table: self.to_table() }
    }

    /// As the text of a `config.toml`.
    ///
    /// # Panics
    /// For numbers that [`Config::validate`] refuses as too large for TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration holds nothing but what TOML knows")
    }

    /// Checks every setting against its range, before any work.
    ///
    /// # Errors
    /// The first setting that lies outside, with key, value and what would be allowed.
    pub fn validate(&self) -> crate::Result<()> {
        self.check_numbers()?;
        self.check_device()?;
        if self.threads > 1024 {
            let (key, value) = ("threads".to_owned(), self.threads.to_string());
            return Err(ConfigError::Range { key, value, allowed: "0 (all) to 1024" }.into());
        }
        relata_data::entry(&self.data.dataset)?;
        self.augment.validate()?;
        self.method.spec().validate(self.augment.views)?;
        self.train.validate()?;
        self.method.check_decay(&self.train)?;
        self.online.validate()?;
        self.probe.validate()?;
        Ok(())
    }

    /// `dataset-backbone-method-seedN`: a run's default name.
    ///
    /// # Panics
    /// As [`Config::to_toml`].
    #[must_use]
    pub fn run_name(&self) -> String {
        let table = self.to_table();
        let word = |key| value_at(&table, key).and_then(Value::as_str).unwrap_or("run").to_owned();
        format!("{}-{}-{}-seed{}", word("data.dataset"), word("model.backbone"), word("method.kind"), self.seed)
    }

    fn check_device(&self) -> Result<()> {
        if ["auto", "cpu"].contains(&self.device.as_str()) {
            return Ok(());
        }
        let (key, value) = ("device".to_owned(), format!("{:?}", self.device));
        Err(ConfigError::Range { key, value, allowed: "auto or cpu: this build has no CUDA" })
    }

    /// TOML's whole numbers go to 2^63 - 1: what is above could not be written into a run's folder.
    fn check_numbers(&self) -> Result<()> {
        let settings = serde_json::to_value(self).unwrap_or_default();
        let Some((key, value)) = too_large("", &settings) else { return Ok(()) };
        Err(ConfigError::Range { key, value: value.to_string(), allowed: "no more than 9223372036854775807" })
    }
}

/// The first whole number beyond TOML's, with its dotted key.
fn too_large(key: &str, value: &serde_json::Value) -> Option<(String, u64)> {
    match value {
        serde_json::Value::Number(number) => number.as_u64().filter(|n| i64::try_from(*n).is_err()).map(|n| (key.to_owned(), n)),
        serde_json::Value::Object(section) => section.iter().find_map(|(name, value)| too_large(&layers::join(key, name), value)),
        _ => None,
    }
}

/// Which setting of which layer the types refused: the one that they refuse alone, over the defaults.
fn culprit(layers: &[SettingsLayer], defaults: &Table, whole: &toml::de::Error) -> ConfigError {
    for layer in layers {
        for (key, value) in layer.settings() {
            let mut table = defaults.clone();
            let path: Vec<&str> = key.split('.').collect();
            let _ = insert(&mut table, &path, value.clone());
            if let Err(error) = Value::Table(table).try_into::<Config>() {
                let reason = error.message().to_owned();
                return ConfigError::Value { key, value: value.to_string(), origin: layer.origin.clone(), reason };
            }
        }
    }
    let (key, value) = ("the configuration".to_owned(), String::new());
    ConfigError::Value { key, value, origin: COMMAND_LINE.to_owned(), reason: whole.message().to_owned() }
}
