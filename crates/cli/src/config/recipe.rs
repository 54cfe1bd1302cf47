//! Where a run's settings start from: a file, or the recipe that is built in.

use std::path::{Path, PathBuf};

use relata_data::DataConfig;

use super::{ConfigError, Result, SettingsLayer};
use crate::suggest::nearest;

/// The default run, embedded so that the command works without a checkout.
const QUICK: &str = include_str!("../../../../configs/quick.toml");
/// What it is called in messages.
const QUICK_NAME: &str = "quick.toml (built in)";

/// What `train [RECIPE] [key=value ...]` was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recipe {
    /// The recipe's settings; none where the defaults are taken as they are.
    pub(crate) file: Option<SettingsLayer>,
    /// The command line's.
    pub(crate) settings: SettingsLayer,
}

impl Recipe {
    /// Sorts arguments into a recipe and settings. Without a recipe, the default data set takes the built-in
    /// one; any other takes the defaults: colours that tell nothing are a lesson of the default data set alone.
    pub(crate) fn from_arguments(arguments: &[String]) -> Result<Self> {
        let (settings, recipes): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|argument| argument.contains('='));
        let settings = SettingsLayer::from_settings(&settings)?;
        let file = match recipes.as_slice() {
            [] if is_default_data(&settings) => Some(SettingsLayer::parse(QUICK_NAME, QUICK)?),
            [] => None,
            [path] => Some(read(Path::new(path))?),
            [_, argument, ..] => return Err(ConfigError::NoSetting { argument: argument.clone() }),
        };
        Ok(Self { file, settings })
    }

    /// The recipe's name for messages.
    pub(crate) fn name(&self) -> &str {
        self.file.as_ref().map_or("none: the defaults", |layer| &layer.origin)
    }

    /// In the order in which they are laid over the defaults.
    pub(crate) fn layers(&self) -> Vec<SettingsLayer> {
        self.file.iter().chain([&self.settings]).cloned().collect()
    }
}

/// Whether the settings leave the data set as it is by default.
fn is_default_data(settings: &SettingsLayer) -> bool {
    let data = settings.table.get("data").and_then(|data| data.get("dataset"));
    data.is_none_or(|dataset| dataset.as_str() == Some(&DataConfig::default().dataset))
}

fn read(path: &Path) -> Result<SettingsLayer> {
    match std::fs::read_to_string(path) {
        Ok(text) => SettingsLayer::parse(&path.display().to_string(), &text),
        Err(source) => Err(ConfigError::Recipe { path: path.to_owned(), nearest: recipes_like(path), source }),
    }
}

/// The most similar recipe in the requested folder or in `configs`, if any is similar.
fn recipes_like(path: &Path) -> Vec<String> {
    let mut recipes = Vec::new();
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    for folder in beside.into_iter().chain([Path::new("configs")]) {
        collect(folder, 2, &mut recipes);
    }
    // Compared without their ending, which all recipes share.
    let name = |recipe: &Path| recipe.with_extension("").display().to_string();
    let names: Vec<String> = recipes.iter().map(|recipe| name(recipe)).collect();
    nearest(&name(path), names.iter().map(String::as_str)).map(|name| format!("{name}.toml")).into_iter().collect()
}

fn collect(folder: &Path, depth: usize, recipes: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "toml") {
            recipes.push(path);
        } else if depth > 0 && path.is_dir() {
            collect(&path, depth - 1, recipes);
        }
    }
    recipes.sort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recipe_with_a_name_like_it_is_proposed() {
        let configs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs"));
        let like = |name: &str| recipes_like(&configs.join(name));
        let expected = configs.join("cifar10/conv4-relational.toml").display().to_string();
        assert_eq!(like("cifar10/conv4-relationl.toml"), [expected]);
        assert_eq!(recipes_like(Path::new("nothing/of/the-kind.toml")), Vec::<String>::new());
    }
}
