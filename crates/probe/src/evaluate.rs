//! A protocol applied to features: with all labels or a share of them, from one seed or several.

use relata_ops::Compute;
use serde_json::{Value, json};

use crate::error::check;
use crate::protocol::RunProtocol;
use crate::protocols::Protocol;
use crate::score::SeedAccuracy;
use crate::{Error, Features, ProbeConfig, Result, Score};

/// Fits a protocol on `train`, or on [`ProbeConfig::label_fraction`] of it, and scores it on `test`.
///
/// # Errors
/// [`Error::NeedsBackbone`] for a protocol that [`Protocol::trains_backbone`]; as the protocol's own `fit` and `score`, such as
/// [`crate::LinearProbe::fit`] and [`crate::LinearModel::score`].
pub fn evaluate(protocol: Protocol, config: &ProbeConfig, train: &Features, test: &Features, compute: &Compute) -> Result<Score> {
    let score = match protocol.run() {
        RunProtocol::Features(score) => score,
        #[cfg(feature = "images")]
        RunProtocol::Training { .. } => return Err(Error::NeedsBackbone { protocol: protocol.name() }),
    };
    let (settings, seed) = (&config.settings, config.seed);
    if config.label_fraction == 1.0 || !protocol.uses_training_rows(settings) {
        return score(settings, train, test, seed, compute);
    }
    let mut score = score(settings, &train.stratified(config.label_fraction, seed)?, test, seed, compute)?;
    score.settings.insert("label_fraction".to_owned(), config.label_fraction.into());
    score.settings.insert("label_seed".to_owned(), seed.into());
    Ok(score)
}

/// As [`evaluate`] once for each seed in the place of [`ProbeConfig::seed`]. Accuracies and all other figures are means,
/// the confusion matrix is the sum over the seeds, and [`Score::by_seed`] holds what each reached. A protocol in which
/// nothing is drawn is scored once, and its `by_seed` stays empty.
///
/// # Errors
/// As [`evaluate`]; [`Error::Setting`] for no seed, or one that comes twice.
pub fn evaluate_seeds(
    protocol: Protocol,
    config: &ProbeConfig,
    seeds: &[u64],
    train: &Features,
    test: &Features,
    compute: &Compute,
) -> Result<Score> {
    check_seeds(seeds)?;
    let seeds = if config.draws(protocol) { seeds } else { &seeds[..1] };
    over_seeds(seeds, |seed| evaluate(protocol, &ProbeConfig { seed, ..config.clone() }, train, test, compute))
}

/// The mean of what `score` gives for each seed, as [`evaluate_seeds`] has it; its one score where there is one seed.
///
/// # Errors
/// The first of `score`'s; [`Error::Setting`] for no seed, or one that comes twice.
pub fn over_seeds<E: From<Error>>(seeds: &[u64], score: impl FnMut(u64) -> Result<Score, E>) -> Result<Score, E> {
    check_seeds(seeds)?;
    let mut scores = seeds.iter().copied().map(score).collect::<Result<Vec<_>, E>>()?;
    Ok(if scores.len() == 1 { scores.swap_remove(0) } else { mean(seeds, &scores) })
}

/// Refuses seeds that [`evaluate_seeds`] would refuse: for a check before the features are computed.
///
/// # Errors
/// [`Error::Setting`] for no seed, or one that comes twice.
pub fn check_seeds(seeds: &[u64]) -> Result<()> {
    let once = !seeds.is_empty() && (1..seeds.len()).all(|at| !seeds[..at].contains(&seeds[at]));
    check(once, "seeds", format!("{seeds:?}"), "one seed or more, each once")
}

fn mean(seeds: &[u64], scores: &[Score]) -> Score {
    let mut mean = scores[0].clone();
    let average = |figure: &dyn Fn(&Score) -> f64| scores.iter().map(figure).sum::<f64>() / scores.len() as f64;
    mean.accuracy_pct = average(&|score| score.accuracy_pct);
    for (class, recall) in mean.per_class_accuracy_pct.iter_mut().enumerate() {
        *recall = average(&|score| score.per_class_accuracy_pct[class]);
    }
    for (truth, row) in mean.confusion.iter_mut().enumerate() {
        for (class, count) in row.iter_mut().enumerate() {
            *count = scores.iter().map(|score| score.confusion[truth][class]).sum();
        }
    }
    for (name, value) in &mut mean.other_scores {
        *value = average(&|score| score.other_scores.get(name).copied().unwrap_or(f64::NAN));
    }
    for score in &scores[1..] {
        let new: Vec<String> = score.notes.iter().filter(|note| !mean.notes.contains(note)).cloned().collect();
        mean.notes.extend(new);
    }
    mean.settings.retain(|key, _| key != "seed" && key != "label_seed");
    mean.settings.insert("seeds".to_owned(), json!(seeds.iter().copied().map(Value::from).collect::<Vec<_>>()));
    let each = seeds.iter().zip(scores);
    mean.by_seed = each.map(|(&seed, score)| SeedAccuracy { seed, accuracy_pct: score.accuracy_pct }).collect();
    mean
}

#[cfg(test)]
mod tests {
    use relata_ops::Compute;

    use super::{evaluate, evaluate_seeds};
    use crate::test_clouds::clouds;
    use crate::{Error, Gallery, KMeans, Knn, LinearProbe, LogisticProbe, ProbeConfig, Protocol, Retrieval, Score};

