use std::fmt;
use std::path::PathBuf;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, OwnSetting, OwnSettings, Result, SettingKind, SettingValue, Split, catalogue, entry, own_settings};

/// Which data set, as a configuration file's `[data]` says it. [`open`](crate::open) makes a data set of it.
///
/// ```toml
/// dataset = "cifar10"
/// root = "datasets"
/// limit = 5000
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataConfig {
    /// A name out of [`catalogue`](crate::catalogue). Default `shapes`: it needs no download.
    pub dataset: String,
    /// The folder that holds the publishers' folders, such as `cifar-10-batches-bin`. Default `datasets`.
    pub root: PathBuf,
    /// The folder of images, for `dataset = "folder"`; the file, for `dataset = "pack"`.
    pub path: PathBuf,
    /// The part to train on. Default `train`.
    pub split: Split,
    /// Takes only the first `limit` images of that split, not of the others: scores still come from the whole test split.
    /// Default 0: all.
    pub limit: usize,
    /// Takes that many images out of the training split, each class its share, to choose settings by: training goes without
    /// them, and scores come from them instead of the test split, which stays unseen. Default 0: none.
    pub validation: usize,
    /// Which images those are. Default 1. Not the run's seed, so that runs of several seeds are scored on the same ones.
    pub validation_seed: u64,
    /// What to do with image files that cannot be read. Default `error`.
    pub on_bad_image: OnBadImage,
    /// What only some data sets read, keys of this same table: [`own_settings`] lists them, [`DataConfig::with`] sets them.
    #[serde(flatten)]
    pub own: OwnSettings,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            dataset: catalogue()[0].name.to_owned(),
            root: PathBuf::from("datasets"),
            path: PathBuf::new(),
            split: Split::Train,
            limit: 0,
            validation: 0,
            validation_seed: 1,
            on_bad_image: OnBadImage::default(),
            own: OwnSettings::default(),
        }
    }
}

impl DataConfig {
    /// The same with the setting `key`, one of [`own_settings`], at `value`.
    ///
    /// # Errors
    /// [`Error::UnknownSetting`], or [`Error::Setting`] for a value that it may not have.
    ///
    /// ```
    /// use relata_data::{DataConfig, Split, open};
    ///
    /// let hard = DataConfig::default().with("difficulty", "hard")?;
    /// let (plain, hard) = (open(&DataConfig::default(), Split::Train)?, open(&hard, Split::Train)?);
    /// assert_ne!(plain.image(0)?, hard.image(0)?);
    /// # Ok::<(), relata_data::Error>(())
    /// ```
    pub fn with(mut self, key: &str, value: impl Into<SettingValue>) -> Result<Self> {
        let Some(setting) = own_settings().find(|setting| setting.key == key) else {
            return Err(Error::UnknownSetting { key: key.to_owned(), known: keys() });
        };
        let refused =
            |value: SettingValue| Error::Setting { key: setting.key, value: value.to_string(), allowed: setting.allowed };
        self.own.set(setting, value.into()).map_err(refused)?;
        Ok(self)
    }

    /// The same without what picks some of the images: every image of every split.
    #[must_use]
    pub fn whole(mut self) -> Self {
        (self.limit, self.validation) = (0, 0);
        for setting in own_settings().filter(|setting| setting.picks_images) {
            self.own.reset(setting);
        }
        self
    }

    /// Whether both pick the same images of a data set's training split, before `limit`.
    #[must_use]
    pub fn picks_as(&self, other: &Self) -> bool {
        let own = |setting: &OwnSetting| self.own.value(setting) == other.own.value(setting);
        (self.validation, self.validation_seed) == (other.validation, other.validation_seed)
            && own_settings().filter(|setting| setting.picks_images).all(own)
    }

    /// The settings that are not at their defaults although this data set does not read them: most likely meant for another.
    #[must_use]
    pub fn unread(&self) -> Vec<&'static str> {
        let entry = entry(&self.dataset).ok();
        let path = !self.path.as_os_str().is_empty() && !entry.is_some_and(|entry| entry.reads_path());
        let reads = |setting: &OwnSetting| entry.is_some_and(|entry| entry.settings.contains(setting));
        let own = own_settings().filter(|setting| self.own.is_changed(setting) && !reads(setting));
        path.then_some("path").into_iter().chain(own.map(|setting| setting.key)).collect()
    }
}

