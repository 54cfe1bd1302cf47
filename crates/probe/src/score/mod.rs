//! What a protocol found: accuracy, class by class, the confusion matrix, and figures of its own.

mod predictions;

use std::collections::BTreeMap;

use relata_artifact::{ProbeResult, mean_and_deviation};
use serde_json::{Map, Value};

use crate::protocol::info::ProtocolInfo;
use crate::{Error, Result};
pub(crate) use predictions::{Prediction, classes_of_logits, first_largest, predictions_of_logits};
use predictions::{TOP, expected_calibration_error, share_in_top};

/// How well a protocol predicts the test images' classes from their features. Carries the protocol, so that the number never
/// travels without it.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// How it was reached.
    pub protocol: ProtocolInfo,
    /// Every setting of the protocol, as it was applied.
    pub settings: Map<String, Value>,
    /// Labelled images that the probe was fitted on.
    pub train_images: usize,
    /// Images that it was scored on.
    pub test_images: usize,
    /// Test images whose class was predicted correctly, 0 to 100.
    pub accuracy_pct: f64,
    /// Names of the classes, in label order.
    pub class_names: Vec<String>,
    /// The same for the images of each class alone (recall); 0 for a class without test images.
    pub per_class_accuracy_pct: Vec<f64>,
    /// `confusion[truth][predicted]`: test images of class `truth` that were taken for `predicted`.
    pub confusion: Vec<Vec<u32>>,
    /// Further figures, by name and unit: `top5_accuracy_pct`, `nmi` ...
    pub other_scores: BTreeMap<String, f64>,
    /// What a reader of the score must know: a fit that did not converge, say.
    pub notes: Vec<String>,
    /// What each of several seeds reached, where there are several: the other figures are then means over them, but for the
    /// confusion matrix, which is their sum. See [`crate::evaluate_seeds`].
    pub by_seed: Vec<SeedAccuracy>,
}

/// The accuracy that one seed reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedAccuracy {
    /// The seed.
    pub seed: u64,
    /// Its accuracy, 0 to 100.
    pub accuracy_pct: f64,
}

/// What a score was computed on, for the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScoredOn {
    /// The data set.
    pub data: String,
    /// The split that was scored on.
    pub split: String,
    /// The checkpoint that the features came from, `last` or `epoch-0050`.
    pub checkpoint: String,
}

impl Score {
    /// Counts predicted classes against the labels; both are in `0..class_names.len()`.
    pub(crate) fn of_classes(
        protocol: ProtocolInfo,
        settings: Map<String, Value>,
        train_images: usize,
        class_names: &[String],
        labels: &[usize],
        predicted: &[usize],
    ) -> Self {
        let classes = class_names.len();
        let mut confusion = vec![vec![0; classes]; classes];
        for (&truth, &class) in labels.iter().zip(predicted) {
            confusion[truth][class] += 1;
        }
        let correct: u32 = (0..classes).map(|class| confusion[class][class]).sum();
        let recall = |class: usize| pct(confusion[class][class], confusion[class].iter().sum());
        Self {
            protocol,
            settings,
            train_images,
            test_images: labels.len(),
            accuracy_pct: pct(correct, labels.len() as u32),
            class_names: class_names.to_vec(),
            per_class_accuracy_pct: (0..classes).map(recall).collect(),
            confusion,
            other_scores: BTreeMap::new(),
            notes: Vec::new(),
            by_seed: Vec::new(),
        }
    }

    /// As [`Score::of_classes`] for a protocol that gives probabilities: with top-5 accuracy, where there are more than five
    /// classes, and the expected calibration error.
    pub(crate) fn of_predictions(
        protocol: ProtocolInfo,
        settings: Map<String, Value>,
        train_images: usize,
        class_names: &[String],
        labels: &[usize],
        predictions: &[Prediction],
    ) -> Self {
        let predicted: Vec<usize> = predictions.iter().map(|prediction| prediction.class).collect();
        let mut score = Self::of_classes(protocol, settings, train_images, class_names, labels, &predicted);
        if class_names.len() > TOP {
            score.add_figure("top5_accuracy_pct", 100.0 * share_in_top(predictions));
        }
        score.add_figure("expected_calibration_error_pct", 100.0 * expected_calibration_error(labels, predictions));
        score
    }

    /// Adds a figure under its name and unit.
    pub(crate) fn add_figure(&mut self, name: &str, value: f64) {
        self.other_scores.insert(name.to_owned(), value);
    }

