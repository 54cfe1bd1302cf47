//! Multinomial logistic regression, fitted to its optimum.

mod lbfgs;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use relata_artifact::BackboneUse;
use relata_ops::{Compute, Isa, MatRef, matmul_of_transposed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::check;
use crate::features::{labels_to_fit, labels_to_score};
use crate::linear_layer::LinearLayer;
use crate::protocol::{FeatureProtocol, ProtocolInfo, ProtocolSettings};
use crate::score::{classes_of_logits, predictions_of_logits};
use crate::{Error, Features, Result, Score};
use lbfgs::minimise;

/// Pieces that the rows are cut into, of at least so many rows each: by their number alone, so that sums of the pieces do not
/// depend on the number of threads.
const PIECES: usize = 16;
const PIECE_ROWS: usize = 256;

/// Logistic regression on frozen features: the linear classifier of smallest penalised loss, which no learning rate and no
/// order of the images has a say in. For features `x_i [D]`, labels y_i, weights `W [classes, D]` and biases `b [classes]` the
/// objective is
///
/// `(1 / n) · (Σ_i −log softmax(W z_i + b)[y_i] + (l2 / 2) · ‖W‖²)`, with `z = (x − mean) / std` of the training features,
///
/// scikit-learn's `LogisticRegression(C = 1 / l2)` behind a `StandardScaler`: biases go free, and a feature that never varies
/// is divided by 1. Features are standardised because one penalty for all weights means something only if all features have
/// one unit, and because L-BFGS converges much sooner. A class without training images is never predicted.
///
/// Products are in f32, their sums over the images, the losses and the optimiser in f64. The same features, settings and
/// instruction set give the same bits on any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticProbe {
    /// Weight of the penalty. Default 1: scikit-learn's C = 1.
    pub l2: f64,
    /// Steps of L-BFGS at most. Default 1000. A fit that ends here says so in its score's notes.
    pub max_iterations: usize,
    /// The largest entry of the objective's gradient at which the optimum counts as reached. Default 1e-6.
    pub tolerance: f64,
}

impl Default for LogisticProbe {
    fn default() -> Self {
        Self { l2: 1.0, max_iterations: 1000, tolerance: 1e-6 }
    }
}

/// A fitted [`LogisticProbe`].
#[derive(Debug, Clone)]
pub struct LogisticModel {
    probe: LogisticProbe,
    scaling: Scaling,
    class_names: Vec<String>,
    /// Classes that have training images: rows of the weights.
    classes: Vec<usize>,
    train_images: usize,
    weight: Vec<f64>,
    bias: Vec<f64>,
    objective: f64,
    largest_gradient: f64,
    iterations: usize,
    compute: Compute,
}

impl ProtocolSettings for LogisticProbe {
    const INFO: ProtocolInfo = ProtocolInfo {
        name: "logistic",
        title: "Logistic regression",
        rank: 30,
        summary: "logistic regression to its optimum, by L-BFGS",
        backbone: BackboneUse::Frozen,
        draws: false,
        after_train: false,
        settings_in_probe: false,
    };

    fn validate(&self) -> Result<()> {
        check(self.l2 > 0.0 && self.l2.is_finite(), "l2", self.l2, "a finite number above 0")?;
        check(self.max_iterations > 0, "max_iterations", self.max_iterations, "1 or more")?;
        check(self.tolerance > 0.0 && self.tolerance < 1.0, "tolerance", self.tolerance, "between 0 and 1, not 0")
    }
}

impl FeatureProtocol for LogisticProbe {
    fn run(&self, train: &Features, test: &Features, _seed: u64, compute: &Compute) -> Result<Score> {
        self.fit(train, compute)?.score(test)
    }
}

impl LogisticProbe {
    /// Finds the optimum from zero weights.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Unlabelled`], [`Error::OneClass`].
    pub fn fit(&self, train: &Features, compute: &Compute) -> Result<LogisticModel> {
        self.validate()?;
        let labels = labels_to_fit(train)?;
        let (classes, targets) = present(labels, train.class_names().len());
        let scaling = Scaling::of(train);
        let (width, count) = (train.width(), classes.len());
        let values = compute.install(|| scaling.apply(train.values()));
        let objective = Objective { values: &values, targets: &targets, width, classes: count, l2: self.l2, isa: compute.isa() };
        let start = vec![0.0; count * (width + 1)];
        let found =
            compute.install(|| minimise(start, self.tolerance, self.max_iterations, |at, gradient| objective.at(at, gradient)));
        let mut weight = found.point;
        let bias = weight.split_off(count * width);
        Ok(LogisticModel {
            probe: *self,
            scaling,
            class_names: train.class_names().to_vec(),
            classes,
            train_images: train.rows(),
            weight,
            bias,
            objective: found.value,
            largest_gradient: found.largest_gradient,
            iterations: found.iterations,
            compute: compute.clone(),
        })
    }

