//! The request of a result: the settings of a configuration that it follows from. Whether it is there already, and what it is called,
//! is decided by these.

use std::collections::BTreeMap;

use relata_artifact::{changes_no_result, setting_text};
use relata_probe::Protocol;

use crate::Config;
use crate::data::images;

/// As [`relata_artifact::ProbeResult::request`] has it.
pub(crate) type Request = BTreeMap<String, String>;

/// There where it is another than the run's, which may move.
const PATH: &str = "data.path";
const LABEL_FRACTION: &str = "probe.label_fraction";

/// The request of a protocol's result by `config`, from these seeds, for a run that was trained by `trained`.
pub(crate) fn of(protocol: Protocol, config: &Config, trained: &Config, seeds: &[u64]) -> Request {
    let counts = |key: &str| match key.split_once('.') {
        Some(("data", _)) => key != PATH && !changes_no_result(key),
        Some(("probe", key)) => config.probe.is_setting_of(protocol, key),
        _ => false,
    };
    let settings = config.as_settings().into_iter().filter(|(key, _)| counts(key));
    let mut request: Request = settings.map(|(key, value)| (key, setting_text(&value))).collect();
    let moved = images::has_path(&config.data) && !images::same_data(&config.data, &trained.data);
    let path = if moved { config.data.path.display().to_string() } else { String::new() };
    request.insert(PATH.to_owned(), path);
    if config.probe.draws(protocol) {
        let seeds = if let [seed] = seeds { seed.to_string() } else { format!("{seeds:?}") };
        request.insert("probe.seed".to_owned(), seeds);
    }
    request
}

/// Whether the settings of images, and of the share of their labels, in `asked` are those in `wanted`, where both have them: a retrieval of test
/// images among themselves has no such share.
pub(crate) fn same_images(asked: &Request, wanted: &Request) -> bool {
    let mut both = asked.iter().filter(|(key, _)| key.starts_with("data.") || *key == LABEL_FRACTION);
    both.all(|(key, value)| wanted.get(key).is_none_or(|wanted| wanted == value))
}

#[cfg(test)]
mod tests {
    use relata_probe::{Knn, LinearProbe, Protocol, Retrieval};

    use super::*;

    #[test]
    fn every_setting_that_changes_images_or_answers_is_asked_for() {
        let own = Config::default();
        let changes = [
            ("data.dataset=cifar100", true),
            ("data.limit=7", true),
            ("data.validation=7", true),
            ("data.validation_seed=7", true),
            ("data.stl10_fold=7", true),
            ("data.shapes_seed=7", true),
            ("data.difficulty=hard", true),
            ("data.on_bad_image=skip", true),
            ("data.root=elsewhere", false),
            ("data.index=true", false),
            ("probe.epochs=7", true),
            ("probe.label_fraction=0.5", true),
            ("probe.k=7", false),
            ("probe.workers=7", false),
            ("probe.protocols=[\"knn\"]", false),
            ("threads=7", false),
        ];
        let request = |config: &Config, seeds: &[u64]| of(Protocol::of::<LinearProbe>(), config, &own, seeds);
        for (setting, changes) in changes {
            let config = own.changed_by(&[setting.to_owned()]).unwrap();
            assert_eq!(request(&config, &[0]) != request(&own, &[0]), changes, "{setting}");
        }
        assert_ne!(request(&own, &[0]), request(&own, &[1]));
        assert_ne!(request(&own, &[1]), request(&own, &[1, 2]));
        assert_eq!(of(Protocol::of::<Knn>(), &own, &own, &[1]), of(Protocol::of::<Knn>(), &own, &own, &[2]), "nothing is drawn");
    }

    #[test]
    fn a_setting_that_changes_nothing_is_not_asked_for() {
        let own = Config::default();
        let few = |gallery: &str| {
            let settings = ["probe.label_fraction=0.1".to_owned(), format!("probe.retrieval.gallery={gallery}")];
            of(Protocol::of::<Retrieval>(), &own.changed_by(&settings).unwrap(), &own, &[1, 2])
        };
        let says = |request: &Request| [LABEL_FRACTION, "probe.seed"].map(|key| request.contains_key(key));
        assert_eq!((says(&few("train")), says(&few("test"))), ([true; 2], [false; 2]));
        assert!(same_images(&of(Protocol::of::<Retrieval>(), &own, &own, &[0]), &few("test")));
        assert!(!same_images(&of(Protocol::of::<Retrieval>(), &own, &own, &[0]), &few("train")));
    }

    #[test]
    fn a_path_is_asked_for_where_it_is_not_the_runs() {
        let at = |path: &str| {
            let settings = ["data.dataset=folder".to_owned(), format!("data.path={path}")];
            Config::default().changed_by(&settings).unwrap()
        };
        let request = |config: &Config| of(Protocol::of::<Knn>(), config, &at("a/photos"), &[0]);
        assert_eq!(request(&at("a/photos"))[PATH], "");
        assert_eq!(request(&at("b/photos"))[PATH], "b/photos");
        let published = at("a/photos").changed_by(&["data.dataset=cifar10".to_owned()]).unwrap();
        assert_eq!(request(&published)[PATH], "", "it lies below data.root");
    }
}
