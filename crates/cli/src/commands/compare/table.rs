//! One row a recipe: mean and standard deviation over its seeds, time, the published figure where budgets match.

use std::collections::BTreeMap;
use std::path::Path;

use relata_artifact::{ProbeResult, RunFolder, mean_and_deviation, write_atomic};
use relata_probe::Protocol;
use serde::Serialize;

use super::compared_run::ComparedRun;
use crate::terminal::output;
use crate::{Error, Result};

/// Milliseconds that each run took, over all commands that worked on it: whole, so that they are read as they were written.
pub(super) type Times = BTreeMap<String, u64>;

const TIMES: &str = "times.json";

/// What the seeds of one recipe came to.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    run: String,
    /// Of the runs that are there, scored or not.
    seeds: Vec<u64>,
    scores: BTreeMap<String, Score>,
    /// Mean over the runs whose time is known.
    seconds: Option<f64>,
}

#[derive(Debug, Default, Serialize)]
struct Score {
    mean_pct: f64,
    /// Sample standard deviation; none for one seed.
    std_points: Option<f64>,
    /// The runs that have this score, and what each reached.
    seeds: Vec<u64>,
    by_seed_pct: Vec<f64>,
    /// Mean over the runs where it was measured.
    random_pct: Option<f64>,
    /// None where it does not hold for all of the runs.
    published_pct: Option<f64>,
    #[serde(skip)]
    random_by_seed_pct: Vec<f64>,
    #[serde(skip)]
    published_by_seed_pct: Vec<Option<f64>>,
}

pub(super) fn times(out: &Path) -> Result<Times> {
    let path = out.join(TIMES);
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Times::new()),
        Err(source) => Err(relata_artifact::Error::Io { action: "read", path, source }.into()),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| Error::Usage(format!("{} is damaged ({error}): remove it; only times are lost", path.display()))),
    }
}

pub(super) fn write_times(out: &Path, times: &Times) -> Result<()> {
    let text = serde_json::to_string_pretty(times).unwrap_or_default();
    Ok(write_atomic(&out.join(TIMES), text.as_bytes())?)
}

pub(super) fn rows(entries: &[ComparedRun], times: &Times) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for group in entries.chunk_by(|a, b| a.group == b.group) {
        let mut scores: BTreeMap<String, Score> = BTreeMap::new();
        let mut seeds = Vec::new();
        for entry in group {
            let Ok(run) = RunFolder::open(&entry.out) else { continue };
            seeds.push(entry.seed);
            // By what a result is, not by what its file is called. One of earlier weights is no score of this training.
            let probes = run.probes()?.into_iter().map(|(_, probe)| probe);
            let current: BTreeMap<String, ProbeResult> = probes.filter(is_current).map(|probe| (probe.stem(), probe)).collect();
            for (name, probe) in current {
                let score = scores.entry(name).or_default();
                score.seeds.push(entry.seed);
                score.by_seed_pct.push(probe.accuracy_pct);
                score.random_by_seed_pct.extend(probe.baseline_random_pct);
                score.published_by_seed_pct.push(relata_report::published_pct(&run, &probe)?);
            }
        }
        scores.values_mut().for_each(Score::average);
        let known: Vec<u64> = group.iter().filter_map(|entry| times.get(&entry.run_name()).copied()).collect();
        let seconds = (!known.is_empty()).then(|| known.iter().sum::<u64>() as f64 / 1000.0 / known.len() as f64);
        rows.push(Row { run: group[0].group.clone(), seeds, scores, seconds });
    }
    Ok(rows)
}

impl Score {
    fn average(&mut self) {
        (self.mean_pct, self.std_points) = mean_and_deviation(&self.by_seed_pct);
        self.random_pct = (!self.random_by_seed_pct.is_empty()).then(|| mean_and_deviation(&self.random_by_seed_pct).0);
        let published = &self.published_by_seed_pct;
        self.published_pct =
            published.first().copied().flatten().filter(|pct| published.iter().all(|other| *other == Some(*pct)));
    }

