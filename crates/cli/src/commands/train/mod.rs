mod arguments;
mod finish;
mod folder;
mod memory;
mod plan;
mod progress;

use relata_artifact::RunFolder;
use relata_train::{Outcome, Trainer};

use crate::process_memory::peak_bytes;
use crate::terminal::format::{counted, mib_or_gib};
use crate::terminal::log::Log;
use crate::terminal::{interrupt, output};
use crate::{Config, Error, Result};
pub(super) use arguments::Arguments;
use arguments::request_of;
use folder::{RunStart, resume_command};
use plan::RunPlan;
use progress::TrainingProgress;

/// Everything that is checked before a run of this configuration starts, its folder apart, and nothing more.
pub(super) fn check(config: &Config) -> Result<()> {
    RunPlan::make(config)?.trainer(config).map(drop)
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    // What was said of a run before this one, in a comparison, no longer holds.
    interrupt::advise(None);
    let request = request_of(arguments)?;
    let mut start = RunStart::find(&request.out, arguments, &request)?;
    let plan = RunPlan::make(start.config())?;
    if arguments.dry_run {
        output::result(plan.in_words(start.config(), &request.out)?);
        return Ok(());
    }
    let mut trainer = plan.trainer(start.config())?;
    let (run, _lock) = start.open(&plan)?;
    let log = Log::of_run(&run)?;
    log.line(start.deed(&run, &request.recipe));
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

fn pick_up(trainer: &mut Trainer, run: &RunFolder, log: &Log) -> Result<()> {
    let found = trainer.resume(run)?;
    log.line(match (found, trainer.is_finished()) {
        (false, _) => "there is no checkpoint yet: starting from the first step".to_owned(),
        (true, false) => format!("going on after step {}", trainer.steps()),
        (true, true) => "training is finished already; for more, raise train.epochs".to_owned(),
    });
    Ok(())
}

fn train(trainer: &mut Trainer, run: &RunFolder, log: &Log, config: &Config, plan: &RunPlan) -> Result<()> {
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
            let peak = peak_bytes().map_or(String::new(), |peak| format!(", at most {} of memory", mib_or_gib(peak)));
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
