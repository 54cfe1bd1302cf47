//! Scores of features that come from files instead of a run's backbone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use relata_artifact::{ProbeResult, write_atomic};
use relata_model::Compute;
use relata_probe::{FeatureFile, Protocol, ScoredOn, evaluate_seeds, health, labelled_pair};

use crate::terminal::format::shown;
use crate::terminal::output;
use crate::{Config, Result};

/// Where features and labels are.
pub(crate) struct FeatureFiles {
    pub(crate) train: PathBuf,
    /// `None`: in the features' file, or beside it.
    pub(crate) labels: Option<PathBuf>,
    pub(crate) test: PathBuf,
    pub(crate) test_labels: Option<PathBuf>,
}

/// Runs the protocols, and writes `<protocol>.json` into the folder `out` where there is one. There are no random weights to
/// compare with.
pub(crate) fn scores(
    files: &FeatureFiles,
    config: &Config,
    protocols: &[Protocol],
    seeds: &[u64],
    out: Option<&Path>,
) -> Result<Vec<ProbeResult>> {
    let train = FeatureFile::read(&files.train, files.labels.as_deref())?;
    let test = FeatureFile::read(&files.test, files.test_labels.as_deref())?;
    let (train, test) = labelled_pair(train, test)?;
    let compute = Compute::new(config.threads)?;
    let scored = ScoredOn { data: shown(&files.test), split: "test".to_owned(), checkpoint: String::new() };
    let health = health(&test, &compute);
    health.warnings.iter().for_each(|warning| output::note(format!("note: {warning}")));
    let mut results = Vec::new();
    for &protocol in protocols {
        let start = Instant::now();
        let score = evaluate_seeds(protocol, &config.probe, seeds, &train, &test, &compute)?;
        let mut result = score.result(&scored, None, start.elapsed().as_secs_f64())?;
        result.settings.insert("train_features".to_owned(), shown(&files.train).into());
        result.feature_health = Some(health.clone());
        if let Some(folder) = out {
            write(&folder.join(format!("{protocol}.json")), &result)?;
        }
        results.push(result);
    }
    Ok(results)
}

fn write(path: &Path, result: &ProbeResult) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| relata_artifact::Error::Io {
            action: "create",
            path: folder.to_owned(),
            source,
        })?;
    }
    let text = serde_json::to_string_pretty(result).expect("a result holds nothing but what JSON knows");
    write_atomic(path, format!("{text}\n").as_bytes())?;
    output::result(format!("result: {}", shown(path)));
    Ok(())
}
