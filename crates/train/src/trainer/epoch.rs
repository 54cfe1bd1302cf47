//! A run: epochs of steps, with their lines of metrics, checkpoints and events.

use super::checkpoint::RunPosition;
use super::running_means::{RateClock, RunningMeans};
use super::{LAST, Trainer};
use crate::batch::FEWEST_TO_TRAIN_ON;
use crate::{EpochReport, Error, Event, Flow, MethodStep, Observer, Outcome, Result, StepReport, ViewBuffer};
use relata_artifact::{Metrics, MetricsWriter, RunFolder};
use std::time::{Duration, Instant};

/// A run in progress: its folder and observer, and what is measured between two lines of metrics.
struct Running<'a> {
    folder: &'a RunFolder,
    observer: &'a mut dyn Observer,
    metrics: MetricsWriter,
    rate: RateClock,
    /// Of the steps since the last line of metrics.
    window: RunningMeans,
    /// Seconds that earlier processes of this run took.
    before_s: f64,
    started: Instant,
    /// Of the time since then, what observers took.
    aside: Duration,
    /// The observer said so.
    stop: bool,
}

impl<'a> Running<'a> {
    fn start(folder: &'a RunFolder, observer: &'a mut dyn Observer, step: u64, rows_per_image: usize) -> Result<Self> {
        let metrics = if step == 0 { folder.metrics_writer()? } else { folder.resume_metrics(step)? };
        // A resumed run goes on counting where its metrics stopped.
        let before_s = match step {
            0 => 0.0,
            _ => folder.metrics()?.iter().rev().find_map(|line| line.elapsed_s).unwrap_or(0.0),
        };
        Ok(Self {
            folder,
            observer,
            metrics,
            rate: RateClock::new(rows_per_image),
            window: RunningMeans::default(),
            before_s,
            started: Instant::now(),
            aside: Duration::ZERO,
            stop: false,
        })
    }

    fn tell(&mut self, event: &Event<'_>) {
        self.stop |= self.observer.event(event) == Flow::Stop;
    }

    /// Writes the means of the steps since the last line, if there were any.
    fn write_window(&mut self, at: &StepReport, lr: f64) -> Result<()> {
        if self.window.steps > 0 {
            let elapsed_s = self.before_s + (self.started.elapsed() - self.aside).as_secs_f64();
            self.metrics.append(&self.window.take_line(at, lr, elapsed_s))?;
        }
        Ok(())
    }
}

/// An epoch as far as this process has trained it.
struct EpochSoFar {
    started: Instant,
    means: RunningMeans,
    waited_s: f64,
    lr: f64,
    batches: usize,
}

impl Trainer {
    /// Trains to the last epoch, or until the observer says stop. Writes metrics.jsonl and checkpoints: `last` at the end
    /// of every epoch (and every `checkpoint_every` steps), and one that stays at 25, 50, 75 and 100 % of the epochs. A method
    /// that trains nothing takes no step: its only checkpoint, `last`, holds the initial weights.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where the loss or a weight is not finite, with the checkpoints from before kept; any
    /// failure to read an image or to write.
    pub fn run(&mut self, folder: &RunFolder, observer: &mut dyn Observer) -> Result<Outcome> {
        let needs = self.method.needs();
        let mut running = Running::start(folder, observer, self.position.step, self.shape.views * needs.rows_per_view)?;
        if !needs.steps {
            self.position = RunPosition { step: 0, epoch: self.config.epochs, batch: 0 };
            // Whatever the observer says: it is finished.
            self.save(&mut running, LAST)?;
        }
        let mut batch = ViewBuffer::default();
        while !self.is_finished() {
            let mut epoch = self.begin_epoch(&mut running)?;
            while self.next_batch(&mut running, &mut epoch, &mut batch)? {
                self.train_on(&mut running, &mut epoch, &batch)?;
                if running.stop {
                    return Ok(Outcome::Stopped { step: self.position.step });
                }
            }
            self.end_epoch(&mut running, epoch)?;
            if running.stop && !self.is_finished() {
                return Ok(Outcome::Stopped { step: self.position.step });
            }
        }
        Ok(Outcome::Finished { step: self.position.step })
    }

    fn begin_epoch(&mut self, running: &mut Running<'_>) -> Result<EpochSoFar> {
        let (started, epoch) = (Instant::now(), self.position.epoch);
        if self.method.needs().features && self.position.batch == 0 {
            self.show_all_features(epoch)?;
            running.rate.restart();
        }
        let (lr, batches) = (self.method.lr(&self.config, epoch), self.views.batches_per_epoch());
        Ok(EpochSoFar { started, means: RunningMeans::default(), waited_s: 0.0, lr, batches })
    }

