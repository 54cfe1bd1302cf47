//! Where a run comes from, gathered at its start.

use std::time::SystemTime;

use relata_artifact::{DataFingerprint, DatasetFacts, Provenance, RunFacts};
use relata_data::Dataset;
use relata_model::Compute;

use crate::Config;
use crate::scoring::online;
use crate::terminal::format::utc;

/// The commit that was built, as the build script found it; empty where it was no checkout.
pub(crate) const COMMIT: &str = match option_env!("RELATA_COMMIT") {
    Some(commit) => commit,
    None => "",
};

/// What a run's `provenance.json` says.
pub(crate) fn gather(config: &Config, compute: &Compute, data: Vec<DataFingerprint>) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: COMMIT.to_owned(),
        seed: config.seed,
        device: "cpu".to_owned(),
        instruction_set: compute.isa().to_string(),
        threads: compute.threads(),
        machine: machine(),
        started_at: utc(SystemTime::now()),
        command: command_line(),
        data,
        facts: RunFacts {
            method: Some(config.method.facts(config.augment.views)),
            dataset: dataset_facts(config),
            online: if config.online.every > 0 { online::figures() } else { Vec::new() },
        },
        extra: [("jpeg_decoder".to_owned(), relata_data::JPEG_DECODER.into())].into_iter().collect(),
    }
}

/// What the data set's entry says of it.
fn dataset_facts(config: &Config) -> Option<DatasetFacts> {
    let entry = relata_data::entry(&config.data.dataset).ok()?;
    Some(DatasetFacts { name: entry.name.to_owned(), note: entry.note.to_owned() })
}

/// This process's command, as a shell takes it.
pub(crate) fn command_line() -> String {
    std::env::args().map(quoted).collect::<Vec<_>>().join(" ")
}

/// One split of a data set, for the record.
pub(crate) fn fingerprint(name: &str, split: &str, dataset: &dyn Dataset) -> DataFingerprint {
    DataFingerprint {
        name: name.to_owned(),
        split: split.to_owned(),
        images: dataset.len() as u64,
        sha256: dataset.fingerprint().to_owned(),
    }
}

/// Operating system and processor: `linux x86_64, Intel(R) Xeon(R) ...`.
fn machine() -> String {
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let listing = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = listing.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
    model.map_or(system.clone(), |model| format!("{system}, {model}"))
}

fn quoted(argument: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) { argument } else { format!("'{}'", argument.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn an_argument_is_quoted_where_a_shell_would_split_it() {
        let arguments = ["train.lr=1e-3", "probe.protocols=[\"knn\"]", "it's", ""];
        let expected = ["train.lr=1e-3", "'probe.protocols=[\"knn\"]'", r"'it'\''s'", "''"];
        assert_eq!(arguments.map(str::to_owned).map(quoted), expected);
    }
}
