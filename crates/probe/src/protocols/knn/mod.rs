//! Weighted nearest neighbours: no training, so a score of the features alone.

#[cfg(test)]
mod tests;

use rayon::prelude::*;
use relata_artifact::BackboneUse;
use relata_cluster::l2_normalised;
use relata_ops::{Compute, Isa, MatRef, matmul_transposed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::check;
use crate::features::cosine_rank::{rank, row_and_similarity};
use crate::features::{labels_to_fit, labels_to_score};
use crate::protocol::{FeatureProtocol, ProtocolInfo, ProtocolSettings};
use crate::score::{Prediction, first_largest};
use crate::{Features, Result, Score};

/// Test and training rows whose similarities are computed at once: 16 MiB of them.
const TEST_ROWS: usize = 1024;
const TRAIN_ROWS: usize = 4096;

/// Weighted k-nearest-neighbour vote (Wu et al. 2018, arXiv 1805.01978, section 3.4): the k training rows of largest cosine
/// similarity s vote for their class with weight exp(s / T).
///
/// Of equally similar rows the one of smaller index comes first; of classes with equal votes the lower one wins. Where there
/// are fewer than k training rows, all vote, and the score's settings say so. A class's share of the votes is its probability.
/// The same bits on any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knn {
    /// Neighbours that vote. Default 200: Wu et al. 2018.
    pub k: usize,
    /// T in a vote's weight. Default 0.1; Wu et al. 2018 take 0.07.
    pub temperature: f64,
}

impl Default for Knn {
    fn default() -> Self {
        Self { k: 200, temperature: 0.1 }
    }
}

impl ProtocolSettings for Knn {
    const INFO: ProtocolInfo = ProtocolInfo {
        name: "knn",
        title: "k nearest neighbours",
        rank: 20,
        summary: "a weighted vote of the most similar training images",
        backbone: BackboneUse::Frozen,
        draws: false,
        after_train: true,
        settings_in_probe: true,
    };

    fn validate(&self) -> Result<()> {
        check(self.k > 0, "k", self.k, "1 or more")?;
        let temperature = self.temperature > 0.0 && self.temperature.is_finite();
        check(temperature, "temperature", self.temperature, "a finite number above 0")
    }
}

impl FeatureProtocol for Knn {
    fn run(&self, train: &Features, test: &Features, _seed: u64, compute: &Compute) -> Result<Score> {
        self.score(train, test, compute)
    }
}

impl Knn {
    /// The share of test rows whose neighbours vote for their class.
    ///
    /// # Errors
    /// [`crate::Error::Setting`], [`crate::Error::Unlabelled`], [`crate::Error::OneClass`],
    /// [`crate::Error::WidthDiffers`], [`crate::Error::ClassCountDiffers`], [`crate::Error::ClassNameDiffers`].
    pub fn score(&self, train: &Features, test: &Features, compute: &Compute) -> Result<Score> {
        self.validate()?;
        let train_labels = labels_to_fit(train)?;
        let test_labels = labels_to_score(train.width(), train.class_names(), test)?;
        let k = self.k.min(train.rows());
        let votes = compute.install(|| self.votes(k, train, train_labels, test, compute.isa()));
        let predict = |(votes, &label): (&[f64], &usize)| {
            let prediction = Prediction::new(votes, label, votes[first_largest(votes)]);
            // A class without a vote is among no likeliest ones.
            Prediction { in_top: prediction.in_top && votes[label] > 0.0, ..prediction }
        };
        let predictions: Vec<Prediction> = votes.chunks_exact(train.class_names().len()).zip(test_labels).map(predict).collect();
        let settings = self.settings(k);
        Ok(Score::of_predictions(Self::INFO, settings, train.rows(), train.class_names(), test_labels, &predictions))
    }

    /// Bytes that [`Knn::score`] takes at most beside the features, of that many training and test rows of `width`.
    #[must_use]
    pub fn bytes(&self, train_rows: usize, test_rows: usize, width: usize, classes: usize) -> usize {
        let (rows, columns) = (TEST_ROWS.min(test_rows), TRAIN_ROWS.min(train_rows));
        // Twice k and what one offer adds, with the room that a growing list takes.
        let nearest = rows * (2 * self.k.min(train_rows) + 16).next_power_of_two() * size_of::<u64>();
        let unit_rows = (train_rows + test_rows) * width * size_of::<f32>();
        unit_rows + rows * columns * size_of::<f32>() + test_rows * classes * size_of::<f64>() + nearest
    }

