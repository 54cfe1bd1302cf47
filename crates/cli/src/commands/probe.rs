use std::path::PathBuf;

use clap::Args;
use relata_artifact::RunLock;
use relata_model::Compute;
use relata_probe::{Protocol, check_seeds};

use super::open_run::{open_run, with_settings};
use super::seeds::seed;
use crate::provenance::command_line;
use crate::scoring::evaluation::{Evaluation, score_table};
use crate::scoring::feature_files::{self, FeatureFiles};
use crate::terminal::format::shown;
use crate::terminal::log::Log;
use crate::terminal::output;
use crate::{Config, Error, Result};

#[derive(Debug, Args)]
#[command(after_help = crate::terminal::program::help("Examples:
  relata probe runs/cifar10-conv4-relational-seed1
  relata probe runs/cifar10-conv4-relational-seed1 --protocol linear --data cifar100 data.root=datasets
  relata probe runs/cifar10-conv4-relational-seed1 --protocol logistic,kmeans,retrieval probe.logistic.l2=0.1
  relata probe runs/cifar10-conv4-relational-seed1 --seeds 1,2,3 probe.label_fraction=0.01
  relata probe runs/cifar10-conv4-relational-seed1 --checkpoint epoch-0005 probe.epochs=50
  relata probe runs/stl10-resnet34-relational-seed1 --protocol finetune probe.finetune.epochs=100
  relata probe --features train.npy --labels train.labels.npy --test-features test.npy --test-labels test.labels.npy
  relata probe --features train.safetensors --test-features test.safetensors --protocol all --out scores

Results go to the run's folder probes. A file is named by its protocol and by the settings that differ from the run's own:
linear.json, linear-epochs=50.json, linear-cifar100-seeds=1+2+3.json. So no result overwrites that of other settings."))]
pub struct Arguments {
    /// The run's folder; none with --features
    #[arg(value_name = "RUN", required_unless_present = "features")]
    run: Option<PathBuf>,
    /// Settings of data.* and probe.*, such as probe.epochs=50
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
    #[arg(long, value_name = "PROTOCOL", help = protocol_help(), long_help = protocol_long_help())]
    protocol: Option<String>,
    /// Another data set than the run's own; its images are prepared as those that the backbone was trained on
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// The checkpoint: last, or another name below the run's checkpoints folder, such as epoch-0050
    #[arg(long, value_name = "NAME", default_value = "last")]
    checkpoint: String,
    /// Training features from a file instead of a run: .npy, .safetensors or .csv
    #[arg(long, value_name = "FILE", requires = "test_features", conflicts_with_all = ["data", "checkpoint"])]
    features: Option<PathBuf>,
    /// Labels of the training features, .npy; without it, those in the features' file or in .labels.npy beside it
    #[arg(long, value_name = "FILE", requires = "features")]
    labels: Option<PathBuf>,
    /// Test features, in a file of the same kinds
    #[arg(long, value_name = "FILE", requires = "features")]
    test_features: Option<PathBuf>,
    /// Labels of the test features
    #[arg(long, value_name = "FILE", requires = "features")]
    test_labels: Option<PathBuf>,
    /// With --features: the folder for the results, one file for each protocol
    #[arg(long, value_name = "FOLDER", requires = "features")]
    out: Option<PathBuf>,
    /// Scores with each of several seeds, and gives mean and standard deviation; without it, probe.seed alone
    #[arg(long, value_name = "1,2,3", value_delimiter = ',', value_parser = seed())]
    seeds: Vec<u64>,
}

fn protocol_help() -> String {
    let names = |protocols: &mut dyn Iterator<Item = Protocol>| protocols.map(Protocol::name).collect::<Vec<_>>().join(", ");
    format!(
        "{}, several with commas between, or all (of these); {} train the backbone, and take as long (Ctrl-C saves; the same \
         command goes on); without it, the run's probe.protocols",
        names(&mut Protocol::frozen()),
        names(&mut Protocol::all().filter(|protocol| protocol.trains_backbone()))
    )
}

/// With what each protocol does.
fn protocol_long_help() -> String {
    let width = Protocol::all().map(|protocol| protocol.name().len()).max().unwrap_or_default();
    let line = |protocol: Protocol| format!("\n{protocol:<width$}  {}", protocol.info().summary);
    format!("{}\n{}", protocol_help(), Protocol::all().map(line).collect::<String>())
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    match (&arguments.features, &arguments.test_features) {
        (Some(train), Some(test)) => files(arguments, train.clone(), test.clone()),
        _ => trained(arguments),
    }
}

/// Scores a run's backbone.
fn trained(arguments: &Arguments) -> Result<()> {
    let Some(path) = &arguments.run else {
        return Err(Error::Usage("expected a run's folder, or --features and --test-features".to_owned()));
    };
    let (run, trained) = open_run(path)?;
    let mut settings = arguments.settings.clone();
    settings.extend(arguments.data.iter().map(|name| format!("data.dataset={name}")));
    let config = with_settings(&trained, &settings)?;
    let (protocols, seeds) = (protocols(arguments, &config)?, seeds(arguments, &config)?);
    let compute = Compute::new(config.threads)?;
    let log = Log::of_run(&run)?;
    let (checkpoint, resume) = (&arguments.checkpoint, command_line());
    let evaluation = Evaluation { run: &run, trained: &trained, config: &config, checkpoint, seeds, resume };
    let Some(labelled) = evaluation.labelled()? else {
        return Err(Error::Probe(relata_probe::Error::Unlabelled { what: format!("data set {}", config.data.dataset) }));
    };
    // Trainings keep their state in the folder.
    let _lock = protocols.iter().any(|protocol| protocol.trains_backbone()).then(|| RunLock::acquire(run.path())).transpose()?;
    let results = evaluation.scores(&protocols, &labelled, &compute, &log)?;
    output::result(score_table(&results));
    output::result(format!("report: {}", shown(&relata_report::write_report(&run)?)));
    Ok(())
}

/// Scores features from files.
fn files(arguments: &Arguments, train: PathBuf, test: PathBuf) -> Result<()> {
    let mut settings = arguments.settings.clone();
    // With no run, the first setting stands in its place.
    if let Some(run) = &arguments.run {
        let setting = run.to_string_lossy().into_owned();
        if !setting.contains('=') {
            return Err(Error::Usage(format!("{setting:?} is a run's folder: give a run or --features, not both")));
        }
        settings.insert(0, setting);
    }
    let config = with_settings(&Config::default(), &settings)?;
    let (protocols, seeds) = (protocols(arguments, &config)?, seeds(arguments, &config)?);
    let (labels, test_labels) = (arguments.labels.clone(), arguments.test_labels.clone());
    let files = FeatureFiles { train, labels, test, test_labels };
    let results = feature_files::scores(&files, &config, &protocols, &seeds, arguments.out.as_deref())?;
    output::result(score_table(&results));
    Ok(())
}

fn protocols(arguments: &Arguments, config: &Config) -> Result<Vec<Protocol>> {
    Ok(match arguments.protocol.as_deref() {
        None => config.probe.protocols.clone(),
        Some("all") => Protocol::frozen().collect(),
        Some(names) => names.split(',').map(Protocol::from_name).collect::<Result<_, _>>()?,
    })
}

fn seeds(arguments: &Arguments, config: &Config) -> Result<Vec<u64>> {
    let seeds = if arguments.seeds.is_empty() { vec![config.probe.seed] } else { arguments.seeds.clone() };
    check_seeds(&seeds)?;
    Ok(seeds)
}
