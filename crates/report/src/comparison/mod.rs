//! Several runs on one page: settings and scores side by side, curves laid over each other, matrices, features and nearest neighbours
//! beside each other.

mod tables;

use std::collections::BTreeSet;

use maud::{Markup, html};
use relata_artifact::{FeatureSample, Metrics, Neighbours, ProbeResult, RunFolder, keep_what_counts};
use toml::Table;

use crate::feature_map::{Map, NOTHING_TO_DRAW};
use crate::headline::Facts;
use crate::health::{self, Health};
use crate::line_chart::{LineChart, MAX_SERIES};
use crate::numbers::{THIN, counted, percent, short};
use crate::published::{self, Beside};
use crate::scores::{in_order, label_share_pct, other_settings, protocol_title, rank, title_on_data, with_share};
use crate::shell::page;
use crate::{Error, Result, curves, heat_map, names, neighbours};

struct Run {
    name: String,
    facts: Facts,
    /// Everything that two runs with other seeds still have in common.
    settings: Table,
    seed: Option<i64>,
    metrics: Vec<Metrics>,
    /// What was measured on the backbone between epochs.
    online: Vec<Metrics>,
    probes: Vec<(String, ProbeResult)>,
    sample: Option<FeatureSample>,
    neighbours: Option<(Neighbours, Vec<u8>)>,
    /// What results on the run's own images are said to be of.
    own_data: Option<String>,
}

/// Renders a page that compares runs: settings, scores with their bounds, published figures where there are some for such a
/// run, training curves, confusion matrices, features with and without their labels, and nearest neighbours.
///
/// # Errors
/// [`Error::NoRuns`], a file that is there but cannot be read, or a chart that cannot be drawn.
pub fn render_comparison(runs: &[RunFolder]) -> Result<String> {
    if runs.is_empty() {
        return Err(Error::NoRuns);
    }
    let mut runs = runs.iter().map(gather).collect::<Result<Vec<_>>>()?;
    tell_apart(&mut runs);
    let lead = html! {
        p.outcome { (best(&runs)) }
    };
    let published: Vec<_> = runs.iter().flat_map(Run::beside).collect();
    let sections = [
        tables::settings(&runs),
        tables::scores(&runs),
        published::section(&published),
        training(&runs)?,
        confusions(&runs),
        health::of_runs(runs.iter().map(|run| (run.name.as_str(), Health::of(&run.probes, run.own_data.as_deref())))),
        features(&runs),
        neighbours::of_runs(runs.iter().map(|run| (run.name.as_str(), run.neighbours.as_ref()))),
    ];
    let title = format!("{} compared", counted(runs.len() as u64, "run"));
    Ok(page(&title, "Relata comparison", &lead, &sections, env!("CARGO_PKG_VERSION")))
}

fn gather(run: &RunFolder) -> Result<Run> {
    let (online, metrics): (Vec<_>, Vec<_>) = run.metrics()?.into_iter().partition(Metrics::is_online);
    let mut settings = run.config_table()?;
    let mut facts = Facts::gather(&settings, run.provenance()?.as_ref(), &metrics);
    names::fill_in(&mut facts, run)?;
    let seed = settings.remove("seed").and_then(|seed| seed.as_integer());
    keep_what_counts(&mut settings);
    Ok(Run {
        name: run.name(),
        facts,
        own_data: health::own_data(&settings),
        settings,
        seed,
        metrics,
        online,
        probes: in_order(run.probes()?),
        sample: run.feature_sample()?,
        neighbours: run.neighbours()?,
    })
}

/// Runs of the same name in several folders get a number.
fn tell_apart(runs: &mut [Run]) {
    for index in 1..runs.len() {
        let name = runs[index].name.clone();
        let taken = |candidate: &str| runs[..index].iter().any(|run| run.name == candidate);
        let numbered = |number: usize| if number == 1 { name.clone() } else { format!("{name} ({number})") };
        runs[index].name = (1..).map(numbered).find(|candidate| !taken(candidate)).unwrap_or(name.clone());
    }
}

