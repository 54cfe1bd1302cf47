use relata_artifact::FeatureSample;

use crate::{Features, Result};

/// At most `most` rows for a picture of the features: as equally many of each class as there are, spread evenly over each
/// class, in the order of the rows. The same features, the same sample. Of which split they are, only the caller knows.
///
/// # Errors
/// [`crate::Error::Unlabelled`].
pub fn feature_sample(features: &Features, most: usize) -> Result<FeatureSample> {
    let labels = features.labelled()?;
    let mut rows_of = vec![Vec::new(); features.class_names().len()];
    labels.iter().enumerate().for_each(|(row, &label)| rows_of[label].push(row));

    let shares = equal_shares(&rows_of.iter().map(Vec::len).collect::<Vec<_>>(), most);
    let evenly = |(rows, share): (&Vec<usize>, usize)| (0..share).map(|i| rows[i * rows.len() / share]).collect::<Vec<_>>();
    let mut rows: Vec<usize> = rows_of.iter().zip(shares).flat_map(evenly).collect();
    rows.sort_unstable();

    Ok(FeatureSample {
        features: rows.iter().flat_map(|&row| features.row(row)).copied().collect(),
        dim: features.width(),
        labels: rows.iter().map(|&row| labels[row] as u32).collect(),
        class_names: features.class_names().to_vec(),
        split: String::new(),
    })
}

/// How many of each class: `most` are dealt out one by one, round by round, to the classes that have more.
fn equal_shares(sizes: &[usize], most: usize) -> Vec<usize> {
    let mut shares = vec![0; sizes.len()];
    let mut left = most.min(sizes.iter().sum());
    while left > 0 {
        for (share, &size) in shares.iter_mut().zip(sizes) {
            if left > 0 && *share < size {
                *share += 1;
                left -= 1;
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::feature_sample;
    use crate::{Error, Features};

    /// `sizes[c]` rows of class c, the classes one after the other; each row holds its own number.
    fn features(sizes: &[usize]) -> Features {
        let labels: Vec<usize> = sizes.iter().enumerate().flat_map(|(class, &size)| vec![class; size]).collect();
        let names = (0..sizes.len()).map(|class| class.to_string()).collect();
        Features::new((0..labels.len()).map(|row| row as f32).collect(), 1, labels, names).unwrap()
    }

    #[test]
    fn every_class_has_as_many_rows_as_any_other() {
        let sample = feature_sample(&features(&[50, 30, 20]), 12).unwrap();
        assert_eq!(sample.labels, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(sample.features, [0.0, 12.0, 25.0, 37.0, 50.0, 57.0, 65.0, 72.0, 80.0, 85.0, 90.0, 95.0]);
        assert_eq!((sample.dim, sample.class_names.len()), (1, 3));
    }

    #[test]
    fn a_small_class_leaves_its_share_to_the_others() {
        let sample = feature_sample(&features(&[50, 1, 0, 20]), 10).unwrap();
        let count = |class| sample.labels.iter().filter(|label| **label == class).count();
        assert_eq!([0, 1, 2, 3].map(count), [5, 1, 0, 4]);
    }

    #[test]
    fn a_small_set_is_taken_whole() {
        let all = features(&[3, 2]);
        let sample = feature_sample(&all, 1000).unwrap();
        assert_eq!(sample.features, all.values());
    }

    #[test]
    fn features_without_labels_are_refused() {
        let unlabelled = Features::unlabelled(vec![1.0], 1).unwrap();
        assert!(matches!(feature_sample(&unlabelled, 10), Err(Error::Unlabelled { .. })));
    }
}