    fn settings(&self) -> Map<String, Value> {
        let settings = json!({
            "l2": self.l2,
            "max_iterations": self.max_iterations,
            "tolerance": self.tolerance,
            "optimizer": "l-bfgs",
            "standardised": true,
        });
        settings.as_object().cloned().unwrap_or_default()
    }
}

impl LogisticModel {
    /// The class of each row of `values [n, D]`: the one with the largest logit, the lower one of equals.
    ///
    /// # Errors
    /// [`Error::Size`] where the values are no whole rows; [`Error::NoPrediction`] where the logits leave the numbers.
    pub fn predict(&self, values: &[f32]) -> Result<Vec<usize>> {
        classes_of_logits(&self.logits(values)?, self.class_names.len())
    }

    /// `[n, classes]` for `values [n, D]`; minus infinity for a class without training images.
    ///
    /// # Errors
    /// [`Error::Size`] where the values are no whole rows.
    pub fn logits(&self, values: &[f32]) -> Result<Vec<f32>> {
        let (width, count) = (self.scaling.mean.len(), self.classes.len());
        let rows = values.len() / width;
        if rows * width != values.len() {
            return Err(Error::Size { what: "features of whole rows", expected: rows * width, got: values.len() });
        }
        let present = self.compute.install(|| {
            let values = self.scaling.apply(values);
            let parameters: Vec<f32> = self.weight.iter().chain(&self.bias).map(|&value| value as f32).collect();
            let mut logits = vec![0.0; rows * count];
            LinearLayer { isa: self.compute.isa(), width, classes: count }.forward(&parameters, &values, &mut logits);
            logits
        });
        let all = self.class_names.len();
        let mut logits = vec![f32::NEG_INFINITY; rows * all];
        for (logits, present) in logits.chunks_exact_mut(all).zip(present.chunks_exact(count)) {
            self.classes.iter().zip(present).for_each(|(&class, &logit)| logits[class] = logit);
        }
        Ok(logits)
    }

    /// Scores the classifier on other images.
    ///
    /// # Errors
    /// [`Error::Unlabelled`], [`Error::WidthDiffers`], [`Error::ClassCountDiffers`], [`Error::ClassNameDiffers`];
    /// [`Error::NoPrediction`] where the logits leave the numbers.
    pub fn score(&self, test: &Features) -> Result<Score> {
        let labels = labels_to_score(self.scaling.mean.len(), &self.class_names, test)?;
        let predictions = predictions_of_logits(&self.logits(test.values())?, labels, self.class_names.len())?;
        let (protocol, settings) = (LogisticProbe::INFO, self.probe.settings());
        let mut score = Score::of_predictions(protocol, settings, self.train_images, &self.class_names, labels, &predictions);
        score.add_figure("iterations", self.iterations as f64);
        score.add_figure("train_objective", self.objective);
        if !self.converged() {
            score.notes.push(format!(
                "logistic regression did not reach its optimum: after {} iterations the largest entry of the gradient is {:.1e}, \
                 more than {:.1e}",
                self.iterations, self.largest_gradient, self.probe.tolerance
            ));
        }
        Ok(score)
    }

    /// Whether the gradient came within the tolerance.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.largest_gradient <= self.probe.tolerance
    }

    /// The objective at the end.
    #[must_use]
    pub fn objective(&self) -> f64 {
        self.objective
    }

    /// `W [classes with training images, D]`, for standardised features.
    #[must_use]
    pub fn weight(&self) -> &[f64] {
        &self.weight
    }

    /// `b [classes with training images]`, for standardised features.
    #[must_use]
    pub fn bias(&self) -> &[f64] {
        &self.bias
    }
}

/// Classes that occur, and each label's index among them.
fn present(labels: &[usize], classes: usize) -> (Vec<usize>, Vec<usize>) {
    let mut index_of = vec![usize::MAX; classes];
    labels.iter().for_each(|&label| index_of[label] = 0);
    let present: Vec<usize> = (0..classes).filter(|&class| index_of[class] == 0).collect();
    present.iter().enumerate().for_each(|(index, &class)| index_of[class] = index);
    (present, labels.iter().map(|&label| index_of[label]).collect())
}

