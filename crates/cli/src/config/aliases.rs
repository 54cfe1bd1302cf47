//! Keys that have moved. Recipes, sweeps, command lines and the folders of old runs may use the old key: it is read as the new one.

use relata_train::METHODS;
use toml::{Table, Value};

use super::{ConfigError, Result};

/// A key of a setting or a section that has moved.
#[derive(Debug, Clone)]
pub(super) struct Alias {
    /// The old dotted key.
    pub(super) old: String,
    /// The new one.
    pub(super) new: String,
}

/// All keys that have moved: the crates whose settings they are name them.
pub(super) fn aliases() -> Vec<Alias> {
    let alias = |&(old, new): &(&str, &str)| Alias { old: old.to_owned(), new: new.to_owned() };
    METHODS.iter().flat_map(|method| method.aliases).map(alias).collect()
}

/// Moves what stands at old keys of `table` to the new ones.
///
/// # Errors
/// [`ConfigError::OldAndNew`] where the new key is there too.
pub(super) fn rename(origin: &str, table: &mut Table, aliases: &[Alias]) -> Result<()> {
    for alias in aliases {
        if let Some(value) = take(table, &alias.old.split('.').collect::<Vec<_>>()) {
            put(origin, table, alias, &alias.new.split('.').collect::<Vec<_>>(), value)?;
        }
    }
    Ok(())
}

/// Removes the value at a dotted path, and a section that is empty then.
fn take(table: &mut Table, path: &[&str]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    if rest.is_empty() {
        return table.remove(*first);
    }
    let section = table.get_mut(*first)?.as_table_mut()?;
    let value = take(section, rest);
    if value.is_some() && section.is_empty() {
        table.remove(*first);
    }
    value
}

/// Puts a value where nothing stands yet; a section's settings join those that are there.
fn put(origin: &str, table: &mut Table, alias: &Alias, path: &[&str], value: Value) -> Result<()> {
    let refused = || {
        let (Alias { old, new }, origin) = (alias.clone(), origin.to_owned());
        Err(ConfigError::OldAndNew { old, new, origin })
    };
    let Some((first, rest)) = path.split_first() else { return refused() };
    match (rest.is_empty(), table.get_mut(*first), value) {
        (true, None, value) => {
            table.insert((*first).to_owned(), value);
            Ok(())
        }
        (true, Some(Value::Table(there)), Value::Table(moved)) => {
            moved.into_iter().try_for_each(|(name, value)| put(origin, there, alias, &[name.as_str()], value))
        }
        (true, Some(_), _) => refused(),
        (false, _, value) => {
            let section = table.entry(*first).or_insert_with(|| Value::Table(Table::new()));
            section.as_table_mut().map_or_else(refused, |section| put(origin, section, alias, rest, value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVED: [(&str, &str); 3] =
        [("method.hidden", "method.relational.hidden"), ("probe.epochs", "probe.linear.epochs"), ("views", "augment.views")];

    fn renamed(text: &str) -> Result<Table> {
        let moved = MOVED.map(|(old, new)| Alias { old: old.to_owned(), new: new.to_owned() });
        let mut table = text.parse().unwrap();
        rename("a.toml", &mut table, &moved).map(|()| table)
    }

    #[test]
    fn a_setting_at_its_old_key_is_read_as_at_the_new() {
        let old = "[method]\nkind = \"simclr\"\nhidden = 8\n[probe]\nepochs = 5\n";
        let new = "[method]\nkind = \"simclr\"\n[method.relational]\nhidden = 8\n[probe.linear]\nepochs = 5\n";
        assert_eq!(renamed(old).unwrap(), new.parse().unwrap());
        assert_eq!(renamed(new).unwrap(), new.parse().unwrap(), "the new keys stay");
    }

    #[test]
    fn a_section_that_moves_joins_the_settings_that_are_there() {
        let both = renamed("[views]\nk = 4\n[augment.views]\nside = 32\n").unwrap();
        assert_eq!(both, "[augment.views]\nside = 32\nk = 4\n".parse().unwrap());
    }

    #[test]
    fn the_old_and_the_new_key_at_once_are_refused() {
        let error = renamed("[method]\nhidden = 8\n[method.relational]\nhidden = 9\n").unwrap_err();
        let ConfigError::OldAndNew { old, new, origin } = &error else { panic!("{error:?}") };
        assert_eq!((old.as_str(), new.as_str(), origin.as_str()), ("method.hidden", "method.relational.hidden", "a.toml"));
    }

    #[test]
    fn what_has_moved_is_no_setting_any_more_and_its_new_key_is() {
        let defaults = super::super::Config::default().to_table();
        for Alias { old, new } in aliases() {
            assert!(super::super::value_at(&defaults, &new).is_some(), "{new} is not there");
            assert!(super::super::value_at(&defaults, &old).is_none(), "{old} is still there");
        }
    }
}
