//! Several runs on one page: settings and scores side by side, curves laid over each other, pictures beside each other.

use maud::html;
use relata_artifact::RunFolder;

use super::shell::page;
use crate::numbers::{counted, percent};
use crate::run::Run;
use crate::sections::SECTIONS;
use crate::sections::scores::column::{Column, columns};
use crate::{Error, Result};

/// Renders a page that compares runs: settings, scores with their bounds, published figures where there are some for such a
/// run, training curves, confusion matrices, features with and without their labels, and nearest neighbours.
///
/// # Errors
/// [`Error::NoRuns`], a file that is there but cannot be read, or a chart that cannot be drawn.
pub fn render_comparison(runs: &[RunFolder]) -> Result<String> {
    if runs.is_empty() {
        return Err(Error::NoRuns);
    }
    let mut runs = runs.iter().map(Run::read).collect::<Result<Vec<_>>>()?;
    number_equal_names(&mut runs);
    let lead = html! {
        p.outcome { (best(&runs)) }
    };
    let bodies = SECTIONS.iter().map(|section| Ok((section, (section.of_comparison)(&runs)?))).collect::<Result<Vec<_>>>()?;
    let title = format!("{} compared", counted(runs.len() as u64, "run"));
    Ok(page(&title, "Relata comparison", &lead, &bodies, env!("CARGO_PKG_VERSION")))
}

/// Runs of the same name in several folders get a number.
fn number_equal_names(runs: &mut [Run]) {
    for index in 1..runs.len() {
        let name = runs[index].name.clone();
        let taken = |candidate: &str| runs[..index].iter().any(|run| run.name == candidate);
        let numbered = |number: usize| if number == 1 { name.clone() } else { format!("{name} ({number})") };
        runs[index].name = (1..).map(numbered).find(|candidate| !taken(candidate)).unwrap_or(name.clone());
    }
}

/// The best run, by the column that most runs share; the first of several.
fn best(runs: &[Run]) -> String {
    let columns = columns(runs);
    if columns.is_empty() {
        return "None of these runs has been probed yet.".to_owned();
    }
    let scores = |column: &Column| -> Vec<(f64, &str)> {
        runs.iter().filter_map(|run| Some((column.find(run)?.accuracy_pct, run.name.as_str()))).collect()
    };
    let shared = columns.iter().map(|column| (column, scores(column))).rev().max_by_key(|(_, scores)| scores.len());
    let Some((column, scores)) = shared.filter(|(_, scores)| scores.len() > 1 || runs.len() == 1) else {
        return "These runs share no protocol on the same data, so their scores cannot be ranked.".to_owned();
    };
    let (title, data) = (column.title(), column.data());
    let score = scores.iter().map(|(score, _)| *score).fold(f64::MIN, f64::max);
    let leaders: Vec<&str> = scores.iter().filter(|(other, _)| *other == score).map(|(_, name)| *name).collect();
    let name = leaders.join(" and ");
    let is_best = if leaders.len() == 1 { "is best with" } else { "are level with" };
    let caveat = if column.settings_differ(runs) { " The probes' settings differ, so this comparison is not fair." } else { "" };
    match scores.len() {
        1 => format!("{title} on {data}: {name} reaches {}.", percent(score)),
        shared if shared == runs.len() => format!("{title} on {data}: {name} {is_best} {}.{caveat}", percent(score)),
        shared => format!("{title} on {data}: of {shared} runs {name} {is_best} {}.{caveat}", percent(score)),
    }
}
