use std::collections::BTreeMap;
use std::fmt;

/// A setting that only some data sets read: `data.<key>` in configuration files and on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnSetting {
    /// Its key in the section `data`.
    pub key: &'static str,
    /// One line on what it does.
    pub about: &'static str,
    /// What it may be, in words for messages.
    pub allowed: &'static str,
    /// What it may be, and what it is where nobody sets it.
    pub kind: SettingKind,
    /// Whether it picks some of the images. At its default, all of them are read.
    pub picks_images: bool,
}

/// The values that an [`OwnSetting`] may take, and its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// True or false; false by default.
    Flag,
    /// A whole number from 0 to `greatest`.
    Number {
        /// By default.
        default: u64,
        /// The greatest number allowed.
        greatest: u64,
    },
    /// One of these words; the first by default.
    Choice(&'static [&'static str]),
}

/// The value of an [`OwnSetting`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    /// Of a [`SettingKind::Flag`].
    Flag(bool),
    /// Of a [`SettingKind::Number`].
    Number(u64),
    /// Of a [`SettingKind::Choice`].
    Word(String),
}

impl From<bool> for SettingValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u64> for SettingValue {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for SettingValue {
    fn from(word: &str) -> Self {
        Self::Word(word.to_owned())
    }
}

/// As TOML writes it.
impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => write!(f, "{word:?}"),
        }
    }
}

impl OwnSetting {
    /// Its value where nobody sets it.
    #[must_use]
    pub fn default_value(&self) -> SettingValue {
        match self.kind {
            SettingKind::Flag => SettingValue::Flag(false),
            SettingKind::Number { default, .. } => SettingValue::Number(default),
            SettingKind::Choice(words) => SettingValue::from(words[0]),
        }
    }

    /// Whether it may have this value.
    #[must_use]
    pub fn allows(&self, value: &SettingValue) -> bool {
        match (self.kind, value) {
            (SettingKind::Flag, SettingValue::Flag(_)) => true,
            (SettingKind::Number { greatest, .. }, SettingValue::Number(number)) => *number <= greatest,
            (SettingKind::Choice(words), SettingValue::Word(word)) => words.contains(&word.as_str()),
            _ => false,
        }
    }
}

/// The values of the settings that only some data sets read. One that is at its default is as one that nobody set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnSettings {
    /// Those that are not at their defaults.
    changed: BTreeMap<&'static str, SettingValue>,
}

impl OwnSettings {
    /// The value of `setting`.
    #[must_use]
    pub fn value(&self, setting: &OwnSetting) -> SettingValue {
        self.changed.get(setting.key).cloned().unwrap_or_else(|| setting.default_value())
    }

    /// Sets `setting`; gives the value back where that is not allowed.
    pub(crate) fn set(&mut self, setting: &OwnSetting, value: SettingValue) -> Result<(), SettingValue> {
        if !setting.allows(&value) {
            return Err(value);
        }
        if value == setting.default_value() {
            self.changed.remove(setting.key);
        } else {
            self.changed.insert(setting.key, value);
        }
        Ok(())
    }

    /// Puts `setting` back to its default.
    pub(crate) fn reset(&mut self, setting: &OwnSetting) {
        self.changed.remove(setting.key);
    }

    /// Whether `setting` is not at its default.
    pub(crate) fn is_changed(&self, setting: &OwnSetting) -> bool {
        self.changed.contains_key(setting.key)
    }

    /// Whether the flag `setting` is set.
    pub(crate) fn flag(&self, setting: &OwnSetting) -> bool {
        self.value(setting) == SettingValue::Flag(true)
    }

    /// The value of `setting`, a number.
    pub(crate) fn number(&self, setting: &OwnSetting) -> u64 {
        match self.value(setting) {
            SettingValue::Number(number) => number,
            _ => unreachable!("{} is a number, as `set` checks", setting.key),
        }
    }

    /// The value of `setting`, a word.
    pub(crate) fn word(&self, setting: &OwnSetting) -> String {
        match self.value(setting) {
            SettingValue::Word(word) => word,
            _ => unreachable!("{} is a word, as `set` checks", setting.key),
        }
    }
}
