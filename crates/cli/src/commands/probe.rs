use std::path::PathBuf;

use clap::Args;
use relata_model::Compute;
use relata_probe::{Protocol, check_seeds};

use super::{open_run, with_settings};
use crate::evaluation::{Evaluation, score_table};
use crate::log::{Log, shown};
use crate::{Error, Result, output};

#[derive(Debug, Args)]
#[command(after_help = crate::words::help("Examples:
  relata probe runs/cifar10-conv4-relational-seed1
  relata probe runs/cifar10-conv4-relational-seed1 --protocol linear --data cifar100 data.root=datasets
  relata probe runs/cifar10-conv4-relational-seed1 --protocol logistic,kmeans,retrieval probe.logistic.l2=0.1
  relata probe runs/cifar10-conv4-relational-seed1 --seeds 1,2,3 probe.label_fraction=0.01
  relata probe runs/cifar10-conv4-relational-seed1 --checkpoint epoch-0005 probe.epochs=50"))]
pub struct Arguments {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Settings of data.* and probe.*, such as probe.epochs=50
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// linear, knn, logistic, kmeans, retrieval, several with commas between, or all; without it, the run's probe.protocols
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// Another data set than the run's own; images are prepared as the backbone was trained
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// Which checkpoint
    #[arg(long, value_name = "NAME", default_value = "last")]
    checkpoint: String,
    /// Scores from several seeds, as mean and standard deviation; without it, probe.seed alone
    #[arg(long, value_name = "1,2,3", value_delimiter = ',')]
    seeds: Vec<u64>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let (run, trained) = open_run(&arguments.run)?;
    let mut settings = arguments.settings.clone();
    settings.extend(arguments.data.iter().map(|name| format!("data.dataset={name}")));
    let config = with_settings(&trained, &settings)?;
    let protocols = match arguments.protocol.as_deref() {
        None => config.probe.protocols.clone(),
        Some("all") => Protocol::ALL.to_vec(),
        Some(names) => names.split(',').map(Protocol::from_name).collect::<Result<_, _>>()?,
    };
    let compute = Compute::new(config.threads)?;
    let log = Log::of_run(&run)?;
    let seeds = if arguments.seeds.is_empty() { vec![config.probe.seed] } else { arguments.seeds.clone() };
    check_seeds(&seeds)?;
    let evaluation = Evaluation { run: &run, trained: &trained, config: &config, checkpoint: &arguments.checkpoint, seeds };
    let Some(labelled) = evaluation.labelled()? else {
        return Err(Error::Probe(relata_probe::Error::Unlabelled { what: format!("data set {}", config.data.dataset) }));
    };
    let results = evaluation.scores(&protocols, &labelled, &compute, &log)?;
    output::result(score_table(&results));
    output::result(format!("report: {}", shown(&relata_report::write_report(&run)?)));
    Ok(())
}
