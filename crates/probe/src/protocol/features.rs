use relata_ops::Compute;

use super::settings::ProtocolSettings;
use crate::{Features, Result, Score};

/// A protocol that scores frozen features.
pub trait FeatureProtocol: ProtocolSettings {
    /// Fits what there is to fit on `train` and scores it on `test`. Test rows choose nothing. The same bits on any number of
    /// threads.
    ///
    /// # Errors
    /// [`crate::Error::Unlabelled`], [`crate::Error::OneClass`], [`crate::Error::WidthDiffers`] and their like for features that do not
    /// fit together; what else the protocol cannot do.
    fn run(&self, train: &Features, test: &Features, seed: u64, compute: &Compute) -> Result<Score>;

    /// Whether training rows have a say in the score.
    fn uses_training_rows(&self) -> bool {
        true
    }
}
