use serde::{Deserialize, Serialize};

use super::ConfigError;

/// `[online]` of a configuration. Changes no bit of what is trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnlineConfig {
    /// Epochs from one measurement to the next; 0 (the default): none.
    pub every: u32,
    /// Images of the training split that it takes, each class its share: four fifths vote, the rest is scored. Default 5000; all
    /// where there are not as many.
    pub images: usize,
    /// Neighbours that vote. Default 20: Caron et al. 2021 (arXiv 2104.14294); a probe's 200 are too many for a tenth of the images.
    pub k: usize,
    /// Which images. Default 1. Not the run's seed, so that runs of several seeds are measured on the same ones.
    pub seed: u64,
}

impl Default for OnlineConfig {
    fn default() -> Self {
        Self { every: 0, images: 5000, k: 20, seed: 1 }
    }
}

impl OnlineConfig {
    /// Refuses settings that cannot work.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let check = |fits: bool, key: &str, value: usize, allowed| {
            let (key, value) = (key.to_owned(), value.to_string());
            if fits { Ok(()) } else { Err(ConfigError::Range { key, value, allowed }) }
        };
        check(self.images >= 10, "online.images", self.images, "10 or more")?;
        check(self.k > 0, "online.k", self.k, "1 or more")
    }
}
