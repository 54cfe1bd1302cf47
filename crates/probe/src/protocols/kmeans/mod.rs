//! Clusters against classes: how much of the labels the features hold without any training by them.

mod agreement;
#[cfg(test)]
mod tests;

use relata_artifact::BackboneUse;
use relata_cluster::{Rows, contingency, l2_normalised, optimal_assignment};
use relata_ops::Compute;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::check;
use crate::features::{labels_to_fit, labels_to_score};
use crate::protocol::{FeatureProtocol, ProtocolInfo, ProtocolSettings};
use crate::{Error, Features, Result, Score};
use agreement::{adjusted_rand_index, normalised_mutual_information};

/// k-means on the training features, as many clusters as classes, from which the test rows take the nearest centre.
///
/// k-means++ and Lloyd's iterations until no row changes its cluster; of several restarts the one of least inertia counts. The
/// score's accuracy is that of the best one-to-one assignment of clusters to classes, chosen on the training images; `nmi`
/// (normalised mutual information, arithmetic mean of the entropies) and `ari` (adjusted Rand index) compare clusters and classes of
/// the test images without any assignment. The same bits on any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KMeans {
    /// Starts from different rows. Default 10.
    pub restarts: usize,
    /// Lloyd's iterations of a start, at most. Default 300: scikit-learn's.
    pub max_iterations: usize,
    /// Whether rows are scaled to length 1 first, so that directions are clustered. Default true, as in `DeepCluster`.
    pub normalise: bool,
    /// Seed of the first centres. Default 0. In a configuration it is `probe.seed`.
    #[serde(skip)]
    pub seed: u64,
}

impl Default for KMeans {
    fn default() -> Self {
        Self { restarts: 10, max_iterations: 300, normalise: true, seed: 0 }
    }
}

impl ProtocolSettings for KMeans {
    const INFO: ProtocolInfo = ProtocolInfo {
        name: "kmeans",
        title: "k-means",
        rank: 40,
        summary: "clusters of the training features, one a class",
        backbone: BackboneUse::Frozen,
        draws: true,
        after_train: false,
        settings_in_probe: false,
    };

    fn validate(&self) -> Result<()> {
        check((1..=1000).contains(&self.restarts), "restarts", self.restarts, "1 to 1000")?;
        check(self.max_iterations > 0, "max_iterations", self.max_iterations, "1 or more")
    }
}

impl FeatureProtocol for KMeans {
    fn run(&self, train: &Features, test: &Features, seed: u64, compute: &Compute) -> Result<Score> {
        Self { seed, ..*self }.score(train, test, compute)
    }
}

impl KMeans {
    /// Clusters the training rows and scores the test rows' clusters.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Unlabelled`], [`Error::OneClass`], [`Error::WidthDiffers`], [`Error::ClassCountDiffers`],
    /// [`Error::ClassNameDiffers`]; [`Error::TooFewRows`] for fewer training rows than classes.
    pub fn score(&self, train: &Features, test: &Features, compute: &Compute) -> Result<Score> {
        self.validate()?;
        let train_labels = labels_to_fit(train)?;
        let labels = labels_to_score(train.width(), train.class_names(), test)?;
        let classes = train.class_names().len();
        if train.rows() < classes {
            return Err(Error::TooFewRows { rows: train.rows(), needed: classes, what: "clusters" });
        }
        let (found, clusters) = compute
            .install(|| {
                let train = self.prepared(train);
                let test = self.prepared(test);
                let rows = |values| Rows::new(values, test.1, compute.isa());
                let settings = relata_cluster::KMeans {
                    clusters: classes,
                    restarts: self.restarts,
                    max_iterations: self.max_iterations,
                    seed: self.seed,
                    round: 0,
                };
                let found = rows(&train.0).cluster(&settings);
                found.map(|found| {
                    let clusters = rows(&test.0).nearest(&found.centres);
                    (found, clusters)
                })
            })
            .ok_or(Error::Empty)?;

        let assigned = optimal_assignment(&contingency(&found.clusters, train_labels, classes, classes));
        // As many clusters as classes: each stands for one.
        let class_of: Vec<usize> = assigned.into_iter().map(Option::unwrap_or_default).collect();
        let predicted: Vec<usize> = clusters.iter().map(|&cluster| class_of[cluster]).collect();
        let settings = self.settings(classes);
        let mut score = Score::of_classes(Self::INFO, settings, train.rows(), train.class_names(), labels, &predicted);
        let counts = contingency(&clusters, labels, classes, classes);
        score.add_figure("nmi", normalised_mutual_information(&counts));
        score.add_figure("ari", adjusted_rand_index(&counts));
        score.add_figure("train_inertia", found.inertia);
        if !found.settled {
            score.notes.push(format!("k-means stopped after {} iterations, before its clusters settled", found.iterations));
        }
        Ok(score)
    }

    fn prepared(&self, features: &Features) -> (Vec<f32>, usize) {
        let (values, width) = (features.values(), features.width());
        (if self.normalise { l2_normalised(values, width) } else { values.to_vec() }, width)
    }

    fn settings(&self, clusters: usize) -> Map<String, Value> {
        let settings = json!({
            "clusters": clusters,
            "restarts": self.restarts,
            "max_iterations": self.max_iterations,
            "normalise": self.normalise,
            "seed": self.seed,
            "assignment": "one to one, on the training images",
        });
        settings.as_object().cloned().unwrap_or_default()
    }
}
