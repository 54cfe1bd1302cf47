use relata_augment::PipelineConfig;
use serde::{Deserialize, Serialize};

use crate::error::check;
use crate::label_fraction::check_fraction;
use crate::{
    ExtractOptions, Finetune, KMeans, Knn, LinearProbe, LogisticProbe, Protocol, Result, Retrieval, Supervised,
    supervised_augmentation,
};

/// The settings of every protocol, as a configuration file's `[probe]` holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Whether a training run ends with its scores. Default true.
    pub after_train: bool,
    /// Which scores. Default `linear` and `knn`: the linear probe is the paper's, kNN needs no training.
    pub protocols: Vec<Protocol>,
    /// Linear probe: passes over the training images. Default 100: the paper's.
    pub epochs: usize,
    /// Linear probe: images a step. Default 128: the paper's.
    pub batch_size: usize,
    /// Linear probe: Adam's learning rate. Default 1e-3: the paper's.
    pub lr: f64,
    /// Seed of the linear probe's first weights and order of images, of k-means' first centres, of the labels drawn, and of what
    /// fine-tuning and supervised training draw. Default 0. Not the run's seed, so that scores of several runs differ by their
    /// backbones alone.
    pub seed: u64,
    /// Share of the training labels of each class that a protocol is given, above 0 and at most 1; which ones, `seed` says.
    /// Default 1: all. 0.01 and 0.1 are the usual semi-supervised settings.
    pub label_fraction: f64,
    /// kNN: neighbours that vote. Default 200: Wu et al. 2018 (arXiv 1805.01978).
    pub k: usize,
    /// kNN: T in the weight exp(similarity / T) of a vote. Default 0.1; Wu et al. 2018 take 0.07.
    pub temperature: f64,
    /// Features: images a forward pass. Default 256. Changes no result.
    pub extract_batch_size: usize,
    /// Features: threads that read and prepare images. Default 1. Changes no result.
    pub workers: usize,
    /// Logistic regression.
    pub logistic: LogisticProbe,
    /// k-means.
    pub kmeans: KMeans,
    /// Retrieval.
    pub retrieval: Retrieval,
    /// Fine-tuning.
    pub finetune: Finetune,
    /// Supervised training.
    pub supervised: Supervised,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        let (linear, knn, extract) = (LinearProbe::default(), Knn::default(), ExtractOptions::default());
        Self {
            after_train: true,
            protocols: vec![Protocol::Linear, Protocol::Knn],
            epochs: linear.epochs,
            batch_size: linear.batch_size,
            lr: linear.lr,
            seed: linear.seed,
            label_fraction: 1.0,
            k: knn.k,
            temperature: knn.temperature,
            extract_batch_size: extract.batch_size,
            workers: extract.workers,
            logistic: LogisticProbe::default(),
            kmeans: KMeans::default(),
            retrieval: Retrieval::default(),
            finetune: Finetune::default(),
            supervised: Supervised::default(),
        }
    }
}

impl ProbeConfig {
    /// Refuses settings that cannot work, before any work.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] with the key's full path, such as `probe.epochs`.
    pub fn validate(&self) -> Result<()> {
        let twice = |at: usize| self.protocols[..at].contains(&self.protocols[at]);
        let names = || format!("{:?}", self.protocols.iter().map(|protocol| protocol.name()).collect::<Vec<_>>());
        let once = !self.protocols.is_empty() && !(0..self.protocols.len()).any(twice);
        check(once, "probe.protocols", names(), "one protocol or more, each once")?;
        check_fraction(self.label_fraction).map_err(|error| error.within("probe"))?;
        check(self.extract_batch_size > 0, "probe.extract_batch_size", self.extract_batch_size, "1 or more")?;
        check(self.workers <= 1024, "probe.workers", self.workers, "0 to 1024")?;
        Protocol::ALL.into_iter().try_for_each(|protocol| protocol.validate(self))
    }