impl Run {
    fn beside(&self) -> impl Iterator<Item = Beside<'_>> {
        // Earlier weights would be compared with what whole trainings reached.
        let probes = self.probes.iter().map(|(_, probe)| probe).filter(|probe| probe.is_of_last_weights());
        probes.map(|probe| Beside { run: &self.name, facts: &self.facts, probe })
    }
}

/// Scores are comparable only where these agree; in the order of the table.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    rank: usize,
    protocol: String,
    data: String,
    split: String,
    /// Share of the labels in hundredths of a percent; `None` for all.
    share: Option<u64>,
    /// What else is not as the run itself asks for.
    others: Option<String>,
}

impl Column {
    fn of(probe: &ProbeResult) -> Self {
        Self {
            rank: rank(&probe.protocol),
            protocol: probe.protocol.clone(),
            data: probe.data.clone(),
            split: probe.split.clone(),
            share: label_share_pct(probe).map(|pct| (100.0 * pct).round() as u64),
            others: other_settings(probe),
        }
    }

    fn title(&self) -> String {
        let title = with_share(&protocol_title(&self.protocol), self.share.map(|share| share as f64 / 100.0));
        self.others.iter().fold(title, |title, others| format!("{title}, {others}"))
    }

    /// Whether the runs were scored by settings that differ in more than seeds and trained steps.
    fn settings_differ(&self, runs: &[Run]) -> bool {
        let settings = |probe: &ProbeResult| {
            let mut settings = probe.settings.clone();
            settings.retain(|key, _| !["seed", "seeds", "step"].contains(&key.as_str()));
            (settings, probe.train_images, probe.test_images)
        };
        let mut all = runs.iter().filter_map(|run| self.find(run)).map(settings);
        let first = all.next();
        all.any(|other| Some(other) != first)
    }

    fn find<'a>(&self, run: &'a Run) -> Option<&'a ProbeResult> {
        run.probes.iter().map(|(_, probe)| probe).find(|probe| Self::of(probe) == *self)
    }
}

fn columns<'a>(runs: impl IntoIterator<Item = &'a Run>) -> BTreeSet<Column> {
    runs.into_iter().flat_map(|run| &run.probes).map(|(_, probe)| Column::of(probe)).collect()
}

/// The column that most runs share decides, the first of several.
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
    let (title, data) = (column.title(), &column.data);
    let score = scores.iter().map(|(score, _)| *score).fold(f64::MIN, f64::max);
    let leaders: Vec<&str> = scores.iter().filter(|(other, _)| *other == score).map(|(_, name)| *name).collect();
    let name = leaders.join(" and ");
    let is_best = if leaders.len() == 1 { "is best with" } else { "are level with" };
    let caveat = if column.settings_differ(runs) { " The probes' settings differ, so this is no fair race." } else { "" };
    match scores.len() {
        1 => format!("{title} on {data}: {name} reaches {}.", percent(score)),
        shared if shared == runs.len() => format!("{title} on {data}: {name} {is_best} {}.{caveat}", percent(score)),
        shared => format!("{title} on {data}: of {shared} runs {name} {is_best} {}.{caveat}", percent(score)),
    }
}

