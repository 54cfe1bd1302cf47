use relata_data::DatasetEntry;

use crate::check::{MAX_SIDE_PX, check, within};
use crate::config::PipelineConfig;
use crate::error::Result;

/// Side and normalisation of views: a pixel is (v / 255 − mean) / std, channel by channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViewFormat {
    /// Side in pixels.
    pub side_px: usize,
    /// Of red, green and blue, in [0, 1].
    pub mean: [f32; 3],
    /// Of red, green and blue, above 0.
    pub std: [f32; 3],
}

impl ViewFormat {
    /// Views that are not normalised: values stay in [0, 1].
    #[must_use]
    pub fn plain(side_px: usize) -> Self {
        Self { side_px, mean: [0.0; 3], std: [1.0; 3] }
    }

    /// The same, with the side and the normalisation that a configuration names.
    #[must_use]
    pub fn with(self, config: &PipelineConfig) -> Self {
        let side_px = if config.side == 0 { self.side_px } else { config.side };
        let own = |named: &[f64], known| <[f64; 3]>::try_from(named).map_or(known, |named| named.map(|value| value as f32));
        Self { side_px, mean: own(&config.mean, self.mean), std: own(&config.std, self.std) }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        within("augment.side", self.side_px, 1, MAX_SIDE_PX, "1 to 4096")?;
        check("augment.mean", self.mean.iter().all(|v| v.is_finite()), self.mean, "three numbers in 0 to 1")?;
        check("augment.std", self.std.iter().all(|&v| v > 0.0 && v.is_finite()), self.std, "three numbers above 0")
    }
}

/// A data set's own.
impl From<&DatasetEntry> for ViewFormat {
    fn from(entry: &DatasetEntry) -> Self {
        Self { side_px: entry.side_px, mean: entry.statistics.mean, std: entry.statistics.std }
    }
}
