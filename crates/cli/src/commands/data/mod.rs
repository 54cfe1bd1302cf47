#[cfg(feature = "fetch")]
mod fetch;
mod list;
mod pack;
mod preview;
mod splits;
mod stats;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
#[cfg(feature = "fetch")]
use relata_data::HubSource;
use relata_data::{ContactSheetOptions, DataConfig};

use crate::config::SettingsLayer;
use crate::terminal::output;
use crate::{Config, Result};

#[derive(Debug, Args)]
#[command(after_help = crate::terminal::program::help("Examples:
  relata data list
  relata data fetch cifar10
  relata data verify cifar10 data.root=datasets
  relata data stats cifar10
  relata data preview shapes --out shapes.png
  relata data pack folder data.path=photos --out photos.pack"))]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists the data sets, and how much of each is below data.root
    #[command(after_help = list::help())]
    List {
        /// Settings of data.*, such as data.root=datasets
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Downloads a data set from its publisher, checks it and unpacks it below data.root
    #[cfg(feature = "fetch")]
    #[command(
        after_help = crate::terminal::program::help("Examples:\n  relata data fetch cifar10\n  relata data fetch stl10 data.root=/mnt/datasets\n  relata data fetch cifar100 --hub        (a build with the feature hub)\n\nA download that was interrupted continues where it stopped. An archive that is in data.root already is used.")
    )]
    Fetch {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.*, such as data.root=datasets
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
        #[arg(
            long,
            help = fetch::hub_help(),
            value_name = "URL",
            num_args = 0..=1,
            require_equals = true,
            default_missing_value = HubSource::ENDPOINT,
            hide = cfg!(not(feature = "hub"))
        )]
        hub: Option<String>,
    },
    /// Reads every image of every split and lists what is broken, missing, or not as published
    #[command(
        after_help = crate::terminal::program::help("Examples:\n  relata data verify cifar10 data.root=datasets\n  relata data verify folder data.path=photos")
    )]
    Verify {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.*, such as data.root=datasets
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Computes the mean and standard deviation of each colour channel of a split, for augment.mean and augment.std
    #[command(
        after_help = crate::terminal::program::help("Examples:\n  relata data stats cifar10\n  relata data stats folder data.path=photos data.split=unlabelled")
    )]
    Stats {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.*, such as data.split=test
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Writes all splits of a data set, decoded, into one file that is read many times faster
    #[command(
        after_help = crate::terminal::program::help("Examples:\n  relata data pack folder data.path=photos --out photos.pack\n  relata train configs/folder/conv4-relational.toml data.dataset=pack data.path=photos.pack\n\nAn image takes width x height x 3 bytes. A split that is missing is left out, with a note. An older file of that name is replaced once the new one is complete.")
    )]
    Pack {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.*, such as data.path=photos
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Draws images as a PNG, a row for each class; or images beside the views that training would see
    #[command(
        after_help = crate::terminal::program::help("Examples:\n  relata data preview tiny --out sheet.png\n  relata data preview stl10 data.split=unlabelled --images 12\n  relata data preview cifar10 --views augment.jitter.hue=0.5 --out views.png")
    )]
    Preview {
        /// The data set
        #[arg(value_name = "NAME")]
        name: String,
        /// Settings of data.* and, with --views, of augment.*, such as augment.jitter.hue=0.5
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
        /// Number of images of each class; with --views, of images, one a row
        #[arg(long, value_name = "N", default_value_t = 8)]
        images: usize,
        /// Number of classes at most
        #[arg(long, value_name = "N", default_value_t = ContactSheetOptions::default().rows, conflicts_with = "views")]
        rows: usize,
        /// Draws each image beside its views
        #[arg(long)]
        views: bool,
        /// The PNG to write
        #[arg(long, value_name = "FILE", default_value = "preview.png")]
        out: PathBuf,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.action {
        Action::List { settings } => {
            output::result(list::list(&config(&DataConfig::default().dataset, settings)?.data)?);
            Ok(())
        }
        #[cfg(feature = "fetch")]
        Action::Fetch { name, settings, hub } => fetch::fetch(&config(name, settings)?, hub.as_deref()),
        Action::Verify { name, settings } => verify::verify(&config(name, settings)?),
        Action::Pack { name, settings, out } => pack::pack(&config(name, settings)?, out),
        Action::Stats { name, settings } => stats::stats(&config(name, settings)?),
        Action::Preview { name, settings, images, views: true, out, .. } => {
            preview::views(&config(name, settings)?, *images, out)
        }
        Action::Preview { name, settings, images, rows, out, .. } => {
            preview::sheet(&config(name, settings)?, *images, *rows, out)
        }
    }
}

fn config(name: &str, settings: &[String]) -> Result<Config> {
    let settings: Vec<String> = std::iter::once(format!("data.dataset={name}")).chain(settings.iter().cloned()).collect();
    let config = Config::from_layers(&[SettingsLayer::from_settings(&settings)?])?;
    config.validate()?;
    Ok(config)
}