fn training(runs: &[Run]) -> Result<Markup> {
    // Steps of one run and epochs of another have no common axis.
    let by_epoch = runs.iter().all(|run| curves::has_epochs(&run.metrics));
    let x_label = curves::x_label(by_epoch);
    let lines_of = |of: fn(&Run) -> &[Metrics], field: &dyn Fn(&Metrics) -> Option<f64>| {
        let shown = runs.iter().take(MAX_SERIES);
        shown.map(|run| curves::series(&run.name, of(run), by_epoch, field)).collect::<Vec<_>>()
    };
    let lines = |field: &dyn Fn(&Metrics) -> Option<f64>| lines_of(|run| &run.metrics, field);
    let chart = |title, y_label: fn(f64) -> String, reference, series| LineChart {
        title,
        alt: format!("{title} of {}", counted(runs.len().min(MAX_SERIES) as u64, "run")),
        x_label,
        y_label,
        y_floor: None,
        reference,
        series,
    };
    let loss = chart("Loss", short, None, lines(&|line| line.loss));
    let pairs = lines(&|line| line.figure("pair_acc").map(|share| 100.0 * share));
    let pairs = chart("Pairs told rightly", |v| format!("{v:.0}{THIN}%"), Some((50.0, "guessing")), pairs);
    let speed = LineChart { y_floor: Some(0.0), ..chart("Views a second", short, None, lines(&|line| line.views_per_s)) };
    let mut charts = vec![loss.figure()?, pairs.figure()?];
    let sources: [fn(&Run) -> &[Metrics]; 2] = [|run| &run.metrics, |run| &run.online];
    for of in sources {
        let own: BTreeSet<&str> = runs.iter().flat_map(|run| curves::own_figures(of(run))).collect();
        for name in own {
            let factor = if curves::is_share(name) { 100.0 } else { 1.0 };
            let series = lines_of(of, &|line| Some(factor * line.extra.get(name)?.as_f64()?));
            let chart = chart(curves::own_title(name), curves::own_label(name), None, series);
            charts.push(LineChart { y_floor: curves::own_floor(name), ..chart }.figure()?);
        }
    }
    charts.push(speed.figure()?);
    let methods: BTreeSet<_> = runs.iter().filter_map(|run| run.facts.method.as_ref()).collect();
    Ok(html! {
        section #training {
            h2 { "Training" }
            div.charts { @for chart in charts.iter().flatten() { (chart) } }
            @if charts.iter().all(Option::is_none) { p.missing { "No run has metrics yet." } }
            @if methods.len() > 1 {
                p.note { "Losses of different methods measure different things; their heights cannot be compared." }
            }
            @if runs.iter().any(|run| !run.online.is_empty()) { p.note { (curves::ONLINE_NOTE) } }
            @if runs.len() > MAX_SERIES { p.note { "The first " (MAX_SERIES) " runs are drawn." } }
        }
    })
}

/// A run's first probe that has a matrix.
fn with_matrix(run: &Run) -> Option<(&Run, &ProbeResult)> {
    let probe = run.probes.iter().map(|(_, probe)| probe).find(|probe| heat_map::is_square(probe))?;
    Some((run, probe))
}

fn confusions(runs: &[Run]) -> Markup {
    let matrices: Vec<_> = runs.iter().filter_map(with_matrix).collect();
    html! {
        @if !matrices.is_empty() {
            section #confusions {
                h2 { "What is taken for what" }
                div.side-by-side {
                    @for (run, probe) in matrices {
                        figure.matrix {
                            figcaption {
                                h3 { (run.name) }
                                (title_on_data(probe))
                            }
                            (heat_map::figure(probe))
                        }
                    }
                }
            }
        }
    }
}

/// Pictures of the features that the runs kept.
fn features(runs: &[Run]) -> Markup {
    let samples: Vec<_> = runs.iter().filter_map(|run| Some((run, run.sample.as_ref()?))).collect();
    html! {
        @if !samples.is_empty() {
            section #features {
                h2 { "Features" }
                p {
                    "Each mark is an image, placed by its frozen features: images that a backbone takes for similar lie close together. "
                    "Colour and shape of a mark tell its class. Where a group lies, and how far from another, means nothing."
                }
                div.side-by-side {
                    @for (run, sample) in samples {
                        @match Map::of(sample) {
                            None => div { h3 { (run.name) } p.missing { (NOTHING_TO_DRAW) } },
                            Some(map) => figure.beside {
                                figcaption { h3 { (run.name) } (map.images()) ", placed by " (map.method_words()) "." }
                                (map.svg())
                                (map.legend())
                            },
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
