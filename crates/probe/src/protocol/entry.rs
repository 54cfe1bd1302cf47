#[cfg(feature = "images")]
use relata_augment::PipelineConfig;
use relata_ops::Compute;
use toml::Table;

use super::features::FeatureProtocol;
use super::info::ProtocolInfo;
use super::settings::{ProtocolSettings, SettingsTables, table_of};
#[cfg(feature = "images")]
use super::training::{TrainingProtocol, TrainingRecipe};
use crate::{Features, Result, Score};

/// A row of the table of protocols: what it is, and how its settings are read, checked and run.
pub(crate) struct ProtocolEntry {
    pub(crate) info: ProtocolInfo,
    /// Its settings from those that a file gives, every key written out.
    pub(crate) read: fn(Table) -> Result<Table, String>,
    pub(crate) defaults: fn() -> Table,
    pub(crate) validate: fn(&SettingsTables) -> Result<()>,
    pub(crate) uses_training_rows: fn(&SettingsTables) -> bool,
    pub(crate) run: RunProtocol,
}

pub(crate) enum RunProtocol {
    Features(fn(&SettingsTables, &Features, &Features, u64, &Compute) -> Result<Score>),
    #[cfg(feature = "images")]
    Training {
        augmentation: fn(&SettingsTables, usize) -> PipelineConfig,
        recipe: fn(&SettingsTables) -> TrainingRecipe,
    },
}

impl ProtocolEntry {
    /// The row of a protocol that scores features.
    pub(crate) const fn of_features<P: FeatureProtocol>() -> Self {
        let run =
            RunProtocol::Features(|settings, train, test, seed, compute| settings.get::<P>().run(train, test, seed, compute));
        Self::of::<P>(run, |settings| settings.get::<P>().uses_training_rows())
    }

    /// The row of a protocol that trains the backbone.
    #[cfg(feature = "images")]
    pub(crate) const fn of_training<P: TrainingProtocol>() -> Self {
        let run = RunProtocol::Training {
            augmentation: |settings, side_px| settings.get::<P>().augmentation(side_px),
            recipe: |settings| settings.get::<P>().recipe(),
        };
        Self::of::<P>(run, |_| true)
    }

    const fn of<P: ProtocolSettings>(run: RunProtocol, uses_training_rows: fn(&SettingsTables) -> bool) -> Self {
        Self {
            info: P::INFO,
            read: |table| {
                table_of(&table.try_into::<P>().map_err(|error| error.message().to_owned())?).map_err(|error| error.to_string())
            },
            defaults: || table_of(&P::default()).unwrap_or_default(),
            validate: |settings| settings.get::<P>().validate(),
            uses_training_rows,
            run,
        }
    }
}