    /// The linear probe of these settings.
    #[must_use]
    pub fn linear(&self) -> LinearProbe {
        LinearProbe { epochs: self.epochs, batch_size: self.batch_size, lr: self.lr, seed: self.seed }
    }

    /// The kNN of these settings.
    #[must_use]
    pub fn knn(&self) -> Knn {
        Knn { k: self.k, temperature: self.temperature }
    }

    /// The k-means of these settings.
    #[must_use]
    pub fn kmeans(&self) -> KMeans {
        KMeans { seed: self.seed, ..self.kmeans }
    }

    /// How a protocol that trains the backbone augments images of `side_px`: [`Finetune::augmentation`] for fine-tuning, else
    /// [`supervised_augmentation`].
    #[must_use]
    pub fn augmentation(&self, protocol: Protocol, side_px: usize) -> PipelineConfig {
        if protocol == Protocol::Finetune { self.finetune.augmentation() } else { supervised_augmentation(side_px) }
    }

    /// How these settings compute features.
    #[must_use]
    pub fn extract_options(&self) -> ExtractOptions {
        ExtractOptions { batch_size: self.extract_batch_size, workers: self.workers, sources: false }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, Finetune, KMeans, LogisticProbe, ProbeConfig, Protocol, Supervised};

    #[test]
    fn settings_written_are_the_settings_read_and_the_rest_are_defaults() {
        let config = ProbeConfig { protocols: vec![Protocol::Knn], k: 20, ..ProbeConfig::default() };
        assert_eq!(toml::from_str::<ProbeConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        assert_eq!(toml::from_str::<ProbeConfig>("protocols = [\"knn\"]\nk = 20").unwrap(), config);
        assert!(toml::from_str::<ProbeConfig>("epoch = 3").is_err());
        assert!(ProbeConfig::default().validate().is_ok());
    }

    #[test]
    fn a_setting_outside_its_range_is_named_with_its_path() {
        let base = ProbeConfig::default;
        for (config, name) in [
            (ProbeConfig { protocols: vec![], ..base() }, "probe.protocols"),
            (ProbeConfig { protocols: vec![Protocol::Knn; 2], ..base() }, "probe.protocols"),
            (ProbeConfig { epochs: 0, ..base() }, "probe.epochs"),
            (ProbeConfig { batch_size: 0, ..base() }, "probe.batch_size"),
            (ProbeConfig { lr: f64::INFINITY, ..base() }, "probe.lr"),
            (ProbeConfig { k: 0, ..base() }, "probe.k"),
            (ProbeConfig { label_fraction: 0.0, ..base() }, "probe.label_fraction"),
            (ProbeConfig { temperature: -0.1, ..base() }, "probe.temperature"),
            (ProbeConfig { logistic: LogisticProbe { l2: 0.0, ..Default::default() }, ..base() }, "probe.logistic.l2"),
            (ProbeConfig { kmeans: KMeans { restarts: 0, ..Default::default() }, ..base() }, "probe.kmeans.restarts"),
            (ProbeConfig { finetune: Finetune { lr: -1.0, ..Default::default() }, ..base() }, "probe.finetune.lr"),
            (ProbeConfig { finetune: Finetune { affine: 1.5, ..Default::default() }, ..base() }, "probe.finetune.affine"),
            (
                ProbeConfig { finetune: Finetune { cutout_area: 1.0, ..Default::default() }, ..base() },
                "probe.finetune.cutout_area",
            ),
            (ProbeConfig { supervised: Supervised { epochs: 0, ..Default::default() }, ..base() }, "probe.supervised.epochs"),
            (ProbeConfig { extract_batch_size: 0, ..base() }, "probe.extract_batch_size"),
            (ProbeConfig { workers: 2000, ..base() }, "probe.workers"),
        ] {
            assert!(matches!(config.validate(), Err(Error::Setting { key, .. }) if key == name), "{name}");
        }
    }
}