    fn settings(&self, k: usize) -> Map<String, Value> {
        let settings = json!({ "k": k, "temperature": self.temperature, "similarity": "cosine" });
        let mut settings = settings.as_object().cloned().unwrap_or_default();
        if k != self.k {
            settings.insert("k_asked_for".to_owned(), self.k.into());
        }
        settings
    }

    /// The votes for each class, `[test rows, classes]`, as shares of all votes of a row.
    fn votes(&self, k: usize, train: &Features, labels: &[usize], test: &Features, isa: Isa) -> Vec<f64> {
        let (width, classes) = (train.width(), train.class_names().len());
        let (keys, queries) = (l2_normalised(train.values(), width), l2_normalised(test.values(), width));
        let mut similarities = vec![0.0; TEST_ROWS.min(test.rows()) * TRAIN_ROWS.min(train.rows())];
        let mut votes = vec![0.0; test.rows() * classes];
        for (queries, votes) in queries.chunks(TEST_ROWS * width).zip(votes.chunks_mut(TEST_ROWS * classes)) {
            let rows = queries.len() / width;
            let mut nearest = vec![Nearest::new(k); rows];
            for (block, keys) in keys.chunks(TRAIN_ROWS * width).enumerate() {
                let columns = keys.len() / width;
                let similarities = &mut similarities[..rows * columns];
                matmul_transposed(isa, MatRef::new(queries, rows, width), MatRef::new(keys, columns, width), similarities, false);
                let each = nearest.par_iter_mut().zip(similarities.par_chunks_exact(columns));
                each.for_each(|(nearest, similarities)| nearest.offer(block * TRAIN_ROWS, similarities));
            }
            let each = nearest.into_par_iter().zip(votes.par_chunks_exact_mut(classes));
            each.for_each(|(nearest, votes)| self.vote(&nearest.into_sorted(), labels, votes));
        }
        votes
    }

    /// The share of the votes that each class has. `neighbours` is sorted, most similar first.
    fn vote(&self, neighbours: &[(usize, f32)], labels: &[usize], votes: &mut [f64]) {
        for &(row, similarity) in neighbours {
            // Less the largest, so that no temperature overflows; a common factor changes no share.
            let exponent = f64::from(similarity - neighbours[0].1) / self.temperature;
            votes[labels[row]] += exponent.exp();
        }
        let sum: f64 = votes.iter().sum();
        votes.iter_mut().for_each(|vote| *vote /= sum);
    }
}

/// The k most similar rows among those offered so far, and at most as many again that are still to be sorted out.
#[derive(Debug, Clone)]
struct Nearest {
    k: usize,
    /// Similarity and index in one number: the smaller, the nearer.
    ranks: Vec<u64>,
    /// Rows must be more similar than this to be among the nearest.
    bar: f32,
}

impl Nearest {
    fn new(k: usize) -> Self {
        Self { k, ranks: Vec::new(), bar: f32::NEG_INFINITY }
    }

    /// Rows `first..` with these similarities; calls must come in the order of the rows.
    fn offer(&mut self, first: usize, similarities: &[f32]) {
        for (part, similarities) in similarities.chunks(16).enumerate() {
            // Few parts hold a row that is near enough; a whole part is compared in one go.
            if similarities.iter().fold(false, |any, &similarity| any | (similarity > self.bar)) {
                for (row, &similarity) in (first + part * 16..).zip(similarities) {
                    if similarity > self.bar {
                        self.ranks.push(rank(row, similarity));
                    }
                }
                if self.ranks.len() >= 2 * self.k {
                    self.sort_out();
                }
            }
        }
    }

    /// Keeps the k nearest. A later row of the same similarity as the last of them would rank behind it.
    fn sort_out(&mut self) {
        if self.ranks.len() >= self.k {
            let (_, &mut last, _) = self.ranks.select_nth_unstable(self.k - 1);
            self.ranks.truncate(self.k);
            self.bar = row_and_similarity(last).1;
        }
    }

    fn into_sorted(mut self) -> Vec<(usize, f32)> {
        self.sort_out();
        self.ranks.sort_unstable();
        self.ranks.into_iter().map(row_and_similarity).collect()
    }
}
