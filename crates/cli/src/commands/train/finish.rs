//! What follows training: scores beside random weights, the report, and a short table.

use relata_artifact::RunFolder;
use relata_probe::Protocol;

use super::folder::resume_command;
use super::plan::RunPlan;
use crate::scoring::evaluation::{Evaluation, LAST, score_table};
use crate::terminal::format::shown;
use crate::terminal::log::Log;
use crate::terminal::output;
use crate::{Config, Error, Result};

/// Runs the probes that the run does not have yet by its settings for its weights, and writes the report.
pub(super) fn finish(run: &RunFolder, config: &Config, plan: &RunPlan, log: &Log, report: bool) -> Result<()> {
    let probed = probes(run, config, plan, log);
    if let Err(error @ Error::Interrupted { .. }) = probed {
        return Err(error);
    }
    // A probe that failed is no reason to leave the training without its report.
    if report {
        let page = relata_report::write_report(run)?;
        probed?;
        output::result(format!("report: {}", shown(&page)));
    } else {
        probed?;
        output::result(format!("run: {}", shown(run.path())));
    }
    Ok(())
}

fn probes(run: &RunFolder, config: &Config, plan: &RunPlan, log: &Log) -> Result<()> {
    if let Some(labelled) = &plan.labelled {
        let (seeds, resume) = (vec![config.probe.seed], resume_command(run));
        let evaluation = Evaluation { run, trained: config, config, checkpoint: LAST, seeds, resume };
        let mut missing: Vec<Protocol> = Vec::new();
        for &protocol in &config.probe.protocols {
            if !evaluation.is_up_to_date(protocol)? {
                missing.push(protocol);
            }
        }
        if !missing.is_empty() {
            evaluation.scores(&missing, labelled, &plan.compute, log)?;
        }
        let results = evaluation.results(&config.probe.protocols)?;
        output::result(score_table(&results));
    }
    Ok(())
}