    fn scores(config: &ProbeConfig, protocol: Protocol, seeds: &[u64]) -> Result<Score, Error> {
        let (train, test) = (clouds(0, 200, 4, 3, 2.0), clouds(200, 100, 4, 3, 2.0));
        evaluate_seeds(protocol, config, seeds, &train, &test, &Compute::new(1).unwrap())
    }

    #[test]
    fn several_seeds_give_mean_and_standard_deviation() {
        let config = ProbeConfig { label_fraction: 0.1, ..ProbeConfig::default() };
        let config = config.with(&LinearProbe { epochs: 2, ..LinearProbe::default() }).unwrap();
        let each: Vec<Score> =
            [3, 1, 2].iter().map(|&seed| scores(&config, Protocol::of::<LinearProbe>(), &[seed]).unwrap()).collect();
        let all = scores(&config, Protocol::of::<LinearProbe>(), &[3, 1, 2]).unwrap();
        let accuracies: Vec<f64> = all.by_seed.iter().map(|seed| seed.accuracy_pct).collect();
        assert_eq!(accuracies, each.iter().map(|score| score.accuracy_pct).collect::<Vec<_>>());
        assert_eq!(all.by_seed[0].seed, 3);
        let mean = accuracies.iter().sum::<f64>() / 3.0;
        let variance = accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 2.0;
        assert!((all.accuracy_pct - mean).abs() < 1e-12 && variance > 0.0);
        assert!((all.accuracy_std_points().unwrap() - variance.sqrt()).abs() < 1e-12);
        let counted: u32 = all.confusion.iter().flatten().sum();
        assert_eq!((counted, all.test_images, each[0].accuracy_std_points()), (300, 100, None));
        assert_eq!(all.settings["seeds"], serde_json::json!([3, 1, 2]));
        assert!(!all.settings.contains_key("seed") && !all.settings.contains_key("label_seed"));
    }

    #[test]
    fn a_protocol_that_draws_nothing_is_scored_once() {
        let config = ProbeConfig::default();
        let score = scores(&config, Protocol::of::<Knn>(), &[1, 2]).unwrap();
        assert!(score.by_seed.is_empty() && !score.settings.contains_key("seeds"));
        let drawn = ProbeConfig { label_fraction: 0.5, ..config };
        assert_eq!(scores(&drawn, Protocol::of::<Knn>(), &[1, 2]).unwrap().by_seed.len(), 2);
    }

    #[test]
    fn a_fraction_of_the_labels_is_recorded() {
        let (train, test) = (clouds(0, 200, 4, 3, 2.0), clouds(200, 100, 4, 3, 2.0));
        let config = ProbeConfig { label_fraction: 0.1, seed: 7, ..ProbeConfig::default() };
        for protocol in Protocol::frozen() {
            let score = evaluate(protocol, &config, &train, &test, &Compute::new(1).unwrap()).unwrap();
            assert_eq!((score.train_images, score.test_images), (21, 100), "{protocol}");
            assert_eq!((&score.settings["label_fraction"], &score.settings["label_seed"]), (&0.1.into(), &7.into()));
        }
    }

    #[test]
    fn a_retrieval_of_test_images_has_no_seed_and_no_share_of_the_training_labels() {
        let config = ProbeConfig { label_fraction: 0.1, ..ProbeConfig::default() };
        let config = config.with(&Retrieval { gallery: Gallery::Test }).unwrap();
        let score = scores(&config, Protocol::of::<Retrieval>(), &[1, 2, 3]).unwrap();
        assert_eq!((score.by_seed.len(), score.accuracy_std_points(), score.train_images), (0, None, 200));
        assert!(["seeds", "label_fraction", "label_seed"].iter().all(|key| !score.settings.contains_key(*key)));
        assert!(!config.is_setting_of(Protocol::of::<Retrieval>(), "label_fraction"));
    }

    #[test]
    fn no_seed_and_a_seed_twice_are_refused() {
        for seeds in [&[][..], &[1, 2, 1]] {
            let error = scores(&ProbeConfig::default(), Protocol::of::<Knn>(), seeds).unwrap_err();
            assert!(matches!(error, Error::Setting { key, .. } if key == "seeds"), "{seeds:?}");
        }
    }

    #[test]
    fn each_protocol_scores_by_its_settings_and_says_so() {
        let config = ProbeConfig::default()
            .with(&LinearProbe { epochs: 30, lr: 1e-2, ..LinearProbe::default() })
            .and_then(|config| config.with(&Knn { k: 9, ..Knn::default() }))
            .and_then(|config| config.with(&LogisticProbe { max_iterations: 77, ..LogisticProbe::default() }))
            .and_then(|config| config.with(&KMeans { restarts: 3, ..KMeans::default() }))
            .unwrap();
        let (train, test) = (clouds(0, 300, 8, 3, 0.1), clouds(300, 60, 8, 3, 0.1));
        let expected = [("linear", "epochs", 30), ("knn", "k", 9), ("logistic", "max_iterations", 77), ("kmeans", "restarts", 3)];
        for (name, key, value) in expected.into_iter().chain([("retrieval", "gallery_images", 300)]) {
            let protocol = Protocol::from_name(name).unwrap();
            let score = evaluate(protocol, &config, &train, &test, &Compute::new(1).unwrap()).unwrap();
            assert_eq!((&score.protocol, score.accuracy_pct), (protocol.info(), 100.0));
            assert_eq!(score.settings[key], value);
        }
    }
}
