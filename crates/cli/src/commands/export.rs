use std::path::PathBuf;

use clap::Args;
use relata_model::{Compute, write_safetensors};

use super::open_run::open_run;
use crate::terminal::format::shown;
use crate::terminal::output;
use crate::{Result, network};

#[derive(Debug, Args)]
#[command(after_help = crate::terminal::program::help("Example:
  relata export runs/shapes-conv4-relational-seed1 --out conv4.safetensors

In PyTorch, with a model of the same architecture:
  model.load_state_dict(safetensors.torch.load_file(\"conv4.safetensors\"), strict=False)"))]
pub struct Arguments {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The checkpoint: last, or another name below the run's checkpoints folder, such as epoch-0050
    #[arg(long, value_name = "NAME", default_value = "last")]
    checkpoint: String,
    /// The file to write; without it, <run>.safetensors in the current folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let (run, config) = open_run(&arguments.run)?;
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.safetensors", run.name())));
    let loaded = network::load(&run, &config, &arguments.checkpoint, Compute::new(1)?)?;
    write_safetensors(&out, &loaded.backbone.parameters().torch_tensors(), &loaded.info.to_metadata())?;
    let tensors = loaded.backbone.parameters().torch_tensors().len();
    output::result(format!("{}: {tensors} tensors of {}", shown(&out), loaded.info.architecture().describe()));
    Ok(())
}