    /// `52.00 ± 2.00`, with its seeds where they are not those of the whole row.
    fn words(&self, seeds_of_row: &[u64]) -> String {
        let deviation = self.std_points.map_or_else(String::new, |points| format!(" ± {points:.2}"));
        let seeds = if self.seeds == seeds_of_row { String::new() } else { format!(" (seeds {})", listed(&self.seeds)) };
        format!("{:.2}{deviation}{seeds}", self.mean_pct)
    }
}

/// Whether it is of the weights that the run has now, or of a checkpoint that it kept on purpose.
fn is_current(probe: &ProbeResult) -> bool {
    probe.differs.iter().all(|difference| difference.key != "step")
}

fn listed(seeds: &[u64]) -> String {
    seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// Title and cells.
fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let protocols: std::collections::BTreeSet<&String> = rows.iter().flat_map(|row| row.scores.keys()).collect();
    let mut titles = vec!["run".to_owned(), "seeds".to_owned()];
    titles.extend(protocols.iter().map(|name| format!("{name} %")));
    titles.extend(["random %", "published %", "seconds"].map(str::to_owned));
    let mut table = vec![titles];
    for row in rows {
        let by_rank = Protocol::all().find_map(|protocol| row.scores.get(protocol.name()));
        let first = by_rank.or_else(|| row.scores.values().next());
        let number = |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
        let mut cells = vec![row.run.clone(), if row.seeds.is_empty() { "none".to_owned() } else { listed(&row.seeds) }];
        cells.extend(
            protocols.iter().map(|name| row.scores.get(*name).map_or_else(|| "-".to_owned(), |score| score.words(&row.seeds))),
        );
        cells.push(number(first.and_then(|score| score.random_pct), 2));
        cells.push(number(first.and_then(|score| score.published_pct), 2));
        cells.push(number(row.seconds, 1));
        table.push(cells);
    }
    table
}

pub(super) fn text(rows: &[Row]) -> String {
    output::table(&cells(rows))
}

pub(super) fn markdown(rows: &[Row]) -> String {
    let table = cells(rows);
    let line = |cells: &Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&table[0]);
    text.push_str(&format!("|{}\n", "---|".repeat(table[0].len())));
    table[1..].iter().for_each(|cells| text.push_str(&line(cells)));
    text
}

pub(super) fn json(rows: &[Row], times: &Times) -> String {
    let value = serde_json::json!({ "rows": rows, "milliseconds_by_run": times });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::Score;

    fn score(seeds: &[u64], by_seed_pct: &[f64]) -> Score {
        let mut score = Score { seeds: seeds.to_vec(), by_seed_pct: by_seed_pct.to_vec(), ..Score::default() };
        score.average();
        score
    }

    #[test]
    fn seeds_have_a_mean_and_a_sample_deviation() {
        let three = score(&[1, 2, 3], &[50.0, 52.0, 54.0]);
        assert_eq!((three.mean_pct, three.std_points), (52.0, Some(2.0)));
        assert_eq!(three.words(&[1, 2, 3]), "52.00 ± 2.00");
        assert_eq!(score(&[1], &[50.0]).words(&[1]), "50.00");
    }

    #[test]
    fn a_mean_of_fewer_runs_than_the_row_has_names_them() {
        assert_eq!(score(&[1, 3], &[50.0, 52.0]).words(&[1, 2, 3]), "51.00 ± 1.41 (seeds 1,3)");
    }

    #[test]
    fn random_weights_are_a_mean_and_a_published_figure_holds_for_all_or_not() {
        let figures = |random: &[f64], published: &[Option<f64>]| {
            let (random_by_seed_pct, published_by_seed_pct) = (random.to_vec(), published.to_vec());
            let mut score = Score { random_by_seed_pct, published_by_seed_pct, ..score(&[1, 2], &[50.0, 52.0]) };
            score.average();
            (score.random_pct, score.published_pct)
        };
        assert_eq!(figures(&[30.0, 34.0], &[Some(61.0), Some(61.0)]), (Some(32.0), Some(61.0)));
        assert_eq!(figures(&[], &[None, Some(61.0)]), (None, None));
        assert_eq!(figures(&[30.0], &[Some(61.0), None]), (Some(30.0), None));
    }
}
