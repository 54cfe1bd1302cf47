mod finish;
mod folder;
mod memory;
mod plan;

use std::path::{Path, PathBuf};

use clap::Args;
use relata_artifact::RunFolder;
use relata_train::{Outcome, Trainer};

use crate::config::Recipe;
use crate::log::{Log, shown};
use crate::process_memory::peak_bytes;
use crate::progress::TrainingProgress;
use crate::words::{counted, program};
use crate::{Config, Error, Result, interrupt, output};
use folder::Start;
use plan::Plan;

#[derive(Debug, Args)]
#[command(after_help = crate::words::help("Examples:
  relata train                                               shapes, in half a minute: a first look
  relata train configs/cifar10/conv4-relational.toml data.root=datasets
  relata train data.dataset=folder data.path=photos augment.side=64 --out runs/photos
  relata train --out runs/photos --resume train.epochs=100   go on, for longer

Without a RECIPE, the data set shapes takes the built-in quick.toml, any other data set the defaults.
Ctrl-C finishes the step and saves; a second one ends at once."))]
pub struct Arguments {
    /// A TOML file with settings, then settings that win over it, such as train.epochs=10 augment.jitter.hue=0.5
    #[arg(value_name = "RECIPE | KEY=VALUE")]
    recipe_and_settings: Vec<String>,
    /// The run's folder; without it, runs/<dataset>-<backbone>-<method>-seed<seed>
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Goes on with the run where its last checkpoint left it; its configuration comes from its folder
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replaces a run that is there
    #[arg(long)]
    overwrite: bool,
    /// Prints the configuration and what the run would take, and stops
    #[arg(long)]
    dry_run: bool,
    /// Writes no report at the end
    #[arg(long)]
    no_report: bool,
    /// What goes on with it where that is not `train --resume`.
    #[arg(skip)]
    go_on_with: Option<String>,
}

impl Arguments {
    /// As a comparison asks for one of its runs.
    pub(super) fn of_comparison(recipe_and_settings: Vec<String>, out: PathBuf, resume: bool) -> Self {
        let go_on_with = Some("the same command".to_owned());
        Self { recipe_and_settings, out: Some(out), resume, overwrite: false, dry_run: false, no_report: false, go_on_with }
    }
}

/// Everything that is checked before a run of this configuration starts, its folder apart, and nothing more.
pub(super) fn check(config: &Config) -> Result<()> {
    Plan::make(config)?.trainer(config).map(drop)
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    // What was said of a run before this one, in a comparison, no longer holds.
    interrupt::advise(None);
    let given = given(arguments)?;
    let mut start = Start::find(&given.out, arguments, &given)?;
    let plan = Plan::make(start.config())?;
    if arguments.dry_run {
        output::result(plan.in_words(start.config(), &given.out)?);
        return Ok(());
    }
    let mut trainer = plan.trainer(start.config())?;
    let (run, _lock) = start.open(&plan)?;
    let log = Log::of_run(&run)?;
    log.line(start.deed(&run, &given.recipe));
    log.line(plan.summary(start.config()));
    plan.notes(&log);
    if start.resumes() {
        pick_up(&mut trainer, &run, &log)?;
    }
    start.note_resume(&plan)?;
    train(&mut trainer, &run, &log, start.config(), &plan)?;
    drop(trainer);
    let command = arguments.go_on_with.clone().unwrap_or_else(|| resume_command(&run));
    interrupt::advise(Some(format!("the training is done; for the rest: {command}")));
    finish::finish(&run, start.config(), &plan, &log, !arguments.no_report)
}

/// What the arguments name.
struct Given {
    recipe: Recipe,
    /// The settings of the command line alone.
    settings: Vec<String>,
    out: PathBuf,
}

fn given(arguments: &Arguments) -> Result<Given> {
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
    Ok(Given { recipe, settings, out })
}

fn pick_up(trainer: &mut Trainer, run: &RunFolder, log: &Log) -> Result<()> {
    let found = trainer.resume(run)?;
    log.line(match (found, trainer.is_finished()) {
        (false, _) => "there is no checkpoint yet: starting from the first step".to_owned(),
        (true, false) => format!("going on after step {}", trainer.steps()),
        (true, true) => "training is finished already; for more, raise train.epochs".to_owned(),
    });
    Ok(())
}

fn train(trainer: &mut Trainer, run: &RunFolder, log: &Log, config: &Config, plan: &Plan) -> Result<()> {
    if trainer.is_finished() {
        return Ok(());
    }
    let graceful = interrupt::Graceful::start();
    let outcome = trainer.run(run, &mut TrainingProgress::new(log, plan.online.as_ref()));
    let pressed = interrupt::requested();
    drop(graceful);
    match outcome.inspect_err(|error| log.only_to_file(format!("error: {error}")))? {
        Outcome::Stopped { step } => {
            log.only_to_file(format!("interrupted after step {step}"));
            Err(interrupted(step, run))
        }
        // Ctrl-C in the very last step: all is trained, and the user wants no probes now.
        Outcome::Finished { step } if pressed => Err(interrupted(step, run)),
        Outcome::Finished { step } => {
            let peak = peak_bytes().map_or(String::new(), |peak| format!(", at most {} of memory", memory::bytes(peak)));
            log.line(match step {
                0 => "nothing to train: the initial weights are saved".to_owned(),
                _ => format!("trained: {}, {step} steps{peak}", counted(config.train.epochs as usize, "epoch")),
            });
            Ok(())
        }
    }
}

fn interrupted(step: u64, run: &RunFolder) -> Error {
    Error::Interrupted { after: format!("step {step}"), resume: resume_command(run) }
}

fn resume_command(run: &RunFolder) -> String {
    format!("{} train --resume {}", program(), shown(run.path()))
}
