//! Tables laid over tables, each key checked against the defaults: what a key may hold is what its default holds.

use toml::{Table, Value};

use super::aliases::{aliases, rename};
use super::{ConfigError, Result};
use crate::suggest::nearest;

/// What the keys of the command line are said to come from.
pub(crate) const COMMAND_LINE: &str = "the command line";

/// One source of settings: a recipe, or the command line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SettingsLayer {
    /// Where it comes from, for messages.
    pub(crate) origin: String,
    /// Its settings.
    pub(crate) table: Table,
}

impl SettingsLayer {
    /// A layer from TOML text.
    pub(crate) fn parse(origin: &str, text: &str) -> Result<Self> {
        let table = text.parse::<Table>();
        let table = table.map_err(|source| ConfigError::Toml { origin: origin.to_owned(), source: Box::new(source) })?;
        Self::new(origin, table)
    }

    /// A layer from settings, those at old keys moved to the new ones.
    ///
    /// # Errors
    /// [`ConfigError::OldAndNew`].
    pub(crate) fn new(origin: &str, mut table: Table) -> Result<Self> {
        rename(origin, &mut table, &aliases())?;
        Ok(Self { origin: origin.to_owned(), table })
    }

    /// A layer from `key=value` arguments. A value is TOML; one that is not counts as a string.
    pub(crate) fn from_settings(settings: &[String]) -> Result<Self> {
        let mut table = Table::new();
        for setting in settings {
            let no_setting = || ConfigError::NoSetting { argument: setting.clone() };
            let (key, value) = setting.split_once('=').ok_or_else(no_setting)?;
            let path: Vec<&str> = key.trim().split('.').collect();
            if path.iter().any(|part| part.is_empty()) {
                return Err(no_setting());
            }
            insert(&mut table, &path, parse_value(value.trim())).ok_or_else(no_setting)?;
        }
        Self::new(COMMAND_LINE, table)
    }

    /// Its settings as (dotted key, value), in order.
    pub(crate) fn settings(&self) -> Vec<(String, Value)> {
        let mut settings = Vec::new();
        collect("", &self.table, &mut settings);
        settings
    }

    /// Every key is one of the defaults', every value of the default's type.
    pub(crate) fn check(&self, defaults: &Table) -> Result<()> {
        let mut known = Vec::new();
        collect_keys("", defaults, &mut known);
        self.check_table("", &self.table, defaults, &known)
    }

    fn check_table(&self, prefix: &str, table: &Table, defaults: &Table, known: &[String]) -> Result<()> {
        for (name, value) in table {
            let key = join(prefix, name);
            let origin = self.origin.clone();
            let Some(default) = defaults.get(name) else {
                // The setting's own name says more of what was meant than that of its section.
                let key = first_key(key, value);
                let nearest = nearest(&key, known.iter().map(String::as_str)).map(str::to_owned);
                return Err(ConfigError::UnknownKey { key, origin, nearest });
            };
            match (value, default) {
                (Value::Table(table), Value::Table(defaults)) => self.check_table(&key, table, defaults, known)?,
                _ if same_type(value, default) => {}
                _ => return Err(ConfigError::Type { key, origin, expected: expected(default), got: got(value) }),
            }
        }
        Ok(())
    }
}

/// Lays `above` over `below`: tables are joined, everything else is replaced. A whole number given for a float becomes one.
pub(crate) fn merge(below: &mut Table, above: &Table) {
    for (name, value) in above {
        match (below.get_mut(name), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (Some(slot), value) => *slot = like(value, slot),
            (None, value) => {
                below.insert(name.clone(), value.clone());
            }
        }
    }
}

fn first_key(key: String, value: &Value) -> String {
    match value.as_table().and_then(|table| table.iter().next()) {
        Some((name, value)) => first_key(join(&key, name), value),
        None => key,
    }
}

/// The value at a dotted key.
pub(crate) fn value_at<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let mut parts = key.split('.');
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// Sets the value at a dotted path; `None` where a part of the path holds no table.
pub(crate) fn insert(table: &mut Table, path: &[&str], value: Value) -> Option<()> {
    let (last, parents) = path.split_last()?;
    let mut table = table;
    for part in parents {
        let slot = table.entry(*part).or_insert_with(|| Value::Table(Table::new()));
        table = slot.as_table_mut()?;
    }
    table.insert((*last).to_owned(), value);
    Some(())
}

fn parse_value(text: &str) -> Value {
    let parsed: Option<Table> = format!("value = {text}").parse().ok();
    let value = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn like(value: &Value, default: &Value) -> Value {
    match (value, default) {
        (Value::Integer(whole), Value::Float(_)) => Value::Float(*whole as f64),
        (Value::Array(values), Value::Array(defaults)) => match defaults.first() {
            Some(default) => Value::Array(values.iter().map(|value| like(value, default)).collect()),
            None => Value::Array(values.clone()),
        },
        _ => value.clone(),
    }
}

fn same_type(value: &Value, default: &Value) -> bool {
    match (value, default) {
        (Value::Integer(_), Value::Float(_)) => true,
        (Value::Array(values), Value::Array(defaults)) => {
            defaults.first().is_none_or(|default| values.iter().all(|value| same_type(value, default)))
        }
        _ => value.same_type(default),
    }
}

fn expected(default: &Value) -> String {
    let what = match default {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Table(_) => "a table of settings",
        Value::Array(_) => "a list",
        Value::Datetime(_) => "a date",
    };
    match default {
        Value::Table(table) => match table.keys().next() {
            Some(key) => format!("{what}, as in {key} = ..."),
            None => what.to_owned(),
        },
        Value::Array(values) if values.is_empty() => what.to_owned(),
        _ => format!("{what}, such as {default}"),
    }
}

fn got(value: &Value) -> String {
    match value {
        Value::Table(_) => "a table".to_owned(),
        Value::String(text) if is_beyond_toml(text) => format!("{text}, beyond TOML's {} to {}", i64::MIN, i64::MAX),
        Value::String(text) => format!("the string {text:?}"),
        _ => value.to_string(),
    }
}

/// A bare word of digits alone is a string only where they are too many.
fn is_beyond_toml(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_err()
}

pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn collect(prefix: &str, table: &Table, settings: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        match value {
            Value::Table(table) => collect(&join(prefix, name), table, settings),
            _ => settings.push((join(prefix, name), value.clone())),
        }
    }
}

