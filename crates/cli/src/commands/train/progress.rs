//! What a training run shows while it goes: a bar on a terminal, a line every few seconds elsewhere.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use relata_model::Backbone;
use relata_train::{EpochReport, Event, Flow, Observer, ObserverError, StepReport};

use crate::scoring::online::OnlineKnn;
use crate::terminal::format::{counted, duration, shown};
use crate::terminal::log::Log;
use crate::terminal::{interrupt, progress};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Tells the user how training goes, and training that the user pressed Ctrl-C.
pub(crate) struct TrainingProgress<'a> {
    log: &'a Log,
    bar: Option<ProgressBar>,
    last_line: Instant,
    online: Option<&'a OnlineKnn>,
    /// What was measured after the epoch whose report follows.
    measured: Option<String>,
}

impl<'a> TrainingProgress<'a> {
    pub(crate) fn new(log: &'a Log, online: Option<&'a OnlineKnn>) -> Self {
        let bar = progress::bar("{prefix} [{bar:24}] {pos}/{len}  {msg}");
        log.show(bar.clone());
        Self { log, bar, last_line: Instant::now(), online, measured: None }
    }

    fn step(&mut self, step: &StepReport) {
        if let Some(bar) = &self.bar {
            bar.set_length(step.batches as u64);
            bar.set_position(step.batch as u64);
            bar.set_prefix(format!("epoch {}/{}", step.epoch, step.epochs));
            bar.set_message(figures_of(step));
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let StepReport { epoch, epochs, batch, batches, .. } = step;
            self.log.only_to_user(format!("epoch {epoch}/{epochs}, batch {batch}/{batches}: {}", figures_of(step)));
        }
    }

    fn epoch(&mut self, epoch: &EpochReport) {
        let mut line = epoch_words(epoch);
        if let Some(measured) = self.measured.take() {
            line.push_str(&format!("; {measured}"));
        }
        self.log.line(line);
        self.last_line = Instant::now();
    }
}

impl Observer for TrainingProgress<'_> {
    fn event(&mut self, event: &Event<'_>) -> Flow {
        match event {
            Event::Step(step) => self.step(step),
            Event::Epoch(epoch) => self.epoch(epoch),
            Event::Checkpoint { path } => self.log.only_to_file(format!("saved {}", file_name(path))),
            Event::LeftOut { images, reason } => {
                self.log.line(format!("left out {}: {reason}", counted(*images, "image")));
            }
            _ => {}
        }
        if interrupt::requested() { Flow::Stop } else { Flow::Continue }
    }

    fn after_epoch(&mut self, epoch: u32, backbone: &mut dyn Backbone) -> Result<Vec<(&'static str, f64)>, ObserverError> {
        let Some(online) = self.online.filter(|online| online.is_due(epoch)) else { return Ok(Vec::new()) };
        let measured = online.measure(backbone)?;
        self.measured = Some(measured.in_words());
        Ok(measured.figures())
    }
}

impl Drop for TrainingProgress<'_> {
    fn drop(&mut self) {
        self.log.show(None);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn figures_of(step: &StepReport) -> String {
    let mut parts = vec![format!("loss {:.4}", step.loss)];
    parts.extend(figure_words(&step.figures));
    parts.push(format!("{:.0} views/s", step.views_per_s));
    parts.push(format!("{} left", duration(step.eta_s)));
    parts.join(", ")
}

/// `epoch 2/8: loss 0.4311, pairs 80.1 % (...), 12.3 s`
fn epoch_words(epoch: &EpochReport) -> String {
    let EpochReport { epoch, epochs, loss, figures, seconds, waiting } = epoch;
    // Stopped behind its last batch and resumed: all that was left to do was to save it.
    let Some(loss) = loss else { return format!("epoch {epoch}/{epochs}: no step was left") };
    let mut line = format!("epoch {epoch}/{epochs}: loss {loss:.4}");
    figure_words(figures).iter().for_each(|words| line.push_str(&format!(", {words}")));
    line.push_str(&format!(", {seconds:.1} s"));
    // A slow data pipeline is the commonest reason for a slow run, and the easiest to miss.
    if *waiting > 0.2 {
        line.push_str(&format!(" ({:.0} % of it waiting for views: raise train.workers)", 100.0 * waiting));
    }
    line
}

/// `pairs 85.2 % (same image 80.1, different 90.3)`, where the method has such figures.
fn pair_words(figures: &[(&'static str, f64)]) -> Option<String> {
    let pct = |name| figures.iter().find(|(known, _)| *known == name).map(|(_, share)| 100.0 * share);
    let (all, same, different) = (pct("pair_acc")?, pct("pair_acc_pos")?, pct("pair_acc_neg")?);
    Some(format!("pairs {all:.1} % (same image {same:.1}, different {different:.1})"))
}

/// A method's own figures by name, `rotation_acc 62.5 %`: one that ends in `_acc` is a share. Pairs are put shorter.
fn figure_words(figures: &[(&'static str, f64)]) -> Vec<String> {
    if let Some(pairs) = pair_words(figures) {
        return vec![pairs];
    }
    let words = |(name, value): &(&'static str, f64)| match name.ends_with("_acc") {
        true => format!("{name} {:.1} %", 100.0 * value),
        false => format!("{name} {value:.4}"),
    };
    figures.iter().map(words).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| shown(path), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positives_and_negatives_are_told_apart() {
        let figures = [("pair_acc", 0.75), ("pair_acc_pos", 0.5), ("pair_acc_neg", 1.0)];
        assert_eq!(pair_words(&figures).unwrap(), "pairs 75.0 % (same image 50.0, different 100.0)");
        assert_eq!(pair_words(&[("accuracy", 0.5)]), None);
    }

    #[test]
    fn an_epoch_without_a_step_tells_no_loss() {
        let report = EpochReport { epoch: 2, epochs: 8, loss: Some(0.5), seconds: 1.25, waiting: 0.5, ..EpochReport::default() };
        let whole = "epoch 2/8: loss 0.5000, 1.2 s (50 % of it waiting for views: raise train.workers)";
        assert_eq!(epoch_words(&report), whole);
        assert_eq!(epoch_words(&EpochReport { loss: None, waiting: 0.0, ..report }), "epoch 2/8: no step was left");
    }

    #[test]
    fn figures_of_any_method_are_shown_by_name() {
        assert_eq!(figure_words(&[("rotation_acc", 0.625), ("entropy", 1.5)]), ["rotation_acc 62.5 %", "entropy 1.5000"]);
    }
}