fn keys() -> Vec<String> {
    own_settings().map(|setting| setting.key.to_owned()).collect()
}

/// Every setting is written, those at their defaults too: what is written says all.
impl Serialize for OwnSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for setting in own_settings() {
            match self.value(setting) {
                SettingValue::Flag(flag) => map.serialize_entry(setting.key, &flag)?,
                SettingValue::Number(number) => map.serialize_entry(setting.key, &number)?,
                SettingValue::Word(word) => map.serialize_entry(setting.key, &word)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for OwnSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OwnSettingsVisitor)
    }
}

/// Reads the keys of `[data]` that no field of [`DataConfig`] has: a key that no data set has is unknown.
struct OwnSettingsVisitor;

impl<'de> Visitor<'de> for OwnSettingsVisitor {
    type Value = OwnSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings of data sets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OwnSettings, A::Error> {
        let mut own = OwnSettings::default();
        while let Some(key) = map.next_key::<String>()? {
            let Some(setting) = own_settings().find(|setting| setting.key == key) else {
                return Err(de::Error::custom(format_args!("unknown field `{key}`, expected one of {}", keys().join(", "))));
            };
            let value = match setting.kind {
                SettingKind::Flag => SettingValue::Flag(map.next_value()?),
                SettingKind::Number { .. } => SettingValue::Number(map.next_value()?),
                SettingKind::Choice(_) => SettingValue::Word(map.next_value()?),
            };
            own.set(setting, value).map_err(|value| {
                de::Error::custom(format_args!("{} = {value} is not allowed: expected {}", setting.key, setting.allowed))
            })?;
        }
        Ok(own)
    }
}

/// What to do with image files that cannot be read, at the opening of a data set. What a loader does with an image that turns out
/// broken later is another matter: `relata_augment::OnReadError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadImage {
    /// Stop with an error when the image is read.
    #[default]
    Error,
    /// Read every file once when the data set is opened, and leave out, with a warning each, those that cannot be read.
    Skip,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_another_data_set_are_named() {
        let of = |dataset: &str| {
            let config = DataConfig { dataset: dataset.to_owned(), path: "photos".into(), ..DataConfig::default() };
            let config = config.with("difficulty", "hard").unwrap().with("shapes_seed", 7).unwrap();
            let config = config.with("stl10_fold", 3).unwrap().with("index", true).unwrap();
            config.with("jpeg_side_px", 96).unwrap()
        };
        assert_eq!(of("cifar10").unread(), ["path", "difficulty", "shapes_seed", "stl10_fold", "index", "jpeg_side_px"]);
        assert_eq!(of("shapes").unread(), ["path", "stl10_fold", "index", "jpeg_side_px"]);
        assert_eq!(of("stl10").unread(), ["path", "difficulty", "shapes_seed", "index", "jpeg_side_px"]);
        assert_eq!(of("folder").unread(), ["difficulty", "shapes_seed", "stl10_fold"]);
        assert_eq!(of("tiny").unread(), ["path", "difficulty", "shapes_seed", "stl10_fold", "jpeg_side_px"]);
        assert!(DataConfig::default().unread().is_empty());
    }

    #[test]
    fn what_picks_images_is_told_from_what_does_not() {
        let plain = DataConfig { dataset: "stl10".to_owned(), ..DataConfig::default() };
        let fold = DataConfig { limit: 7, ..plain.clone() }.with("stl10_fold", 3).unwrap().with("index", true).unwrap();
        assert_eq!(fold.clone().whole(), plain.clone().with("index", true).unwrap());
        assert!(!fold.picks_as(&plain) && fold.clone().whole().picks_as(&plain));
        assert!(!plain.picks_as(&DataConfig { validation: 1, ..plain.clone() }));
    }

    #[test]
    fn a_setting_that_no_data_set_has_or_a_value_that_it_may_not_have_is_refused() {
        let default = DataConfig::default;
        assert!(
            matches!(default().with("stl_fold", 3), Err(Error::UnknownSetting { known, .. }) if known.contains(&"stl10_fold".to_owned()))
        );
        assert!(matches!(default().with("stl10_fold", 11), Err(Error::Setting { key: "stl10_fold", .. })));
        assert!(matches!(default().with("stl10_fold", true), Err(Error::Setting { key: "stl10_fold", .. })));
        assert!(matches!(default().with("difficulty", "easy"), Err(Error::Setting { key: "difficulty", .. })));
    }
}
