use std::fmt;
use std::str::FromStr;

use relata_model::Compute;
use serde::{Deserialize, Serialize};

use crate::error::check;
use crate::{Error, ExtractOptions, Features, Knn, LinearProbe, Result, Score};

/// A way to score frozen features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Protocol {
    /// [`LinearProbe`].
    Linear,
    /// [`Knn`].
    Knn,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 2] = [Self::Linear, Self::Knn];

    /// The name in configuration files, on the command line and of the result file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Knn => "knn",
        }
    }

    /// The protocol of a name.
    ///
    /// # Errors
    /// [`Error::UnknownProtocol`], with the known ones.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.name() == name)
            .ok_or_else(|| Error::UnknownProtocol { name: name.to_owned(), known: Self::ALL.map(Self::name).join(", ") })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::from_name(name)
    }
}

/// The settings of every protocol, as a configuration file's `[probe]` holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Whether a training run ends with its scores. Default true.
    pub after_train: bool,
    /// Which scores. Default both: the linear probe is the paper's, kNN needs no training.
    pub protocols: Vec<Protocol>,
    /// Linear probe: passes over the training images. Default 100: the paper's.
    pub epochs: usize,
    /// Linear probe: images a step. Default 128: the paper's.
    pub batch_size: usize,
    /// Linear probe: Adam's learning rate. Default 1e-3: the paper's.
    pub lr: f64,
    /// Linear probe: seed of its first weights and of the order of its images. Default 0. Not the run's seed, so that
    /// scores of several runs differ by their backbones alone.
    pub seed: u64,
    /// kNN: neighbours that vote. Default 200: Wu et al. 2018 (arXiv 1805.01978).
    pub k: usize,
    /// kNN: T in the weight exp(similarity / T) of a vote. Default 0.1; Wu et al. 2018 take 0.07.
    pub temperature: f64,
    /// Features: images a forward pass. Default 256. Changes no result.
    pub extract_batch_size: usize,
    /// Features: threads that read and prepare images. Default 1. Changes no result.
    pub workers: usize,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        let (linear, knn, extract) = (LinearProbe::default(), Knn::default(), ExtractOptions::default());
        Self {
            after_train: true,
            protocols: Protocol::ALL.to_vec(),
            epochs: linear.epochs,
            batch_size: linear.batch_size,
            lr: linear.lr,
            seed: linear.seed,
            k: knn.k,
            temperature: knn.temperature,
            extract_batch_size: extract.batch_size,
            workers: extract.workers,
        }
    }
}

impl ProbeConfig {
    /// Refuses settings that cannot work, before any work.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key's full path, such as `probe.epochs`.
    pub fn validate(&self) -> Result<()> {
        let twice = |at: usize| self.protocols[..at].contains(&self.protocols[at]);
        let names = || format!("{:?}", self.protocols.iter().map(|protocol| protocol.name()).collect::<Vec<_>>());
        let once = !self.protocols.is_empty() && !(0..self.protocols.len()).any(twice);
        check(once, "probe.protocols", names(), "one or more of linear and knn, each once")?;
        check(self.extract_batch_size > 0, "probe.extract_batch_size", self.extract_batch_size, "1 or more")?;
        check(self.workers <= 1024, "probe.workers", self.workers, "0 to 1024")?;
        self.linear().validate().and_then(|()| self.knn().validate()).map_err(|error| match error {
            Error::Setting { key, value, allowed } => Error::Setting { key: format!("probe.{key}"), value, allowed },
            other => other,
        })
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

    /// How these settings compute features.
    #[must_use]
    pub fn extract_options(&self) -> ExtractOptions {
        ExtractOptions { batch_size: self.extract_batch_size, workers: self.workers, sources: false }
    }
}

/// Fits a protocol on `train` and scores it on `test`.
///
/// # Errors
/// As [`LinearProbe::fit`] and [`crate::LinearModel::score`], or [`Knn::score`].
pub fn evaluate(protocol: Protocol, config: &ProbeConfig, train: &Features, test: &Features, compute: &Compute) -> Result<Score> {
    match protocol {
        Protocol::Linear => config.linear().fit(train, compute)?.score(test),
        Protocol::Knn => config.knn().score(train, test, compute),
    }
}

#[cfg(test)]
mod tests {
    use relata_model::Compute;

    use super::{ProbeConfig, Protocol, evaluate};
    use crate::Error;
    use crate::test_clouds::clouds;

    #[test]
    fn a_name_written_is_the_name_read() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::from_name(protocol.name()).unwrap(), protocol);
            assert_eq!(serde_json::to_value(protocol).unwrap(), protocol.name());
        }
        let error = "Linear".parse::<Protocol>().unwrap_err();
        assert!(matches!(error, Error::UnknownProtocol { name, known } if name == "Linear" && known == "linear, knn"));
    }

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
            (ProbeConfig { temperature: -0.1, ..base() }, "probe.temperature"),
            (ProbeConfig { extract_batch_size: 0, ..base() }, "probe.extract_batch_size"),
            (ProbeConfig { workers: 2000, ..base() }, "probe.workers"),
        ] {
            assert!(matches!(config.validate(), Err(Error::Setting { key, .. }) if key == name), "{name}");
        }
    }

    #[test]
    fn each_protocol_scores_by_its_settings_and_says_so() {
        let config = ProbeConfig { epochs: 30, lr: 1e-2, k: 9, ..ProbeConfig::default() };
        let (train, test) = (clouds(0, 300, 8, 3, 0.1), clouds(300, 60, 8, 3, 0.1));
        for protocol in Protocol::ALL {
            let score = evaluate(protocol, &config, &train, &test, &Compute::new(1).unwrap()).unwrap();
            assert_eq!((score.protocol, score.accuracy_pct), (protocol, 100.0));
            let (key, value) = if protocol == Protocol::Knn { ("k", 9) } else { ("epochs", 30) };
            assert_eq!(score.settings[key], value);
        }
    }
}
