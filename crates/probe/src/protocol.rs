//! The protocols there are: one line of a table each.

use std::fmt;
use std::str::FromStr;

use relata_model::Compute;
use serde::{Deserialize, Serialize};

use crate::{Error, Features, Gallery, ProbeConfig, Result, Score};

/// A way to score a backbone: by its frozen features, or by training it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Protocol {
    /// [`crate::LinearProbe`].
    Linear,
    /// [`crate::Knn`].
    Knn,
    /// [`crate::LogisticProbe`].
    Logistic,
    /// [`crate::KMeans`].
    KMeans,
    /// [`crate::Retrieval`].
    Retrieval,
    /// [`crate::Finetune`].
    Finetune,
    /// [`crate::Supervised`].
    Supervised,
}

/// What the rest of the crate needs to know of a protocol.
struct Entry {
    protocol: Protocol,
    /// As serde writes it.
    name: &'static str,
    /// Checks the protocol's own settings; an error's key is theirs, below `section`.
    validate: fn(&ProbeConfig) -> Result<()>,
    /// Where those settings are: `probe`, or a table below it.
    section: &'static str,
    /// Whether [`ProbeConfig::seed`] changes its score.
    draws: bool,
    /// `None` for a protocol that trains the backbone: see [`crate::train_and_score`].
    score: Option<ScoreFeatures>,
}

type ScoreFeatures = fn(&ProbeConfig, &Features, &Features, &Compute) -> Result<Score>;

/// Every protocol, in the order of [`Protocol`]. A new one is a folder, a line here, and its settings in [`ProbeConfig`].
const TABLE: [Entry; 7] = [
    Entry {
        protocol: Protocol::Linear,
        name: "linear",
        validate: |config| config.linear().validate(),
        section: "probe",
        draws: true,
        score: Some(|config, train, test, compute| config.linear().fit(train, compute)?.score(test)),
    },
    Entry {
        protocol: Protocol::Knn,
        name: "knn",
        validate: |config| config.knn().validate(),
        section: "probe",
        draws: false,
        score: Some(|config, train, test, compute| config.knn().score(train, test, compute)),
    },
    Entry {
        protocol: Protocol::Logistic,
        name: "logistic",
        validate: |config| config.logistic.validate(),
        section: "probe.logistic",
        draws: false,
        score: Some(|config, train, test, compute| config.logistic.fit(train, compute)?.score(test)),
    },
    Entry {
        protocol: Protocol::KMeans,
        name: "kmeans",
        validate: |config| config.kmeans.validate(),
        section: "probe.kmeans",
        draws: true,
        score: Some(|config, train, test, compute| config.kmeans().score(train, test, compute)),
    },
    Entry {
        protocol: Protocol::Retrieval,
        name: "retrieval",
        validate: |_| Ok(()),
        section: "probe.retrieval",
        draws: false,
        score: Some(|config, train, test, compute| config.retrieval.score(train, test, compute)),
    },
    Entry {
        protocol: Protocol::Finetune,
        name: "finetune",
        validate: |config| config.finetune.validate(),
        section: "probe.finetune",
        draws: true,
        score: None,
    },
    Entry {
        protocol: Protocol::Supervised,
        name: "supervised",
        validate: |config| config.supervised.validate(),
        section: "probe.supervised",
        draws: true,
        score: None,
    },
];

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::Linear; TABLE.len()];
        let mut at = 0;
        while at < TABLE.len() {
            all[at] = TABLE[at].protocol;
            at += 1;
        }
        all
    };

    /// The protocols that take frozen features; the others train the backbone, and take as long.
    pub fn frozen() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|protocol| !protocol.trains_backbone())
    }

    /// Whether it trains the backbone ([`crate::train_and_score`]) instead of taking features ([`evaluate`]).
    #[must_use]
    pub fn trains_backbone(self) -> bool {
        self.entry().score.is_none()
    }

    /// The name in configuration files, on the command line and of the result file.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The protocol of a name.
    ///
    /// # Errors
    /// [`Error::UnknownProtocol`], with the known ones.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|protocol| protocol.name() == name);
        found.ok_or_else(|| Error::UnknownProtocol { name: name.to_owned(), known: Self::ALL.map(Self::name).join(", ") })
    }

    /// Refuses settings of this protocol that cannot work.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key's full path, such as `probe.epochs` or `probe.logistic.l2`.
    pub(crate) fn validate(self, config: &ProbeConfig) -> Result<()> {
        (self.entry().validate)(config).map_err(|error| error.within(self.entry().section))
    }

    /// Whether another [`ProbeConfig::seed`] may be another score.
    #[must_use]
    pub fn draws(self, config: &ProbeConfig) -> bool {
        self.entry().draws || (config.label_fraction < 1.0 && self.uses_training_images(config))
    }

    /// Whether training images have a say in the score: not where test images are searched for among themselves.
    fn uses_training_images(self, config: &ProbeConfig) -> bool {
        self != Self::Retrieval || config.retrieval.gallery == Gallery::Train
    }

    /// Whether a setting of `config`, by its key (`epochs`, `logistic.l2`), is part of this protocol: another value is another
    /// request. The seed is not among them, see [`Protocol::draws`].
    #[must_use]
    pub fn has_setting(self, config: &ProbeConfig, key: &str) -> bool {
        let own = match self {
            Self::Linear => ["epochs", "batch_size", "lr"].contains(&key),
            Self::Knn => ["k", "temperature"].contains(&key),
            _ => key.split_once('.').is_some_and(|(table, _)| table == self.name()),
        };
        own || (key == "label_fraction" && self.uses_training_images(config))
    }

    fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
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

