//! `probes/<name>.json`: a score that never travels without its protocol.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One evaluation of a frozen backbone, with all that is needed to read the score rightly. Percentages are 0 to 100.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeResult {
    /// `linear`, `knn`, `kmeans`, `retrieval`, `finetune` ...
    pub protocol: String,
    /// Data set that was scored on.
    pub data: String,
    /// Split that was scored on.
    pub split: String,
    /// Checkpoint that the features came from, `last` or `epoch-0050`.
    pub checkpoint: String,
    /// Top-1 accuracy on `split`.
    pub accuracy_pct: f64,
    /// Standard deviation of the accuracy over several seeds, of which `accuracy_pct` and the other figures are the mean. The
    /// seeds are among the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_std_points: Option<f64>,
    /// What each seed reached, in the order of the settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accuracy_by_seed_pct: Vec<f64>,
    /// The same protocol on the untrained backbone: the lower bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_random_pct: Option<f64>,
    /// The same backbone trained with labels: the upper bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_supervised_pct: Option<f64>,
    /// Number of classes; chance is `100 / classes`.
    pub classes: usize,
    /// Labelled images that the probe was fitted on.
    pub train_images: usize,
    /// Images that it was scored on.
    pub test_images: usize,
    /// Every setting of the protocol: epochs, batch size, learning rate, k ...
    pub settings: Map<String, Value>,
    /// Wall-clock time of the probe.
    pub seconds: f64,
    /// Further scores, by name and unit: `nmi`, `top5_accuracy_pct` ...
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub other_scores: BTreeMap<String, f64>,
    /// What a reader of the score must know, in words: a fit that did not converge, features that collapsed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Names of the classes, in label order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// Recall of each class, in label order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_class_accuracy_pct: Vec<f64>,
    /// `confusion[truth][answer]`: test images of class `truth` that were called `answer`, summed over the seeds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<u32>>,
}

impl ProbeResult {
    /// Gain over random weights in percentage points, where the lower bound is known.
    #[must_use]
    pub fn gain_points(&self) -> Option<f64> {
        self.baseline_random_pct.map(|baseline| self.accuracy_pct - baseline)
    }
}
