use std::path::{Path, PathBuf};

use clap::Args;
use relata_artifact::{RunFolder, TensorRef};
use relata_model::{BACKBONES, BackboneInfo, BackboneKind, Compute, TorchTensor, WeightFile, write_safetensors};

use crate::config::SettingsLayer;
use crate::terminal::format::shown;
use crate::terminal::output;
use crate::{Config, Result, network, provenance};

#[derive(Debug, Args)]
#[command(after_help = crate::terminal::program::help("Examples:
  relata import conv4.tar --backbone conv4 --data cifar10 --out model.safetensors
  relata import resnet34.pth --backbone resnet34 --data stl10 --out runs/published
  relata probe runs/published --data stl10 data.root=datasets

The tensors must have the names of the paper's code or of torchvision. A prefix such as module. or backbone. is ignored."))]
pub struct Arguments {
    /// Weights of PyTorch (.pth, .pt, .tar) or safetensors
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Settings of model.*, data.* and augment.*, such as augment.side=96
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// One of the backbones' names; our own files know it
    #[arg(long, value_name = "NAME", help = format!("{}; our own files know it", one_of(BackboneKind::names())))]
    backbone: Option<String>,
    /// How a backbone begins that has two ways to
    #[arg(long, value_name = "NAME", help = format!("The stem of {}: imagenet or cifar", with_stem()))]
    stem: Option<String>,
    /// The data set that the weights were trained on: its side and normalisation go with them, where neither the file nor augment.side,
    /// augment.mean and augment.std say others; without it, those of shapes
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// What to write: a file that ends in .safetensors, or a folder for a run that can be probed
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Replaces the run that the folder holds
    #[arg(long)]
    overwrite: bool,
}

/// `conv4, resnet8 or resnet32`.
fn one_of(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

fn with_stem() -> String {
    BACKBONES.iter().filter(|kind| kind.has_stem()).map(|kind| kind.name()).collect::<Vec<_>>().join(" and ")
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let file = WeightFile::read(&arguments.file)?;
    let own = file.backbone_info()?;
    let config = Config::from_layers(&[SettingsLayer::from_settings(&settings(arguments, own.as_ref()))?])?;
    config.validate()?;
    // What the file says is the first layer of the settings.
    let info = network::info(&config)?;
    if own.is_none() && !says_how_images_were_prepared(arguments) {
        output::note(format!(
            "note: without --data, images will be prepared as those of {} ({} px, its mean and std)",
            config.data.dataset, info.side
        ));
    }
    let mut backbone = config.model.build(config.seed, Compute::new(1)?)?;
    file.load_into(None, backbone.parameters_mut())?;
    let tensors = backbone.parameters().torch_tensors();
    if arguments.out.extension().is_some_and(|extension| extension == "safetensors") {
        write_safetensors(&arguments.out, &tensors, &info.to_metadata())?;
    } else {
        write_run(&arguments.out, arguments.overwrite, &config, &info, &tensors)?;
    }
    output::result(format!("{}: {} tensors of {}", shown(&arguments.out), tensors.len(), info.architecture().describe()));
    Ok(())
}

fn says_how_images_were_prepared(arguments: &Arguments) -> bool {
    let given = |key: &str| arguments.settings.iter().any(|setting| setting.starts_with(&format!("{key}=")));
    arguments.data.is_some() || given("data.dataset") || (given("augment.side") && given("augment.mean") && given("augment.std"))
}

/// The options as settings; what the file itself says comes first, so that options win.
fn settings(arguments: &Arguments, own: Option<&BackboneInfo>) -> Vec<String> {
    let mut settings = Vec::new();
    if let Some(BackboneInfo { kind, stem, side, mean, std }) = own {
        settings.push(format!("model.backbone={}", kind.name()));
        settings.push(format!("model.stem={}", stem.name()));
        settings.push(format!("augment.side={side}"));
        settings.push(format!("augment.mean={mean:?}"));
        settings.push(format!("augment.std={std:?}"));
    }
    let options = [("model.backbone", &arguments.backbone), ("model.stem", &arguments.stem), ("data.dataset", &arguments.data)];
    settings.extend(options.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?))));
    settings.extend(arguments.settings.iter().cloned());
    settings
}

fn write_run(out: &Path, overwrite: bool, config: &Config, info: &BackboneInfo, tensors: &[TorchTensor]) -> Result<()> {
    let names: Vec<String> = tensors.iter().map(|tensor| format!("backbone.{}", tensor.name)).collect();
    let tensor = |(name, tensor)| {
        let (name, TorchTensor { shape, data, .. }): (&String, &TorchTensor) = (name, tensor);
        TensorRef { name, shape, data }
    };
    let tensors: Vec<TensorRef<'_>> = names.iter().zip(tensors).map(tensor).collect();
    let (run, _lock) = RunFolder::create_locked(out, overwrite)?;
    run.write_config(&config.to_toml())?;
    run.write_provenance(&provenance::gather(config, &Compute::new(config.threads)?, Vec::new()))?;
    Ok(run.save_checkpoint("last", &tensors, &info.to_metadata())?)
}
