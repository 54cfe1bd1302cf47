//! One row a recipe: mean and standard deviation over its seeds, time, the published figure where budgets match.

use std::collections::BTreeMap;
use std::path::Path;

use relata_artifact::{RunFolder, write_atomic};
use serde::Serialize;

use super::entry::Entry;
use crate::{Error, Result, output};

/// Milliseconds that each run took, over all commands that worked on it: whole, so that they are read as they were written.
pub(super) type Times = BTreeMap<String, u64>;

const TIMES: &str = "times.json";

/// What the seeds of one recipe came to.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    run: String,
    seeds: Vec<u64>,
    scores: BTreeMap<String, Score>,
    /// Mean over the runs whose time is known.
    seconds: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Score {
    mean_pct: f64,
    /// Sample standard deviation; none for one seed.
    std_points: Option<f64>,
    by_seed_pct: Vec<f64>,
    random_pct: Option<f64>,
    published_pct: Option<f64>,
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

pub(super) fn rows(entries: &[Entry], times: &Times) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for group in entries.chunk_by(|a, b| a.group == b.group) {
        let mut scores: BTreeMap<String, Score> = BTreeMap::new();
        let mut seeds = Vec::new();
        for entry in group {
            let Ok(run) = RunFolder::open(&entry.out) else { continue };
            seeds.push(entry.seed);
            for (name, probe) in run.probes()? {
                let empty =
                    Score { mean_pct: 0.0, std_points: None, by_seed_pct: Vec::new(), random_pct: None, published_pct: None };
                let score = scores.entry(name).or_insert(empty);
                score.by_seed_pct.push(probe.accuracy_pct);
                score.random_pct = score.random_pct.or(probe.baseline_random_pct);
                score.published_pct = relata_report::published_pct(&run, &probe)?;
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
        let n = self.by_seed_pct.len() as f64;
        self.mean_pct = self.by_seed_pct.iter().sum::<f64>() / n;
        let squares: f64 = self.by_seed_pct.iter().map(|pct| (pct - self.mean_pct).powi(2)).sum();
        self.std_points = (n > 1.0).then(|| (squares / (n - 1.0)).sqrt());
    }

    fn words(&self) -> String {
        let deviation = self.std_points.map_or_else(String::new, |points| format!(" ± {points:.2}"));
        format!("{:.2}{deviation}", self.mean_pct)
    }
}

/// Title and cells.
fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let protocols: std::collections::BTreeSet<&String> = rows.iter().flat_map(|row| row.scores.keys()).collect();
    let mut titles = vec!["run".to_owned(), "seeds".to_owned()];
    titles.extend(protocols.iter().map(|name| format!("{name} %")));
    titles.extend(["random %", "published %", "seconds"].map(str::to_owned));
    let mut table = vec![titles];
    for row in rows {
        let first = row.scores.get("linear").or_else(|| row.scores.values().next());
        let seeds: Vec<String> = row.seeds.iter().map(u64::to_string).collect();
        let number = |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
        let mut cells = vec![row.run.clone(), if seeds.is_empty() { "none".to_owned() } else { seeds.join(",") }];
        cells.extend(protocols.iter().map(|name| row.scores.get(*name).map_or_else(|| "-".to_owned(), Score::words)));
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

    #[test]
    fn seeds_have_a_mean_and_a_sample_deviation() {
        let mut score =
            Score { mean_pct: 0.0, std_points: None, by_seed_pct: vec![50.0, 52.0, 54.0], random_pct: None, published_pct: None };
        score.average();
        assert_eq!((score.mean_pct, score.std_points, score.words().as_str()), (52.0, Some(2.0), "52.00 ± 2.00"));
        score.by_seed_pct.truncate(1);
        score.average();
        assert_eq!(score.words(), "50.00");
    }
}
