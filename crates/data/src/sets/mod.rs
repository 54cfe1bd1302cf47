//! The data sets that have a name.
//!
//! # Adding a data set
//! Write one file (or folder) here with a type that implements [`Dataset`](crate::Dataset) and a constant `ENTRY`, a
//! [`DatasetEntry`]: its name, where it lies, its statistics, its own settings, and how it is opened. Add its `ENTRY` to
//! [`CATALOGUE`]. Configuration, `data list`, `data fetch`, `data verify` and the normalisation of views read all they need from there.
//!
//! Start from [`stl10`] (the publisher's binary files, a setting of its own), [`slim`] (image files in class folders) or
//! [`shapes`] (drawn, no files).

mod cifar10;
mod cifar100;
mod class_names;
mod entry;
mod folder;
mod pack;
mod records;
mod setting;
mod shapes;
mod slim;
mod stl10;
mod tiny;

pub use self::cifar10::Cifar10;
pub use self::cifar100::{Cifar100, Cifar100Labels};
pub(crate) use self::entry::OpenRequest;
pub use self::entry::{DatasetEntry, Location, Statistics};
pub use self::folder::{Folder, FolderOptions, JPEG_DECODER};
pub use self::pack::{Pack, PackSummary, pack};
pub use self::setting::{OwnSetting, OwnSettings, SettingKind, SettingValue};
pub use self::shapes::{Difficulty, Shapes, ShapesOptions};
pub use self::slim::Slim;
pub use self::stl10::Stl10;
pub use self::tiny::Tiny;
use crate::{Error, Result};

const CATALOGUE: &[DatasetEntry] = &[
    shapes::ENTRY,
    cifar10::ENTRY,
    cifar100::ENTRY,
    cifar100::COARSE_ENTRY,
    stl10::ENTRY,
    tiny::ENTRY,
    slim::ENTRY,
    folder::ENTRY,
    pack::ENTRY,
];

/// Every data set that has a name. The first is the default: it needs no download.
#[must_use]
pub fn catalogue() -> &'static [DatasetEntry] {
    CATALOGUE
}

/// What is known about the data set `name`.
///
/// # Errors
/// [`Error::UnknownDataset`], with the names that there are.
pub fn entry(name: &str) -> Result<&'static DatasetEntry> {
    CATALOGUE.iter().find(|entry| entry.name == name).ok_or_else(|| Error::UnknownDataset {
        name: name.to_owned(),
        known: CATALOGUE.iter().map(|entry| entry.name.to_owned()).collect(),
    })
}

/// The settings that only some data sets read, each once, in the order of the catalogue.
pub fn own_settings() -> impl Iterator<Item = &'static OwnSetting> {
    let all = || CATALOGUE.iter().flat_map(|entry| entry.settings);
    all().enumerate().filter(move |(place, setting)| all().take(*place).all(|before| before.key != setting.key)).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn names_are_unlike_and_a_shared_setting_is_one() {
        let mut settings: HashMap<&str, &OwnSetting> = HashMap::new();
        for (index, entry) in CATALOGUE.iter().enumerate() {
            assert!(CATALOGUE[..index].iter().all(|before| before.name != entry.name), "{}", entry.name);
            for setting in entry.settings {
                assert_eq!(*settings.entry(setting.key).or_insert(setting), setting);
                assert!(setting.allows(&setting.default_value()), "{}", setting.key);
            }
        }
        assert_eq!(own_settings().count(), settings.len());
    }
}
