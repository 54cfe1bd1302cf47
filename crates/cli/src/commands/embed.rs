use std::path::PathBuf;

use clap::Args;
use relata_data::Split;
use relata_model::Compute;
use relata_probe::{ExtractOptions, check_export_path, embed, write_features};

use super::{open_run, with_settings};
use crate::log::shown;
use crate::progress::Counter;
use crate::{Result, images, network, output};

#[derive(Debug, Args)]
#[command(after_help = crate::words::help("Examples:
  relata embed runs/shapes-conv4-relational-seed1 --data shapes --split test --out features.safetensors
  relata embed runs/photos --data folder --out features.csv data.path=holiday"))]
pub struct Arguments {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Settings of data.*, such as data.path=photos
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// The data set; without it, the run's own
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// train, test or unlabelled
    #[arg(long, value_name = "SPLIT", default_value = "test")]
    split: String,
    /// Which checkpoint
    #[arg(long, value_name = "NAME", default_value = "last")]
    checkpoint: String,
    /// A file that ends in .safetensors, .npy or .csv
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    check_export_path(&arguments.out)?;
    let split: Split = arguments.split.parse()?;
    let (run, trained) = open_run(&arguments.run)?;
    let mut settings = arguments.settings.clone();
    settings.extend(arguments.data.iter().map(|name| format!("data.dataset={name}")));
    let config = with_settings(&trained, &settings)?;
    let dataset = images::open_split(&config.data, split)?;
    let loaded = network::load(&run, &trained, &arguments.checkpoint, Compute::new(config.threads)?)?;
    let (mut backbone, pipeline) = (loaded.backbone, loaded.pipeline);
    let counter = Counter::new("features");
    let options = ExtractOptions { sources: true, ..config.probe.extract_options() };
    let features = embed(&mut *backbone, dataset, &pipeline, &options, &mut |done, of| counter.at(done, of))?;
    drop(counter);
    for path in write_features(&arguments.out, &features)? {
        let labels = path.to_string_lossy().ends_with(".labels.npy");
        let size =
            if labels { format!("{} labels", features.rows()) } else { format!("{} x {}", features.rows(), features.width()) };
        output::result(format!("{}: {size}", shown(&path)));
    }
    Ok(())
}