    /// The record for a run folder. `random` is the score of the same protocol on the untrained backbone, the lower bound;
    /// `seconds` is what the evaluation took.
    ///
    /// # Errors
    /// [`Error::BaselineDiffers`] where `random` was not reached by the same protocol and settings on as many images.
    pub fn result(&self, scored_on: &ScoredOn, random: Option<&Score>, seconds: f64) -> Result<ProbeResult> {
        if let Some(random) = random {
            self.comparable_with(random)?;
        }
        Ok(ProbeResult {
            protocol: self.protocol.name.to_owned(),
            title: Some(self.protocol.title.to_owned()),
            rank: Some(self.protocol.rank),
            backbone: Some(self.protocol.backbone),
            data: scored_on.data.clone(),
            split: scored_on.split.clone(),
            checkpoint: scored_on.checkpoint.clone(),
            accuracy_pct: self.accuracy_pct,
            baseline_random_pct: random.map(|random| random.accuracy_pct),
            classes: self.class_names.len(),
            train_images: self.train_images,
            test_images: self.test_images,
            settings: self.settings.clone(),
            seconds,
            class_names: self.class_names.clone(),
            per_class_accuracy_pct: self.per_class_accuracy_pct.clone(),
            confusion: self.confusion.clone(),
            other_scores: self.other_scores.clone(),
            notes: self.notes.clone(),
            accuracy_std_points: self.accuracy_std_points(),
            accuracy_by_seed_pct: self.by_seed.iter().map(|seed| seed.accuracy_pct).collect(),
            ..ProbeResult::default()
        })
    }

    /// Standard deviation of the seeds' accuracies in points, `sqrt(Σ (a − mean)² / (n − 1))`; `None` for fewer than two seeds.
    #[must_use]
    pub fn accuracy_std_points(&self) -> Option<f64> {
        mean_and_deviation(&self.by_seed.iter().map(|seed| seed.accuracy_pct).collect::<Vec<_>>()).1
    }

    fn comparable_with(&self, baseline: &Self) -> Result<()> {
        let differs = |what, score: String, baseline: String| {
            if score == baseline { Ok(()) } else { Err(Error::BaselineDiffers { what, baseline, score }) }
        };
        let settings = |score: &Self| Value::Object(score.settings.clone()).to_string();
        differs("protocol", self.protocol.name.to_owned(), baseline.protocol.name.to_owned())?;
        differs("settings", settings(self), settings(baseline))?;
        differs("classes", self.class_names.len().to_string(), baseline.class_names.len().to_string())?;
        differs("training images", self.train_images.to_string(), baseline.train_images.to_string())?;
        differs("test images", self.test_images.to_string(), baseline.test_images.to_string())
    }
}

fn pct(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * f64::from(part) / f64::from(whole) }
}

#[cfg(test)]
mod tests {
    use super::{Score, ScoredOn};
    use crate::test_clouds::names;
    use crate::{Error, Knn, LinearProbe, ProtocolSettings};

    fn score(labels: &[usize], predicted: &[usize]) -> Score {
        Score::of_classes(Knn::INFO, [("k".to_owned(), 5.into())].into_iter().collect(), 40, &names(3), labels, predicted)
    }

    #[test]
    fn predictions_are_counted_by_truth_and_predicted_class() {
        let score = score(&[0, 0, 0, 1, 1], &[0, 2, 0, 0, 1]);
        assert_eq!(score.confusion, [[2, 0, 1], [1, 1, 0], [0, 0, 0]]);
        assert_eq!(score.accuracy_pct, 60.0);
        assert_eq!(score.per_class_accuracy_pct, [200.0 / 3.0, 50.0, 0.0]);
    }

    #[test]
    fn the_record_holds_the_score_its_protocol_and_its_lower_bound() {
        let (trained, random) = (score(&[0, 1, 2, 2], &[0, 1, 2, 2]), score(&[0, 1, 2, 2], &[0, 0, 0, 0]));
        let scored_on = ScoredOn { data: "shapes".into(), split: "test".into(), checkpoint: "last".into() };
        let result = trained.result(&scored_on, Some(&random), 1.5).unwrap();
        assert_eq!((result.title.as_deref(), result.rank), (Some(Knn::INFO.title), Some(Knn::INFO.rank)));
        assert_eq!((result.protocol.as_str(), result.data.as_str(), result.split.as_str()), ("knn", "shapes", "test"));
        assert_eq!((result.accuracy_pct, result.baseline_random_pct), (100.0, Some(25.0)));
        assert_eq!((result.classes, result.train_images, result.test_images), (3, 40, 4));
        assert_eq!((&result.settings["k"], result.seconds, result.gain_points()), (&5.into(), 1.5, Some(75.0)));
        assert_eq!((result.class_names, result.confusion), (names(3), trained.confusion.clone()));
        assert_eq!(trained.result(&scored_on, None, 1.5).unwrap().baseline_random_pct, None);
    }

    #[test]
    fn a_lower_bound_that_was_reached_otherwise_is_refused() {
        let trained = score(&[0, 1], &[0, 1]);
        let refused = |baseline: &Score, what: &str| {
            let error = trained.result(&ScoredOn::default(), Some(baseline), 0.0).unwrap_err();
            assert!(matches!(error, Error::BaselineDiffers { what: differs, .. } if differs == what), "{what}");
        };
        refused(&Score { protocol: LinearProbe::INFO, ..trained.clone() }, "protocol");
        refused(&Score { settings: serde_json::Map::new(), ..trained.clone() }, "settings");
        refused(&Score { train_images: 41, ..trained.clone() }, "training images");
        refused(&score(&[0, 1, 1], &[0, 1, 1]), "test images");
    }
}
