//! The arguments of `train`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::Recipe;
use crate::terminal::program::program;
use crate::{Config, Error, Result};

#[derive(Debug, Args)]
#[command(after_help = crate::terminal::program::help("Examples:
  relata train                                               the data set shapes, in half a minute: a first look
  relata train configs/cifar10/conv4-relational.toml data.root=datasets
  relata train data.dataset=folder data.path=photos augment.side=64 --out runs/photos
  relata train --out runs/photos --resume train.epochs=100   continue, for longer
  relata train --dry-run                                     every setting with its value

Without a RECIPE, the data set shapes takes the built-in quick.toml, any other data set the defaults.
Ctrl-C finishes the step and saves; a second one stops at once."))]
pub struct Arguments {
    /// A TOML file with settings, then settings that replace its own, such as train.epochs=10 augment.jitter.hue=0.5
    #[arg(value_name = "RECIPE | KEY=VALUE")]
    pub(super) recipe_and_settings: Vec<String>,
    /// The run's folder; without it, runs/<dataset>-<backbone>-<method>-seed<seed>
    #[arg(long, value_name = "RUN")]
    pub(super) out: Option<PathBuf>,
    /// Continues the run in the folder from its last checkpoint, with the settings that it was started with
    #[arg(long, conflicts_with = "overwrite")]
    pub(super) resume: bool,
    /// Replaces the run that the folder holds
    #[arg(long)]
    pub(super) overwrite: bool,
    /// Prints every setting, the number of steps and the memory needed, and trains nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Writes no report at the end
    #[arg(long)]
    pub(super) no_report: bool,
    /// What goes on with it where that is not `train --resume`.
    #[arg(skip)]
    pub(super) go_on_with: Option<String>,
}

impl Arguments {
    /// As a comparison asks for one of its runs.
    pub(in crate::commands) fn of_comparison(recipe_and_settings: Vec<String>, out: PathBuf, resume: bool) -> Self {
        let go_on_with = Some("the same command".to_owned());
        Self { recipe_and_settings, out: Some(out), resume, overwrite: false, dry_run: false, no_report: false, go_on_with }
    }
}

/// What the arguments name.
pub(super) struct TrainRequest {
    pub(super) recipe: Recipe,
    /// The settings of the command line alone.
    pub(super) settings: Vec<String>,
    pub(super) out: PathBuf,
}

/// Sorts the arguments into recipe, settings and folder.
pub(super) fn request_of(arguments: &Arguments) -> Result<TrainRequest> {
    let mut words = arguments.recipe_and_settings.clone();
    let mut out = arguments.out.clone();
    // `train --resume runs/x` reads well, so it works: no recipe is a folder.
    let is_run = |word: &String| !word.contains('=') && Path::new(word).is_dir();
    if let Some(at) = words.iter().position(is_run) {
        if !arguments.resume || out.is_some() {
            let word = &words[at];
            return Err(Error::Usage(format!(
                "{word} is a folder, expected a recipe; to go on with a run: {} train --resume {word}",
                program()
            )));
        }
        out = Some(PathBuf::from(words.remove(at)));
    }
    let recipe = Recipe::from_arguments(&words)?;
    let settings = words.into_iter().filter(|word| word.contains('=')).collect();
    let out = match out {
        Some(out) => out,
        None => Path::new("runs").join(Config::from_layers(&recipe.layers())?.run_name()),
    };
    Ok(TrainRequest { recipe, settings, out })
}