/// Fits a protocol on `train`, or on [`ProbeConfig::label_fraction`] of it, and scores it on `test`.
///
/// # Errors
/// [`Error::NeedsBackbone`] for a protocol that [`Protocol::trains_backbone`]; as the protocol's own `fit` and `score`, such as
/// [`crate::LinearProbe::fit`] and [`crate::LinearModel::score`].
pub fn evaluate(protocol: Protocol, config: &ProbeConfig, train: &Features, test: &Features, compute: &Compute) -> Result<Score> {
    let score = protocol.entry().score.ok_or(Error::NeedsBackbone { protocol })?;
    if config.label_fraction == 1.0 || !protocol.uses_training_images(config) {
        return score(config, train, test, compute);
    }
    let mut score = score(config, &train.stratified(config.label_fraction, config.seed)?, test, compute)?;
    score.settings.insert("label_fraction".to_owned(), config.label_fraction.into());
    score.settings.insert("label_seed".to_owned(), config.seed.into());
    Ok(score)
}

#[cfg(test)]
mod tests {
    use relata_model::Compute;

    use super::{ProbeConfig, Protocol, evaluate};
    use crate::test_clouds::clouds;
    use crate::{Error, KMeans, LogisticProbe};

    #[test]
    fn a_name_written_is_the_name_read() {
        for (at, protocol) in Protocol::ALL.into_iter().enumerate() {
            assert_eq!(protocol as usize, at, "the table is in the order of the enum");
            assert_eq!(Protocol::from_name(protocol.name()).unwrap(), protocol);
            assert_eq!(serde_json::to_value(protocol).unwrap(), protocol.name());
        }
        let error = "Linear".parse::<Protocol>().unwrap_err();
        assert!(
            matches!(error, Error::UnknownProtocol { name, known } if name == "Linear" && known.starts_with("linear, knn, "))
        );
    }

    #[test]
    fn every_setting_is_that_of_a_protocol_or_changes_no_score() {
        let others = ["after_train", "protocols", "seed", "extract_batch_size", "workers"];
        let serde_json::Value::Object(config) = serde_json::to_value(ProbeConfig::default()).unwrap() else { panic!() };
        let default = ProbeConfig::default();
        for (key, value) in config {
            let keys: Vec<String> = match value.as_object() {
                Some(table) => table.keys().map(|name| format!("{key}.{name}")).collect(),
                None => vec![key.clone()],
            };
            for key in keys {
                let count = Protocol::ALL.into_iter().filter(|protocol| protocol.has_setting(&default, &key)).count();
                let expected = if others.contains(&key.as_str()) { 0 } else { 1 };
                assert!(count == expected || (key == "label_fraction" && count == Protocol::ALL.len()), "{key}: {count}");
            }
        }
    }

    #[test]
    fn each_protocol_scores_by_its_settings_and_says_so() {
        let logistic = LogisticProbe { max_iterations: 77, ..LogisticProbe::default() };
        let kmeans = KMeans { restarts: 3, ..KMeans::default() };
        let config = ProbeConfig { epochs: 30, lr: 1e-2, k: 9, logistic, kmeans, ..ProbeConfig::default() };
        let (train, test) = (clouds(0, 300, 8, 3, 0.1), clouds(300, 60, 8, 3, 0.1));
        for protocol in Protocol::frozen() {
            let score = evaluate(protocol, &config, &train, &test, &Compute::new(1).unwrap()).unwrap();
            assert_eq!((score.protocol, score.accuracy_pct), (protocol, 100.0));
            let (key, value) = match protocol {
                Protocol::Linear => ("epochs", 30),
                Protocol::Knn => ("k", 9),
                Protocol::Logistic => ("max_iterations", 77),
                Protocol::KMeans => ("restarts", 3),
                Protocol::Retrieval => ("gallery_images", 300),
                Protocol::Finetune | Protocol::Supervised => unreachable!("they take no features"),
            };
            assert_eq!(score.settings[key], value);
        }
    }
}
