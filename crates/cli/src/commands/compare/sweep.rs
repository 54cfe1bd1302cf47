//! What the arguments or a sweep file ask for, as a list of runs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::compared_run::ComparedRun;
use crate::config::{Config, SettingsLayer};
use crate::{Error, Result};

/// A sweep file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sweep {
    recipes: Vec<String>,
    #[serde(default)]
    seeds: Vec<u64>,
    #[serde(default)]
    settings: Table,
    #[serde(default)]
    grid: Table,
}

/// All runs: recipe by recipe, the values of the grid, seeds. Every configuration is checked.
pub(super) fn entries(words: &[String], seeds: &[u64], out: &Path) -> Result<Vec<ComparedRun>> {
    let (settings, files): (Vec<String>, Vec<String>) = words.iter().cloned().partition(|word| word.contains('='));
    let sweep = match &files[..] {
        [] => return Err(usage("expected a recipe or a sweep file".to_owned())),
        [file] => read(file)?.unwrap_or_else(|| Sweep { recipes: files.clone(), ..Sweep::default() }),
        _ => Sweep { recipes: files, ..Sweep::default() },
    };
    let seeds = match (seeds, &sweep.seeds[..]) {
        ([], []) => &[1][..],
        ([], of_file) => of_file,
        (given, _) => given,
    };
    twice(seeds.iter().map(u64::to_string), "seed")?;
    if sweep.recipes.is_empty() {
        return Err(usage("the sweep file names no recipes".to_owned()));
    }
    twice(sweep.recipes.iter().map(|recipe| name(recipe)), "recipe name")?;
    let common: Vec<String> = words_of(sweep.settings).into_iter().chain(settings).collect();
    let mut entries = Vec::new();
    for recipe in &sweep.recipes {
        for (suffix, values) in combinations(sweep.grid.clone())? {
            let group = format!("{}{suffix}", name(recipe));
            for &seed in seeds {
                let mut words = vec![recipe.clone()];
                words.extend(common.iter().chain(&values).cloned());
                words.push(format!("seed={seed}"));
                let out = out.join(format!("{group}-seed{seed}"));
                entries.push(ComparedRun { group: group.clone(), seed, words, out });
            }
        }
    }
    entries.iter().try_for_each(|entry| entry.config().map(drop))?;
    Ok(entries)
}

fn usage(message: String) -> Error {
    Error::Usage(message)
}

/// The file as a sweep; `None` for a recipe, or for what cannot be read, which is then said as of a recipe.
fn read(file: &str) -> Result<Option<Sweep>> {
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(None) };
    let layer = SettingsLayer::parse(file, &text)?;
    let is_sweep = ["recipes", "grid", "seeds"].iter().any(|key| layer.table.contains_key(*key));
    if !is_sweep {
        return Ok(None);
    }
    let sweep = Value::Table(layer.table).try_into();
    let mut sweep: Sweep =
        sweep.map_err(|error: toml::de::Error| usage(format!("{file} is no sweep file: {}", error.message())))?;
    // Keys that have moved, before the command line's settings join them.
    sweep.settings = SettingsLayer::new(file, sweep.settings)?.table;
    sweep.grid = SettingsLayer::new(file, sweep.grid)?.table;
    check(file, &sweep)?;
    Ok(Some(sweep))
}

/// Whether there are such settings, here, where a message can name the file.
fn check(file: &str, sweep: &Sweep) -> Result<()> {
    let defaults = Config::default().to_table();
    SettingsLayer { origin: file.to_owned(), table: sweep.settings.clone() }.check(&defaults)?;
    for (_, words) in combinations(sweep.grid.clone())? {
        SettingsLayer { origin: file.to_owned(), ..SettingsLayer::from_settings(&words)? }.check(&defaults)?;
    }
    Ok(())
}

/// `configs/cifar10/conv4-relational.toml` as `cifar10-conv4-relational`.
fn name(recipe: &str) -> String {
    let path = Path::new(recipe);
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let folder = part(path.parent().and_then(Path::file_name)).filter(|folder| folder != "configs");
    folder.into_iter().chain(part(path.file_stem())).collect::<Vec<_>>().join("-")
}

fn twice(names: impl Iterator<Item = String>, what: &str) -> Result<()> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_insert(0) += 1);
    match counts.into_iter().find(|(_, count)| *count > 1) {
        Some((name, _)) => Err(usage(format!("{what} {name} is given twice: each run needs a folder of its own"))),
        None => Ok(()),
    }
}

fn words_of(table: Table) -> Vec<String> {
    let layer = SettingsLayer { origin: String::new(), table };
    layer.settings().into_iter().map(|(key, value)| format!("{key}={value}")).collect()
}

/// Every choice of one value a key, with what it adds to a run's name.
fn combinations(grid: Table) -> Result<Vec<(String, Vec<String>)>> {
    let mut all = vec![(String::new(), Vec::new())];
    for (key, values) in (SettingsLayer { origin: String::new(), table: grid }).settings() {
        let Some(values) = values.as_array().filter(|values| !values.is_empty()) else {
            return Err(usage(format!("grid.{key} is {values}: expected a list of values, as in {key} = [1, 2]")));
        };
        let short = key.rsplit('.').next().unwrap_or(&key);
        let plain = |value: &Value| value.to_string().replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "");
        let mut longer = Vec::new();
        for (suffix, words) in &all {
            for value in values {
                let words: Vec<String> = words.iter().cloned().chain([format!("{key}={value}")]).collect();
                longer.push((format!("{suffix}-{short}-{}", plain(value)), words));
            }
        }
        all = longer;
    }
    twice(all.iter().map(|(suffix, _)| suffix.clone()), "the grid's choice")?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_every_choice_of_one_value_a_key() {
        let grid = "train.lr = [0.1, 0.2]\nmethod.hidden = [8]\n".parse().unwrap();
        let names: Vec<_> = combinations(grid).unwrap().into_iter().map(|(name, words)| (name, words.join(" "))).collect();
        assert_eq!(names[0], ("-hidden-8-lr-0.1".to_owned(), "method.hidden=8 train.lr=0.1".to_owned()));
        assert_eq!(names.len(), 2);
        assert!(combinations("train.lr = 3\n".parse().unwrap()).is_err());
    }

    #[test]
    fn the_sweep_among_the_recipes_is_what_its_comment_says() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/shapes/sweep.toml");
        let sweep = read(file).unwrap().unwrap();
        assert_eq!(sweep.recipes.len() * sweep.seeds.len() * combinations(sweep.grid).unwrap().len(), 4);
    }

    #[test]
    fn a_recipe_is_named_with_its_folder() {
        assert_eq!(["configs/a/b.toml", "configs/quick.toml", "c.toml"].map(name), ["a-b", "quick", "c"]);
    }
}
