use relata_augment::{LoaderConfig, PipelineConfig};

use crate::protocol::RunProtocol;
use crate::protocols::Protocol;
use crate::{Error, ProbeConfig, Result};

/// How features are computed. None of it changes a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractOptions {
    /// Images a forward pass. Default 256.
    pub batch_size: usize,
    /// Threads that read and prepare images; 0 does it in the calling thread. Default 1.
    pub workers: usize,
    /// Whether the images' sources are kept with the features. Default false.
    pub sources: bool,
}

impl Default for ExtractOptions {
    fn default() -> Self {
        Self { batch_size: 256, workers: 1, sources: false }
    }
}

impl ExtractOptions {
    /// Bytes of the images that are ready or in the making, for a backbone's side of `side_px`.
    #[must_use]
    pub fn loader_bytes(&self, side_px: usize) -> usize {
        self.loader().bytes(side_px)
    }

    pub(super) fn loader(&self) -> LoaderConfig {
        LoaderConfig { workers: self.workers, ..LoaderConfig::evaluation(self.batch_size) }
    }
}

impl ProbeConfig {
    /// How these settings compute features.
    #[must_use]
    pub fn extract_options(&self) -> ExtractOptions {
        ExtractOptions { batch_size: self.extract_batch_size, workers: self.workers, sources: false }
    }

    /// How a protocol that trains the backbone augments images of `side_px`.
    ///
    /// # Errors
    /// [`Error::FrozenProtocol`] for a protocol that takes features.
    pub fn augmentation(&self, protocol: Protocol, side_px: usize) -> Result<PipelineConfig> {
        match protocol.run() {
            RunProtocol::Training { augmentation, .. } => Ok(augmentation(&self.settings, side_px)),
            RunProtocol::Features(_) => Err(Error::FrozenProtocol { protocol: protocol.name() }),
        }
    }
}
