//! `probes/<name>.json`: a score that never travels without its protocol.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::difference::Difference;

/// One evaluation of a frozen backbone, with all that is needed to read the score correctly. Percentages are 0 to 100.
///
/// JSON without a protocol, data, split or accuracy is no result; older versions wrote fewer of the other fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// `linear`, `knn`, `kmeans`, `retrieval`, `finetune` ...
    pub protocol: String,
    /// The protocol as a reader says it: `Linear probe`. Older versions wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The protocol's place in tables, the smallest first. Older versions wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Data set that was scored on.
    pub data: String,
    /// Split that was scored on.
    pub split: String,
    /// Checkpoint that the features came from, `last` or `epoch-0050`.
    #[serde(default)]
    pub checkpoint: String,
    /// What the protocol does with the weights of the backbone. Older versions did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<BackboneUse>,
    /// Top-1 accuracy on `split`.
    pub accuracy_pct: f64,
    /// Standard deviation of the accuracy over several seeds, of which `accuracy_pct` and the other figures are the mean. The
    /// seeds are among the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_std_points: Option<f64>,
    /// What each seed reached, in the order of the settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accuracy_by_seed_pct: Vec<f64>,
    /// The same protocol on the untrained backbone: the lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_random_pct: Option<f64>,
    /// The same backbone trained with labels: the upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_supervised_pct: Option<f64>,
    /// Number of classes; chance is `100 / classes`.
    #[serde(default)]
    pub classes: usize,
    /// Labelled images that the probe was fitted on.
    #[serde(default)]
    pub train_images: usize,
    /// Images that it was scored on.
    #[serde(default)]
    pub test_images: usize,
    /// Every setting of the protocol: epochs, batch size, learning rate, k ...
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The settings of the run's configuration that the result follows from, as they were requested: dotted key, value as
    /// [`crate::setting_text`] has it. Several seeds are `probe.seed = [1, 2, 3]`; `data.path` is empty where it is the run's own. A
    /// result of a version that wrote none is given what its other fields say ([`crate::RunFolder::probes`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub request: BTreeMap<String, String>,
    /// What it differs in from the run's own result: the one that the run's configuration requests, of the last checkpoint.
    /// [`crate::RunFolder::probes`] finds it out; no file holds it.
    #[serde(skip)]
    pub differs: Vec<Difference>,
    /// Wall-clock time of the probe.
    #[serde(default)]
    pub seconds: f64,
    /// Further scores, by name and unit: `nmi`, `top5_accuracy_pct` ...
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_scores: BTreeMap<String, f64>,
    /// What a reader of the score must know, in words: a fit that did not converge, features that collapsed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How the scored features look without their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_health: Option<FeatureHealth>,
    /// Names of the classes, in label order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// Recall of each class, in label order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_class_accuracy_pct: Vec<f64>,
    /// `confusion[truth][predicted]`: test images of class `truth` that were predicted as `predicted`, summed over the seeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<u32>>,
}

/// What a protocol does with the weights of the backbone that it scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BackboneUse {
    /// Keeps them as they are.
    Frozen,
    /// Trains them on with the labels.
    FineTuned,
    /// Takes the architecture only, and trains it from random weights with the labels.
    FromScratch,
}

/// Figures of features that need no label. What each is, `relata-probe` says where it computes them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeatureHealth {
    /// D.
    pub dimensions: usize,
    /// Images that the figures are of.
    pub images: usize,
    /// exp of the entropy of the normalised singular values: 1 to D, 0 where all images have the same features.
    pub effective_rank: f64,
    /// Dimensions that do not vary, 0 to 100.
    pub dead_dimensions_pct: f64,
    /// How evenly the directions are spread: 0 at worst, about -4 at best.
    pub uniformity: f64,
    /// Mean squared distance of two views of an image: 0 at best. Known where views were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f64>,
    /// What is wrong, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Mean and sample standard deviation, `sqrt(Σ (x − mean)² / (n − 1))`, of what several seeds reached; no deviation of fewer than two
/// values, and a mean of none is not a number.
#[must_use]
pub fn mean_and_deviation(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (n > 1.0).then(|| (squares / (n - 1.0)).sqrt()))
}

impl ProbeResult {
    /// Gain over random weights in percentage points, where the lower bound is known.
    #[must_use]
    pub fn gain_points(&self) -> Option<f64> {
        self.baseline_random_pct.map(|baseline| self.accuracy_pct - baseline)
    }
}

#[cfg(test)]
mod tests {
    use super::mean_and_deviation;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert_eq!(mean_and_deviation(&[50.0, 52.0, 54.0]), (52.0, Some(2.0)));
        assert_eq!(mean_and_deviation(&[50.0]), (50.0, None));
        assert!(mean_and_deviation(&[]).0.is_nan());
    }
}