/// Dotted keys of tables and settings alike: a mistyped section has a nearest key as well.
fn collect_keys(prefix: &str, table: &Table, keys: &mut Vec<String>) {
    for (name, value) in table {
        let key = join(prefix, name);
        if let Value::Table(table) = value {
            collect_keys(&key, table, keys);
        }
        keys.push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Table {
        let text = "seed = 1\n[train]\nepochs = 20\nlr = 1e-3\n[augment]\nmean = []\n[augment.crop]\nscale = [0.08, 1.0]\n";
        text.parse().unwrap()
    }

    fn settings(arguments: &[&str]) -> Result<SettingsLayer> {
        SettingsLayer::from_settings(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_value_is_toml_and_a_bare_word_a_string() {
        let layer = settings(&["a.b=3", "a.c=0.5", "d=[\"x\", \"y\"]", "e=cifar10", "f=a = b", "g=true", "h="]).unwrap();
        let expected: Table =
            "d = [\"x\", \"y\"]\ne = \"cifar10\"\nf = \"a = b\"\ng = true\nh = \"\"\n[a]\nb = 3\nc = 0.5\n".parse().unwrap();
        assert_eq!(layer.table, expected);
    }

    #[test]
    fn a_value_cannot_smuggle_in_a_second_key() {
        let layer = settings(&["a=1\nb = 2"]).unwrap();
        assert_eq!(layer.table["a"].as_str(), Some("1\nb = 2"));
    }

    #[test]
    fn an_argument_without_a_key_is_named() {
        for argument in ["train.epochs", "=3", "train..epochs=3", ".x=1"] {
            assert!(matches!(settings(&[argument]), Err(ConfigError::NoSetting { argument: named }) if named == argument));
        }
        assert!(matches!(settings(&["train=1", "train.epochs=2"]), Err(ConfigError::NoSetting { .. })));
    }

    #[test]
    fn layers_join_and_the_upper_wins() {
        let mut table = defaults();
        merge(
            &mut table,
            &SettingsLayer::parse("a.toml", "[train]\nepochs = 5\n[augment.crop]\nscale = [0.4, 1]\n").unwrap().table,
        );
        merge(&mut table, &settings(&["train.lr=1"]).unwrap().table);
        let expected: Table =
            "seed = 1\n[train]\nepochs = 5\nlr = 1.0\n[augment]\nmean = []\n[augment.crop]\nscale = [0.4, 1.0]\n"
                .parse()
                .unwrap();
        assert_eq!(table, expected);
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        for (argument, wanted) in [
            ("train.epoch=3", Some("train.epochs")),
            ("epochs=3", Some("train.epochs")),
            ("trian.epochs=3", Some("train.epochs")),
            ("augment.crop.scales=3", Some("augment.crop.scale")),
            ("sed=1", Some("seed")),
            ("quite.another=1", None),
        ] {
            let error = settings(&[argument]).unwrap().check(&defaults()).unwrap_err();
            let ConfigError::UnknownKey { nearest, origin, .. } = &error else { panic!("{error:?}") };
            assert_eq!((nearest.as_deref(), origin.as_str()), (wanted, COMMAND_LINE), "{argument}");
        }
    }

    #[test]
    fn an_unknown_key_in_a_file_names_the_file() {
        let layer = SettingsLayer::parse("configs/x.toml", "[train]\nepoch = 3\n").unwrap();
        let error = layer.check(&defaults()).unwrap_err();
        assert_eq!(error.to_string(), "unknown key \"train.epoch\" in configs/x.toml; did you mean \"train.epochs\"?");
    }

    #[test]
    fn a_number_beyond_tomls_is_called_that() {
        let error = |argument| settings(&[argument]).unwrap().check(&defaults()).unwrap_err().to_string();
        assert!(error("seed=9223372036854775808").contains("seed in the command line is 9223372036854775808, beyond TOML's"));
        assert!(error("seed=\"7\"").contains("the string \"7\""));
    }

    #[test]
    fn another_type_is_refused_with_its_key() {
        for (argument, key) in [
            ("train.epochs=many", "train.epochs"),
            ("train.epochs=1.5", "train.epochs"),
            ("train.lr=high", "train.lr"),
            ("train=3", "train"),
            ("augment.crop.scale=0.4", "augment.crop.scale"),
            ("augment.crop.scale=[0.4, \"x\"]", "augment.crop.scale"),
        ] {
            let error = settings(&[argument]).unwrap().check(&defaults()).unwrap_err();
            assert!(matches!(&error, ConfigError::Type { key: named, .. } if named == key), "{argument}: {error:?}");
        }
        settings(&["train.lr=1", "augment.crop.scale=[1, 1]", "augment.mean=[0.5]"]).unwrap().check(&defaults()).unwrap();
    }
}