    /// The epoch's next batch; `false` where there is none left.
    fn next_batch(&mut self, running: &mut Running<'_>, epoch: &mut EpochSoFar, batch: &mut ViewBuffer) -> Result<bool> {
        let requested = Instant::now();
        let filled = self.views.fill(self.position.epoch, self.position.batch, batch)?;
        epoch.waited_s += requested.elapsed().as_secs_f64();
        for left_out in batch.left_out.drain(..) {
            running.tell(&Event::LeftOut { images: left_out.images, reason: left_out.reason });
        }
        if filled {
            self.shape.check(batch, self.position.batch, FEWEST_TO_TRAIN_ON)?;
        }
        Ok(filled)
    }

    /// One step, its line of metrics and its checkpoint where they are due.
    fn train_on(&mut self, running: &mut Running<'_>, epoch: &mut EpochSoFar, batch: &ViewBuffer) -> Result<()> {
        let number = self.position.epoch;
        epoch.lr = self.method.lr(&self.config, number) * self.config.lr_factor(number, batch.index, epoch.batches);
        let step = self.step(batch, epoch.lr)?;
        self.position.batch = batch.index + 1;
        running.rate.tick(batch.images.len());
        running.window.add(&step);
        epoch.means.add(&step);
        let report = self.step_report(&running.rate, epoch.batches, step);
        if running.window.steps >= self.config.log_every {
            running.write_window(&report, epoch.lr)?;
        }
        running.tell(&Event::Step(&report));
        let every = self.config.checkpoint_every;
        let due = every > 0 && self.position.step.is_multiple_of(every) && self.position.batch < epoch.batches;
        if running.stop || due {
            running.write_window(&report, epoch.lr)?;
            self.save(running, LAST)?;
        }
        Ok(())
    }

    fn step_report(&self, rate: &RateClock, batches: usize, step: MethodStep) -> StepReport {
        let epochs = self.config.epochs;
        let steps_of_epochs = u64::from(epochs - self.position.epoch) * batches as u64;
        StepReport {
            step: self.position.step,
            epoch: self.position.epoch + 1,
            epochs,
            batch: self.position.batch,
            batches,
            loss: step.loss,
            figures: step.figures,
            views_per_s: rate.views_per_s(),
            eta_s: rate.seconds_a_step() * steps_of_epochs.saturating_sub(self.position.batch as u64) as f64,
        }
    }

    /// What follows the last step of an epoch: its last line of metrics, what the observer measures, and checkpoints.
    fn end_epoch(&mut self, running: &mut Running<'_>, ended: EpochSoFar) -> Result<()> {
        let (epoch, epochs) = (self.position.epoch + 1, self.config.epochs);
        self.position = RunPosition { step: self.position.step, epoch, batch: 0 };
        let seconds = ended.started.elapsed().as_secs_f64();
        let report = EpochReport {
            epoch,
            epochs,
            loss: ended.means.mean_loss(),
            figures: ended.means.mean_figures(),
            seconds,
            waiting: if ended.means.steps > 0 { ended.waited_s / seconds.max(1e-9) } else { 0.0 },
        };
        let (step, batches, views_per_s) = (self.position.step, ended.batches, running.rate.views_per_s());
        let last = StepReport { step, epoch, batch: batches, batches, views_per_s, ..StepReport::default() };
        running.write_window(&last, ended.lr)?;
        self.observe(running)?;
        running.rate.restart();
        let quarters = |epochs: u32| u64::from(epochs) * 4 / u64::from(self.config.epochs);
        if quarters(epoch) > quarters(epoch - 1) {
            self.save(running, &RunFolder::epoch_checkpoint_name(u64::from(epoch)))?;
        }
        self.save(running, LAST)?;
        running.tell(&Event::Epoch(&report));
        Ok(())
    }

    /// What the observer measures after an epoch. In front of the checkpoint, whose step is the line's: a run that dies before it is
    /// saved measures again, and one that dies later has the line.
    fn observe(&mut self, running: &mut Running<'_>) -> Result<()> {
        let (start, epoch) = (Instant::now(), self.position.epoch);
        let figures = running.observer.after_epoch(epoch, &mut *self.backbone).map_err(Error::Observer)?;
        if !figures.is_empty() {
            let named = figures.into_iter().map(|(name, value)| (format!("{}{name}", relata_artifact::ONLINE), value.into()));
            let line = Metrics { step: self.position.step, epoch: Some(f64::from(epoch)), ..Metrics::default() };
            running.metrics.append(&Metrics { extra: named.collect(), ..line })?;
        }
        running.aside += start.elapsed();
        Ok(())
    }

    fn save(&mut self, running: &mut Running<'_>, name: &str) -> Result<()> {
        self.check_weights()?;
        running.metrics.sync()?;
        self.save_checkpoint(running.folder, name)?;
        running.tell(&Event::Checkpoint { path: &running.folder.checkpoint_path(name)? });
        Ok(())
    }
}