/// Mean and standard deviation (of the population) of each feature; 1 for one that never varies.
#[derive(Debug, Clone)]
struct Scaling {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Scaling {
    fn of(train: &Features) -> Self {
        let (width, rows) = (train.width(), train.rows() as f64);
        let mut mean = vec![0.0; width];
        for row in train.values().chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        mean.iter_mut().for_each(|sum| *sum /= rows);
        let mut std = vec![0.0; width];
        for row in train.values().chunks_exact(width) {
            std.iter_mut().zip(row.iter().zip(&mean)).for_each(|(sum, (&value, mean))| *sum += (f64::from(value) - mean).powi(2));
        }
        // Rounding leaves a constant feature a mean that differs in the last digit, no more.
        let varies = |std: f64, mean: f64| if std > 1e-12 * mean.abs() { std } else { 1.0 };
        std.iter_mut().zip(&mean).for_each(|(std, &mean)| *std = varies((*std / rows).sqrt(), mean));
        Self { mean, std }
    }

    fn apply(&self, values: &[f32]) -> Vec<f32> {
        let mut scaled = values.to_vec();
        scaled.par_chunks_exact_mut(self.mean.len()).for_each(|row| {
            for ((value, mean), std) in row.iter_mut().zip(&self.mean).zip(&self.std) {
                *value = ((f64::from(*value) - mean) / std) as f32;
            }
        });
        scaled
    }
}

struct Objective<'a> {
    /// Standardised, `[n, D]`.
    values: &'a [f32],
    targets: &'a [usize],
    width: usize,
    classes: usize,
    l2: f64,
    isa: Isa,
}

impl Objective<'_> {
    /// The value at `parameters` (weights, then biases); fills the gradient.
    fn at(&self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let rounded: Vec<f32> = parameters.iter().map(|&value| value as f32).collect();
        let piece_rows = self.targets.len().div_ceil(PIECES).max(PIECE_ROWS);
        let pieces = self.values.par_chunks(piece_rows * self.width).zip(self.targets.par_chunks(piece_rows));
        let pieces: Vec<_> = pieces.map(|(values, targets)| self.piece(&rounded, values, targets)).collect();

        gradient.fill(0.0);
        let mut loss = 0.0;
        for (piece_loss, piece_gradient) in pieces {
            loss += piece_loss;
            gradient.iter_mut().zip(piece_gradient).for_each(|(sum, part)| *sum += part);
        }
        let weights = self.classes * self.width;
        let penalty: f64 = parameters[..weights].iter().map(|w| w * w).sum();
        gradient.iter_mut().zip(&parameters[..weights]).for_each(|(sum, weight)| *sum += self.l2 * weight);
        let images = self.targets.len() as f64;
        gradient.iter_mut().for_each(|sum| *sum /= images);
        (loss + self.l2 / 2.0 * penalty) / images
    }

    /// The sum of the losses of some rows, and its gradient. In f64 from the logits on: `relata_ops::CrossEntropy` takes the largest logit
    /// away in f32, whose rounding a line search near the optimum would see.
    fn piece(&self, parameters: &[f32], values: &[f32], targets: &[usize]) -> (f64, Vec<f64>) {
        let (classes, width, rows) = (self.classes, self.width, targets.len());
        let mut residuals = vec![0.0; rows * classes];
        LinearLayer { isa: self.isa, width, classes }.forward(parameters, values, &mut residuals);
        let (mut loss, mut d_bias) = (0.0, vec![0.0; classes]);
        let mut exps = vec![0.0; classes];
        for (row, &target) in residuals.chunks_exact_mut(classes).zip(targets) {
            let most = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            exps.iter_mut().zip(row.iter()).for_each(|(exp, &logit)| *exp = (f64::from(logit) - most).exp());
            let sum: f64 = exps.iter().sum();
            loss += sum.ln() - (f64::from(row[target]) - most);
            for (class, (value, exp)) in row.iter_mut().zip(&exps).enumerate() {
                let residual = exp / sum - f64::from(u8::from(class == target));
                d_bias[class] += residual;
                *value = residual as f32;
            }
        }
        let mut d_weight = vec![0.0; classes * width];
        matmul_of_transposed(self.isa, MatRef::new(&residuals, rows, classes), MatRef::new(values, rows, width), &mut d_weight);
        (loss, d_weight.into_iter().map(f64::from).chain(d_bias).collect())
    }
}
