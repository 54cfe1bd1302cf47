//! Means of the figures of several steps, and the rate of steps.

use crate::StepReport;
use relata_artifact::Metrics;
use std::time::Instant;

/// Sums over steps.
#[derive(Default)]
pub(crate) struct RunningMeans {
    pub(crate) steps: u64,
    loss: f64,
    figures: Vec<(&'static str, f64)>,
}

impl RunningMeans {
    pub(crate) fn add(&mut self, step: &crate::MethodStep) {
        self.steps += 1;
        self.loss += step.loss;
        if self.figures.is_empty() {
            self.figures.clone_from(&step.figures);
        } else {
            self.figures.iter_mut().zip(&step.figures).for_each(|(sum, figure)| sum.1 += figure.1);
        }
    }

    /// None where there was no step.
    pub(crate) fn mean_loss(&self) -> Option<f64> {
        (self.steps > 0).then(|| self.loss / self.steps as f64)
    }

    pub(crate) fn mean_figures(&self) -> Vec<(&'static str, f64)> {
        self.figures.iter().map(|(name, sum)| (*name, sum / self.steps.max(1) as f64)).collect()
    }

    /// The means as a line of metrics; starts again.
    pub(crate) fn take_line(&mut self, at: &StepReport, lr: f64, elapsed_s: f64) -> Metrics {
        let mut line = Metrics {
            step: at.step,
            epoch: Some(f64::from(at.epoch - 1) + at.batch as f64 / at.batches.max(1) as f64),
            loss: self.mean_loss(),
            lr: Some(lr),
            views_per_s: Some(at.views_per_s),
            elapsed_s: Some(elapsed_s),
            ..Metrics::default()
        };
        line.extra.extend(self.mean_figures().into_iter().map(|(name, mean)| (name.to_owned(), mean.into())));
        *self = Self::default();
        line
    }
}

/// Rate of the last steps, as an exponential mean that forgets in about twenty.
pub(crate) struct RateClock {
    views: usize,
    last: Instant,
    seconds: Option<f64>,
    rows: f64,
}

impl RateClock {
    pub(crate) fn new(views: usize) -> Self {
        Self { views, last: Instant::now(), seconds: None, rows: 0.0 }
    }

    /// The next step's time counts from now.
    pub(crate) fn restart(&mut self) {
        self.last = Instant::now();
    }

    pub(crate) fn tick(&mut self, images: usize) {
        let seconds = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        let rows = (images * self.views) as f64;
        let newest = 0.05;
        match &mut self.seconds {
            Some(mean) => {
                *mean += newest * (seconds - *mean);
                self.rows += newest * (rows - self.rows);
            }
            None => (self.seconds, self.rows) = (Some(seconds), rows),
        }
    }

    pub(crate) fn seconds_a_step(&self) -> f64 {
        self.seconds.unwrap_or(0.0)
    }

    pub(crate) fn views_per_s(&self) -> f64 {
        self.rows / self.seconds_a_step().max(1e-9)
    }
}
