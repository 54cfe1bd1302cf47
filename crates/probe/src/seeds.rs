//! The same protocol from several seeds: mean and standard deviation.

use relata_artifact::mean_and_deviation;
use relata_model::Compute;
use serde_json::{Value, json};

use crate::error::check;
use crate::{Features, ProbeConfig, Protocol, Result, Score, evaluate};

/// The accuracy that one seed reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedAccuracy {
    /// The seed.
    pub seed: u64,
    /// Its accuracy, 0 to 100.
    pub accuracy_pct: f64,
}

/// As [`evaluate`] once for each seed in the place of [`ProbeConfig::seed`]. Accuracies and all other figures are means,
/// the confusion matrix is the sum over the seeds, and [`Score::by_seed`] holds what each reached. A protocol in which
/// nothing is drawn is scored once, and its `by_seed` stays empty.
///
/// # Errors
/// As [`evaluate`]; [`crate::Error::Setting`] for no seed, or one that comes twice.
pub fn evaluate_seeds(
    protocol: Protocol,
    config: &ProbeConfig,
    seeds: &[u64],
    train: &Features,
    test: &Features,
    compute: &Compute,
) -> Result<Score> {
    check_seeds(seeds)?;
    let seeds = if protocol.draws(config) { seeds } else { &seeds[..1] };
    over_seeds(seeds, |seed| evaluate(protocol, &ProbeConfig { seed, ..config.clone() }, train, test, compute))
}

/// The mean of what `score` gives for each seed, as [`evaluate_seeds`] has it; its one score where there is one seed.
///
/// # Errors
/// The first of `score`'s; [`crate::Error::Setting`] for no seed, or one that comes twice.
pub fn over_seeds<E: From<crate::Error>>(seeds: &[u64], score: impl FnMut(u64) -> Result<Score, E>) -> Result<Score, E> {
    check_seeds(seeds)?;
    let mut scores = seeds.iter().copied().map(score).collect::<Result<Vec<_>, E>>()?;
    Ok(if scores.len() == 1 { scores.swap_remove(0) } else { mean(seeds, &scores) })
}

/// Refuses seeds that [`evaluate_seeds`] would refuse: to be asked before the features are computed.
///
/// # Errors
/// [`crate::Error::Setting`] for no seed, or one that comes twice.
pub fn check_seeds(seeds: &[u64]) -> Result<()> {
    let once = !seeds.is_empty() && (1..seeds.len()).all(|at| !seeds[..at].contains(&seeds[at]));
    check(once, "seeds", format!("{seeds:?}"), "one seed or more, each once")
}

fn mean(seeds: &[u64], scores: &[Score]) -> Score {
    let mut mean = scores[0].clone();
    let average = |of: &dyn Fn(&Score) -> f64| scores.iter().map(of).sum::<f64>() / scores.len() as f64;
    mean.accuracy_pct = average(&|score| score.accuracy_pct);
    for (class, recall) in mean.per_class_accuracy_pct.iter_mut().enumerate() {
        *recall = average(&|score| score.per_class_accuracy_pct[class]);
    }
    for (truth, row) in mean.confusion.iter_mut().enumerate() {
        for (answer, count) in row.iter_mut().enumerate() {
            *count = scores.iter().map(|score| score.confusion[truth][answer]).sum();
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

impl Score {
    /// Standard deviation of the seeds' accuracies in points, `sqrt(Σ (a − mean)² / (n − 1))`; `None` for fewer than two seeds.
    #[must_use]
    pub fn accuracy_std_points(&self) -> Option<f64> {
        mean_and_deviation(&self.by_seed.iter().map(|seed| seed.accuracy_pct).collect::<Vec<_>>()).1
    }
}

#[cfg(test)]
mod tests {
    use relata_model::Compute;

    use super::evaluate_seeds;
    use crate::test_clouds::clouds;
    use crate::{Error, Gallery, ProbeConfig, Protocol, Retrieval, Score, evaluate};

    fn scores(config: &ProbeConfig, protocol: Protocol, seeds: &[u64]) -> Result<Score, Error> {
        let (train, test) = (clouds(0, 200, 4, 3, 2.0), clouds(200, 100, 4, 3, 2.0));
        evaluate_seeds(protocol, config, seeds, &train, &test, &Compute::new(1).unwrap())
    }

    #[test]
    fn several_seeds_give_mean_and_standard_deviation() {
        let config = ProbeConfig { epochs: 2, label_fraction: 0.1, ..ProbeConfig::default() };
        let each: Vec<Score> = [3, 1, 2].iter().map(|&seed| scores(&config, Protocol::Linear, &[seed]).unwrap()).collect();
        let all = scores(&config, Protocol::Linear, &[3, 1, 2]).unwrap();
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
        let score = scores(&config, Protocol::Knn, &[1, 2]).unwrap();
        assert!(score.by_seed.is_empty() && !score.settings.contains_key("seeds"));
        let drawn = ProbeConfig { label_fraction: 0.5, ..config };
        assert_eq!(scores(&drawn, Protocol::Knn, &[1, 2]).unwrap().by_seed.len(), 2);
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
        let config =
            ProbeConfig { label_fraction: 0.1, retrieval: Retrieval { gallery: Gallery::Test }, ..ProbeConfig::default() };
        let score = scores(&config, Protocol::Retrieval, &[1, 2, 3]).unwrap();
        assert_eq!((score.by_seed.len(), score.accuracy_std_points(), score.train_images), (0, None, 200));
        assert!(["seeds", "label_fraction", "label_seed"].iter().all(|key| !score.settings.contains_key(*key)));
        assert!(!Protocol::Retrieval.has_setting(&config, "label_fraction"));
    }

    #[test]
    fn no_seed_and_a_seed_twice_are_refused() {
        for seeds in [&[][..], &[1, 2, 1]] {
            let error = scores(&ProbeConfig::default(), Protocol::Knn, seeds).unwrap_err();
            assert!(matches!(error, Error::Setting { key, .. } if key == "seeds"), "{seeds:?}");
        }
    }
}
