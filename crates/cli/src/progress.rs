//! What a training run shows while it goes: a bar on a terminal, a line every few seconds elsewhere.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use relata_data::{Opening, Progress, Work};
use relata_model::Backbone;
use relata_train::{EpochReport, Event, Flow, Observer, ObserverError, StepReport};

use crate::log::{Log, shown};
use crate::online::OnlineKnn;
use crate::words::counted;
use crate::{interrupt, output, warnings};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Redraws a second.
const REDRAWS_HZ: u8 = 8;

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
        let bar = output::is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_HZ));
            bar.set_style(style("{prefix} [{bar:24}] {pos}/{len}  {msg}"));
            bar
        });
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

/// A bar of its own for work over `what`, such as the images of a split; none without a terminal.
pub(crate) struct Counter {
    bar: Option<ProgressBar>,
}

impl Counter {
    pub(crate) fn new(what: &str) -> Self {
        let bar = output::is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_HZ));
            bar.set_style(style("{prefix} [{bar:24}] {pos}/{len}"));
            bar.set_prefix(what.to_owned());
            bar
        });
        Self { bar }
    }

    pub(crate) fn at(&self, done: usize, of: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How far the opening of a data set is, where that takes a while: images listed, or read; nothing without a terminal. Counts the
/// images that are left out.
pub(crate) struct OpeningProgress {
    bar: Option<ProgressBar>,
}

impl OpeningProgress {
    pub(crate) fn new(name: &str) -> Self {
        let bar = output::is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_HZ));
            bar.set_style(style("{prefix}: {msg}"));
            bar.set_prefix(name.to_owned());
            bar
        });
        Self { bar }
    }

    pub(crate) fn at(&self, opening: Opening<'_>) {
        if let Opening::LeftOut(_) = opening {
            warnings::count_left_out();
        }
        let Some(bar) = &self.bar else { return };
        if let Some(message) = opening_words(opening) {
            bar.set_message(message);
        }
    }
}

impl Drop for OpeningProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `12000 images listed`; nothing for what is told otherwise.
fn opening_words(opening: Opening<'_>) -> Option<String> {
    match opening {
        Opening::Listed { images } => Some(format!("{} listed", counted(images, "image"))),
        Opening::Read { images, of } => Some(format!("{images} of {} read", counted(of, "image"))),
        _ => None,
    }
}

/// A bar for the work on a data set's archive, in bytes; without a terminal, a line as each kind of work begins.
pub(crate) struct ArchiveProgress {
    file: String,
    bar: Option<ProgressBar>,
    work: Cell<Option<Work>>,
}

impl ArchiveProgress {
    pub(crate) fn new(file: &str) -> Self {
        let bar = output::is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_HZ));
            bar.set_style(style("{prefix} [{bar:24}] {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left"));
            bar
        });
        Self { file: file.to_owned(), bar, work: Cell::new(None) }
    }

    pub(crate) fn at(&self, progress: Progress) {
        let began = self.work.replace(Some(progress.work)) != Some(progress.work);
        let words = match progress.work {
            Work::Download => "downloading",
            Work::Verify => "checking",
            Work::Unpack => "unpacking",
        };
        match &self.bar {
            None if began => output::note(format!("{words} {}", self.file)),
            None => {}
            Some(bar) => {
                if began {
                    bar.reset();
                    bar.set_prefix(format!("{words} {}", self.file));
                }
                bar.set_length(progress.of_bytes);
                bar.set_position(progress.done_bytes);
            }
        }
    }
}

impl Drop for ArchiveProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a template of indicatif's own words").progress_chars("=> ")
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

/// `45 s`, `12 min`, `3 h 20 min`
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..100 => format!("{whole} s"),
        100..6000 => format!("{} min", (whole + 30) / 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| shown(path), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_long_as_they_need() {
        let seconds = [0.4, 99.4, 100.0, 5990.0, 12_000.0];
        assert_eq!(seconds.map(duration), ["0 s", "99 s", "2 min", "100 min", "3 h 20 min"]);
    }

    #[test]
    fn the_opening_of_a_folder_is_told_in_images() {
        let words = [Opening::Listed { images: 12_000 }, Opening::Read { images: 1, of: 7 }].map(opening_words);
        assert_eq!(words, [Some("12000 images listed".to_owned()), Some("1 of 7 images read".to_owned())]);
    }

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
