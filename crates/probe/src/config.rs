use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use crate::Result;
use crate::draw::check_fraction;
use crate::error::check;
use crate::protocol::{ProtocolSettings, SettingsTables};
use crate::protocols::Protocol;

/// The settings of every protocol, as a configuration file's `[probe]` holds them.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeConfig {
    /// Whether a training run ends with its scores. Default true.
    pub after_train: bool,
    /// Which scores. Default: those of [`crate::ProtocolInfo::after_train`].
    pub protocols: Vec<Protocol>,
    /// Seed of all that a protocol draws: first weights, the order of images, first centres, the labels drawn. Default 0. Not the
    /// run's seed, so that scores of several runs differ by their backbones alone.
    pub seed: u64,
    /// Share of the training labels of each class that a protocol is given, above 0 and at most 1; which ones, `seed` says.
    /// Default 1: all. 0.01 and 0.1 are the usual semi-supervised settings.
    pub label_fraction: f64,
    /// Features: images a forward pass. Default 256. Changes no result.
    pub extract_batch_size: usize,
    /// Features: threads that read and prepare images. Default 1. Changes no result.
    pub workers: usize,
    /// What each protocol has of its own: in the table `[probe.<name>]`, or in `[probe]` itself
    /// ([`crate::ProtocolInfo::settings_in_probe`]).
    pub settings: SettingsTables,
}

/// The part of `[probe]` that all protocols share.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SharedSettings {
    after_train: bool,
    protocols: Vec<Protocol>,
    seed: u64,
    label_fraction: f64,
    extract_batch_size: usize,
    workers: usize,
}

impl Default for SharedSettings {
    fn default() -> Self {
        Self {
            after_train: true,
            protocols: Protocol::all().filter(|protocol| protocol.info().after_train).collect(),
            seed: 0,
            label_fraction: 1.0,
            extract_batch_size: 256,
            workers: 1,
        }
    }
}

impl Default for ProbeConfig {
    fn default() -> Self {
        let mut settings = SettingsTables::default();
        Protocol::all().for_each(|protocol| settings.set_table(protocol.name(), protocol.default_settings()));
        Self::of(SharedSettings::default(), settings)
    }
}

impl ProbeConfig {
    /// The same with a protocol's settings.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for a number that TOML cannot hold.
    pub fn with<P: ProtocolSettings>(mut self, settings: &P) -> Result<Self> {
        self.settings.set(settings)?;
        Ok(self)
    }

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
        Protocol::all().try_for_each(|protocol| protocol.validate(&self.settings))
    }

    /// Whether another [`ProbeConfig::seed`] may be another score of `protocol`.
    #[must_use]
    pub fn draws(&self, protocol: Protocol) -> bool {
        protocol.info().draws || (self.label_fraction < 1.0 && protocol.uses_training_rows(&self.settings))
    }

    /// Whether a setting, by its key (`epochs`, `logistic.l2`), is part of `protocol`: another value is another request. The seed
    /// is not among them, see [`ProbeConfig::draws`].
    #[must_use]
    pub fn is_setting_of(&self, protocol: Protocol, key: &str) -> bool {
        let own = if protocol.info().settings_in_probe {
            protocol.default_settings().contains_key(key)
        } else {
            key.split_once('.').is_some_and(|(table, _)| table == protocol.name())
        };
        own || (key == "label_fraction" && protocol.uses_training_rows(&self.settings))
    }

    fn of(shared: SharedSettings, settings: SettingsTables) -> Self {
        let SharedSettings { after_train, protocols, seed, label_fraction, extract_batch_size, workers } = shared;
        Self { after_train, protocols, seed, label_fraction, extract_batch_size, workers, settings }
    }

    /// A protocol's settings, every key written out.
    fn table_of(&self, protocol: Protocol) -> Table {
        self.settings.table(protocol.name()).cloned().unwrap_or_else(|| protocol.default_settings())
    }
}

