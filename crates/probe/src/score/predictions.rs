//! What a protocol predicts for each test row, and the figures that need more than its likeliest class.

use crate::{Error, Result};

/// Classes that top-5 accuracy looks at.
pub(crate) const TOP: usize = 5;

/// Bins of the expected calibration error: Guo et al. 2017's.
const BINS: usize = 15;

/// What a protocol predicts for one test row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prediction {
    /// The likeliest class.
    pub(crate) class: usize,
    /// Whether the row's true class is among its five likeliest.
    pub(crate) in_top: bool,
    /// Its probability for `class`.
    pub(crate) confidence: f64,
}

impl Prediction {
    /// `values` are larger for likelier classes; of equal ones the lower class comes first.
    pub(crate) fn new<T: PartialOrd>(values: &[T], label: usize, confidence: f64) -> Self {
        let before = |class: usize| values[class] > values[label] || class < label && values[class] == values[label];
        let rank = (0..values.len()).filter(|&class| before(class)).count();
        Self { class: first_largest(values), in_top: rank < TOP, confidence }
    }
}

/// The predictions of `logits [n, classes]`; a confidence is the softmax of the largest, in f64.
///
/// # Errors
/// As [`classes_of_logits`].
pub(crate) fn predictions_of_logits(logits: &[f32], labels: &[usize], classes: usize) -> Result<Vec<Prediction>> {
    let likeliest = classes_of_logits(logits, classes)?;
    let predict = |((row, &label), class): ((&[f32], &usize), usize)| {
        let most = f64::from(row[class]);
        let sum: f64 = row.iter().map(|&logit| (f64::from(logit) - most).exp()).sum();
        Prediction::new(row, label, 1.0 / sum)
    };
    Ok(logits.chunks_exact(classes).zip(labels).zip(likeliest).map(predict).collect())
}

/// The class of each row of `logits [n, classes]`: that of the largest, the lower one of equals. Minus infinity is a class that is never
/// predicted.
///
/// # Errors
/// [`Error::NoPrediction`] for a row that holds a NaN, or whose largest is infinite: whichever class were named would be chance.
pub(crate) fn classes_of_logits(logits: &[f32], classes: usize) -> Result<Vec<usize>> {
    let class = |(row, logits): (usize, &[f32])| {
        let class = first_largest(logits);
        match logits.iter().find(|logit| logit.is_nan()).or(Some(&logits[class]).filter(|most| most.is_infinite())) {
            Some(&value) => Err(Error::NoPrediction { row, value }),
            None => Ok(class),
        }
    };
    logits.chunks_exact(classes).enumerate().map(class).collect()
}

/// Index of the largest value, the first of equals.
pub(crate) fn first_largest<T: PartialOrd>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best })
}

/// Share of rows whose true class is among the five likeliest.
pub(crate) fn share_in_top(predictions: &[Prediction]) -> f64 {
    predictions.iter().filter(|prediction| prediction.in_top).count() as f64 / predictions.len() as f64
}

/// Expected calibration error (Guo et al. 2017, arXiv 1706.04599, eq. 3), in [0, 1]: the rows are sorted into 15 equally wide
/// bins by confidence, bin m holding those in ((m − 1) / 15, m / 15]; the error is `Σ_m |B_m| / n · |acc(B_m) − conf(B_m)|`,
/// with a bin's accuracy and its mean confidence.
pub(crate) fn expected_calibration_error(labels: &[usize], predictions: &[Prediction]) -> f64 {
    let mut gaps = [0.0; BINS];
    for (&label, prediction) in labels.iter().zip(predictions) {
        let bin = ((prediction.confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        gaps[bin] += f64::from(u8::from(prediction.class == label)) - prediction.confidence;
    }
    gaps.iter().map(|gap| gap.abs()).sum::<f64>() / labels.len() as f64
}

#[cfg(test)]
mod tests {
    use super::{Prediction, classes_of_logits, expected_calibration_error, predictions_of_logits, share_in_top};
    use crate::Error;

    #[test]
    fn the_five_likeliest_count_and_of_equals_the_lower_class_comes_first() {
        let values = [0.1, 0.7, 0.1, 0.3, 0.2, 0.1, 0.4];
        let in_top = |label| Prediction::new(&values, label, 1.0).in_top;
        // In order: 1, 6, 3, 4, then 0, 2 and 5, which are equal.
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(in_top), [true, true, false, true, true, false, true]);
        assert_eq!(Prediction::new(&[2.0, 5.0, 5.0], 0, 1.0).class, 1);
        assert_eq!(share_in_top(&[Prediction::new(&values, 0, 1.0), Prediction::new(&values, 2, 1.0)]), 0.5);
    }

    #[test]
    fn a_confidence_is_the_softmax_of_the_largest_logit() {
        let predictions = predictions_of_logits(&[0.0, 3f32.ln(), 1000.0, 0.0], &[0, 0], 2).unwrap();
        assert_eq!((predictions[0].class, predictions[1].class), (1, 0));
        assert!((predictions[0].confidence - 0.75).abs() < 1e-7 && predictions[1].confidence == 1.0, "{predictions:?}");
    }

    #[test]
    fn a_row_without_a_largest_logit_has_no_prediction() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        for row in [[nan, 1.0], [1.0, nan], [1.0, inf], [-inf, -inf]] {
            let logits = [&[1.0, 2.0], &row[..]].concat();
            assert!(matches!(classes_of_logits(&logits, 2), Err(Error::NoPrediction { row: 1, .. })), "{row:?}");
            assert!(matches!(predictions_of_logits(&logits, &[0, 0], 2), Err(Error::NoPrediction { row: 1, .. })), "{row:?}");
        }
        assert_eq!(classes_of_logits(&[-inf, -5.0], 2).unwrap(), [1], "a class without training images");
    }

    #[test]
    fn the_calibration_error_is_that_of_its_formula() {
        let predict = |confidence| Prediction { class: 0, in_top: true, confidence };
        // Bin (0.8, 0.8667]: two rows of 0.85, one right: |0.5 − 0.85| · 2/5. Bin (0.9333, 1]: two of 1, both right: 0. Bin
        // (0.2667, 0.3333]: one of 0.3, wrong: 0.3 · 1/5.
        let predictions = [0.85, 0.85, 1.0, 1.0, 0.3].map(predict);
        let error = expected_calibration_error(&[0, 1, 0, 0, 2], &predictions);
        assert!((error - (0.35 * 2.0 + 0.3) / 5.0).abs() < 1e-12, "{error}");
        // 0.8 is the upper end of bin 12, so it shares no bin with 0.85: the gaps 0.2 and −0.85 do not cancel.
        let error = expected_calibration_error(&[0, 1], &[predict(0.8), predict(0.85)]);
        assert!((error - 0.525).abs() < 1e-12, "{error}");
    }
}
