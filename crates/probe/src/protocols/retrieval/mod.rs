//! Retrieval: of the most similar images, how many are of the same class?

#[cfg(test)]
mod tests;

use rayon::prelude::*;
use relata_artifact::BackboneUse;
use relata_cluster::l2_normalised;
use relata_ops::{Compute, Isa, MatRef, matmul_transposed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::features::cosine_rank::{rank, row_and_similarity};
use crate::features::{labels_to_fit, labels_to_score};
use crate::protocol::{FeatureProtocol, ProtocolInfo, ProtocolSettings};
use crate::{Features, Result, Score};

/// Similarities that are in memory at once: 64 MiB of them, or one query's.
const SIMILARITIES: usize = 1 << 24;

/// Ranks at which recall is measured.
const RECALL_AT: [usize; 3] = [1, 5, 10];

/// Which images are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gallery {
    /// The training images.
    #[default]
    Train,
    /// The test images but the query itself.
    Test,
}

/// Every test image as a query, by cosine similarity; an image of the query's class is relevant.
///
/// - `recall_at_k_pct`, k = 1, 5, 10: share of queries with a relevant image among the k most similar (Oh Song et al. 2016,
///   section 5; not the share of the relevant that are found).
/// - `map_pct`: mean over queries of the average precision `(1 / R) · Σ_r precision(rank of the r-th relevant image)`, R relevant
///   images, over the whole ranking.
///
/// The score's accuracy is recall at 1, its confusion matrix the class of the most similar image. Of equally similar images the
/// one of smaller index comes first. A query without any relevant image counts as 0 in all figures, and the notes say how many
/// there are. The same bits on any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retrieval {
    /// Default `train`. `test` lets each test image search the others.
    pub gallery: Gallery,
}

impl ProtocolSettings for Retrieval {
    const INFO: ProtocolInfo = ProtocolInfo {
        name: "retrieval",
        title: "Retrieval",
        rank: 50,
        summary: "test images search the training images: recall, mean average precision",
        backbone: BackboneUse::Frozen,
        draws: false,
        after_train: false,
        settings_in_probe: false,
    };
}

impl FeatureProtocol for Retrieval {
    fn run(&self, train: &Features, test: &Features, _seed: u64, compute: &Compute) -> Result<Score> {
        self.score(train, test, compute)
    }

    fn uses_training_rows(&self) -> bool {
        self.gallery == Gallery::Train
    }
}

/// What one query found.
struct QueryResult {
    /// The row of the most similar image.
    nearest: usize,
    /// Index in the ranking of the first relevant image; `None` where there is none.
    first: Option<usize>,
    average_precision: f64,
}

impl Retrieval {
    /// Ranks the gallery for every test image.
    ///
    /// # Errors
    /// [`crate::Error::Unlabelled`], [`crate::Error::OneClass`], [`crate::Error::WidthDiffers`],
    /// [`crate::Error::ClassCountDiffers`], [`crate::Error::ClassNameDiffers`]; [`crate::Error::TooFewRows`] for a test image
    /// that has no others.
    pub fn score(&self, train: &Features, test: &Features, compute: &Compute) -> Result<Score> {
        let train_labels = labels_to_fit(train)?;
        let labels = labels_to_score(train.width(), train.class_names(), test)?;
        let (gallery, gallery_labels) = match self.gallery {
            Gallery::Train => (train, train_labels),
            Gallery::Test if test.rows() < 2 => {
                return Err(crate::Error::TooFewRows { rows: test.rows(), needed: 2, what: "images to search among" });
            }
            Gallery::Test => (test, labels),
        };
        let found = compute.install(|| self.search(gallery, gallery_labels, test, labels, compute.isa()));

        let predicted: Vec<usize> = found.iter().map(|found| gallery_labels[found.nearest]).collect();
        let settings = self.settings(gallery.rows());
        let mut score = Score::of_classes(Self::INFO, settings, train.rows(), train.class_names(), labels, &predicted);
        let queries = found.len() as f64;
        for k in RECALL_AT {
            let within = found.iter().filter(|found| found.first.is_some_and(|index| index < k)).count();
            score.add_figure(&format!("recall_at_{k}_pct"), 100.0 * within as f64 / queries);
        }
        score.add_figure("map_pct", 100.0 * found.iter().map(|found| found.average_precision).sum::<f64>() / queries);
        let without = found.iter().filter(|found| found.first.is_none()).count();
        if without > 0 {
            score.notes.push(format!("{without} of {} queries have no image of their class to find", found.len()));
        }
        Ok(score)
    }

    fn settings(&self, gallery_images: usize) -> Map<String, Value> {
        let settings = json!({ "gallery": self.gallery, "gallery_images": gallery_images, "similarity": "cosine" });
        settings.as_object().cloned().unwrap_or_default()
    }

    fn search(
        &self,
        gallery: &Features,
        gallery_labels: &[usize],
        test: &Features,
        labels: &[usize],
        isa: Isa,
    ) -> Vec<QueryResult> {
        let (width, columns) = (gallery.width(), gallery.rows());
        let (keys, queries) = (l2_normalised(gallery.values(), width), l2_normalised(test.values(), width));
        let block = (SIMILARITIES / columns).clamp(1, test.rows());
        let mut similarities = vec![0.0; block * columns];
        let mut found = Vec::with_capacity(test.rows());
        for (first, queries) in (0..).step_by(block).zip(queries.chunks(block * width)) {
            let rows = queries.len() / width;
            let similarities = &mut similarities[..rows * columns];
            matmul_transposed(isa, MatRef::new(queries, rows, width), MatRef::new(&keys, columns, width), similarities, false);
            let each = similarities.par_chunks_exact(columns).enumerate();
            found.par_extend(each.map_init(Vec::new, |ranks: &mut Vec<u64>, (row, similarities)| {
                let query = first + row;
                ranks.clear();
                ranks.extend(similarities.iter().enumerate().map(|(row, &similarity)| rank(row, similarity)));
                if self.gallery == Gallery::Test {
                    ranks.swap_remove(query);
                }
                ranks.sort_unstable();
                figures_of(ranks, gallery_labels, labels[query])
            }));
        }
        found
    }
}

/// The figures of one sorted ranking.
fn figures_of(ranks: &[u64], labels: &[usize], label: usize) -> QueryResult {
    let row = |rank: u64| row_and_similarity(rank).0;
    let (mut relevant, mut precisions, mut first) = (0, 0.0, None);
    for (index, &rank) in ranks.iter().enumerate() {
        if labels[row(rank)] == label {
            relevant += 1;
            precisions += f64::from(relevant) / (index + 1) as f64;
            first = first.or(Some(index));
        }
    }
    QueryResult { nearest: row(ranks[0]), first, average_precision: precisions / f64::from(relevant.max(1)) }
}