impl Serialize for ProbeConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("after_train", &self.after_train)?;
        map.serialize_entry("protocols", &self.protocols)?;
        map.serialize_entry("seed", &self.seed)?;
        map.serialize_entry("label_fraction", &self.label_fraction)?;
        map.serialize_entry("extract_batch_size", &self.extract_batch_size)?;
        map.serialize_entry("workers", &self.workers)?;
        let (in_probe, own): (Vec<_>, Vec<_>) = Protocol::all().partition(|protocol| protocol.info().settings_in_probe);
        for (key, value) in in_probe.into_iter().flat_map(|protocol| self.table_of(protocol)) {
            map.serialize_entry(&key, &value)?;
        }
        for protocol in own {
            map.serialize_entry(protocol.name(), &self.table_of(protocol))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ProbeConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut given = Table::deserialize(deserializer)?;
        let mut settings = SettingsTables::default();
        for protocol in Protocol::all() {
            let own = if protocol.info().settings_in_probe {
                let keys = protocol.default_settings();
                let names: Vec<String> = given.keys().filter(|key| keys.contains_key(*key)).cloned().collect();
                Value::Table(names.into_iter().filter_map(|key| given.remove_entry(&key)).collect())
            } else {
                given.remove(protocol.name()).unwrap_or_else(|| Value::Table(Table::new()))
            };
            let Value::Table(own) = own else {
                return Err(D::Error::custom(format!("{} is {own}: expected a table of settings", protocol.name())));
            };
            settings.set_table(protocol.name(), protocol.read_settings(own).map_err(D::Error::custom)?);
        }
        let shared = Value::Table(given).try_into().map_err(|error: toml::de::Error| D::Error::custom(error.message()))?;
        Ok(Self::of(shared, settings))
    }
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use crate::{Error, Gallery, KMeans, Knn, LinearProbe, LogisticProbe, ProbeConfig, Protocol, ProtocolSettings, Retrieval};

    #[test]
    fn settings_written_are_the_settings_read_and_the_rest_are_defaults() {
        let config = ProbeConfig { protocols: vec![Protocol::of::<Knn>()], ..ProbeConfig::default() };
        let config = config.with(&Knn { k: 20, ..Knn::default() }).unwrap();
        assert_eq!(toml::from_str::<ProbeConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        assert_eq!(toml::from_str::<ProbeConfig>("protocols = [\"knn\"]\nk = 20").unwrap(), config);
        assert_eq!(toml::from_str::<ProbeConfig>("").unwrap(), ProbeConfig::default());
        assert!(ProbeConfig::default().validate().is_ok());
        for wrong in [
            "epoch = 3",
            "knn = 3",
            "[linear]\nepochs = 3",
            "[logistic]\nl3 = 1.0",
            "[kmeans]\nrestarts = \"a\"",
            "protocols = [\"cnn\"]",
        ] {
            assert!(toml::from_str::<ProbeConfig>(wrong).is_err(), "{wrong}");
        }
    }

    /// All keys of `[probe]`, and where the protocols' stand: files and results name them so.
    #[test]
    fn keys_and_defaults_are_those_that_files_have() {
        let file = "after_train = true\nprotocols = [\"linear\", \"knn\"]\nepochs = 100\nbatch_size = 128\nlr = 0.001\nseed = 0\n\
                    label_fraction = 1.0\nk = 200\ntemperature = 0.1\nextract_batch_size = 256\nworkers = 1\n\
                    [logistic]\nl2 = 1.0\nmax_iterations = 1000\ntolerance = 1e-6\n\
                    [kmeans]\nrestarts = 10\nmax_iterations = 300\nnormalise = true\n[retrieval]\ngallery = \"train\"\n";
        let all = Table::try_from(ProbeConfig::default()).unwrap();
        for (key, value) in file.parse::<Table>().unwrap() {
            assert_eq!(all.get(&key), Some(&value), "{key}");
        }
        assert_eq!(toml::from_str::<ProbeConfig>(file).unwrap(), ProbeConfig::default());
    }

    #[test]
    fn a_setting_outside_its_range_is_named_with_its_path() {
        let base = ProbeConfig::default;
        let with = |config: Result<ProbeConfig, Error>| config.unwrap();
        let knn = Protocol::of::<Knn>();
        for (config, name) in [
            (ProbeConfig { protocols: vec![], ..base() }, "probe.protocols"),
            (ProbeConfig { protocols: vec![knn; 2], ..base() }, "probe.protocols"),
            (with(base().with(&LinearProbe { epochs: 0, ..Default::default() })), "probe.epochs"),
            (with(base().with(&LinearProbe { batch_size: 0, ..Default::default() })), "probe.batch_size"),
            (with(base().with(&LinearProbe { lr: f64::INFINITY, ..Default::default() })), "probe.lr"),
            (with(base().with(&Knn { k: 0, ..Default::default() })), "probe.k"),
            (ProbeConfig { label_fraction: 0.0, ..base() }, "probe.label_fraction"),
            (with(base().with(&Knn { temperature: -0.1, ..Default::default() })), "probe.temperature"),
            (with(base().with(&LogisticProbe { l2: 0.0, ..Default::default() })), "probe.logistic.l2"),
            (with(base().with(&KMeans { restarts: 0, ..Default::default() })), "probe.kmeans.restarts"),
            (ProbeConfig { extract_batch_size: 0, ..base() }, "probe.extract_batch_size"),
            (ProbeConfig { workers: 2000, ..base() }, "probe.workers"),
        ] {
            assert!(matches!(config.validate(), Err(Error::Setting { key, .. }) if key == name), "{name}");
        }
        assert!(
            matches!(base().with(&Knn { k: usize::MAX, ..Knn::default() }), Err(Error::Setting { key, .. }) if key == "probe.knn")
        );
    }

    #[cfg(feature = "images")]
    #[test]
    fn a_setting_of_a_training_outside_its_range_is_named_with_its_path() {
        use crate::{Finetune, Supervised};

        let finetune = Finetune::default();
        let base = ProbeConfig::default;
        for (config, name) in [
            (base().with(&Finetune { lr: -1.0, ..finetune }), "probe.finetune.lr"),
            (base().with(&Finetune { affine: 1.5, ..finetune }), "probe.finetune.affine"),
            (base().with(&Finetune { cutout_area: 1.0, ..finetune }), "probe.finetune.cutout_area"),
            (base().with(&Supervised { epochs: 0, ..Supervised::default() }), "probe.supervised.epochs"),
        ] {
            assert!(matches!(config.unwrap().validate(), Err(Error::Setting { key, .. }) if key == name), "{name}");
        }
    }

    #[test]
    fn every_setting_is_that_of_a_protocol_or_changes_no_score() {
        let others = ["after_train", "protocols", "seed", "extract_batch_size", "workers"];
        let config = ProbeConfig::default();
        for (key, value) in Table::try_from(&config).unwrap() {
            let keys: Vec<String> = match value.as_table() {
                Some(table) => table.keys().map(|name| format!("{key}.{name}")).collect(),
                None => vec![key.clone()],
            };
            for key in keys {
                let count = Protocol::all().filter(|&protocol| config.is_setting_of(protocol, &key)).count();
                let expected = if others.contains(&key.as_str()) { 0 } else { 1 };
                assert!(count == expected || (key == "label_fraction" && count == Protocol::all().count()), "{key}: {count}");
            }
        }
        let among_test = config.with(&Retrieval { gallery: Gallery::Test }).unwrap();
        assert!(!among_test.is_setting_of(Protocol::from_name(Retrieval::INFO.name).unwrap(), "label_fraction"));
    }
}
