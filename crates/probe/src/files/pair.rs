use std::collections::{BTreeMap, BTreeSet};

use super::feature_file::FeatureFile;
use crate::{Error, Features, Result};

/// Training and test features with one numbering of the classes: those that a file names or that have training rows, in the order
/// of the files' own labels. A class without a name is called by its number.
///
/// # Errors
/// [`Error::Unlabelled`]; [`Error::WidthDiffers`]; [`Error::ClassNameDiffers`] where the files name a label differently;
/// [`Error::NotInTraining`] for a test row of a class that no training row has.
pub fn labelled_pair(train: FeatureFile, test: FeatureFile) -> Result<(Features, Features)> {
    let (train_labels, test_labels) = (train.labelled()?, test.labelled()?);
    if train.width != test.width {
        return Err(Error::WidthDiffers { train: train.width, test: test.width });
    }
    let trained: BTreeSet<u64> = train_labels.iter().copied().collect();
    if let Some(row) = test_labels.iter().position(|label| !trained.contains(label)) {
        return Err(Error::NotInTraining { path: test.path.clone(), row, label: test_labels[row] });
    }
    let mut names = train.names.clone();
    for (&label, name) in &test.names {
        let known = names.entry(label).or_insert_with(|| name.clone());
        if known != name {
            let label = usize::try_from(label).unwrap_or(usize::MAX);
            return Err(Error::ClassNameDiffers { label, train: known.clone(), test: name.clone() });
        }
    }
    for label in trained {
        names.entry(label).or_insert_with(|| label.to_string());
    }
    let classes: BTreeMap<u64, usize> = names.keys().enumerate().map(|(class, &label)| (label, class)).collect();
    let class_names: Vec<String> = names.into_values().collect();
    let numbered = |labels: &[u64]| labels.iter().map(|label| classes[label]).collect();
    let (train_labels, test_labels) = (numbered(train_labels), numbered(test_labels));
    let train = Features::new(train.values, train.width, train_labels, class_names.clone())?;
    Ok((train, Features::new(test.values, test.width, test_labels, class_names)?))
}
