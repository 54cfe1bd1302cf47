//! How good are a backbone's features? Every image's features once, then scores by the protocols of the literature.
//!
//! What goes in: [`Features`] from anywhere, or a backbone and labelled images (`extract`). What comes out: a [`Score`] (accuracy, class
//! by class, confusion matrix) that carries its protocol and every setting of it.
//!
//! | protocol | what it does |
//! |---|---|
//! | [`LinearProbe`] | the paper's: one linear layer, Adam 1e-3, batches of 128, 100 epochs, the last epoch counts |
//! | [`Knn`] | the 200 most similar training images vote with weight exp(cosine / 0.1); nothing is trained |
//! | [`LogisticProbe`] | logistic regression to its optimum by L-BFGS: what a linear layer can do, no step size involved |
//! | [`KMeans`] | clusters of the training features; accuracy by the best one-to-one assignment, NMI, ARI |
//! | [`Retrieval`] | test images search the training images by cosine: recall at 1, 5, 10, mean average precision |
//! | `Finetune`, `Supervised` | the whole net trained with labels, from the backbone's or from random weights: `train_and_score` |
//!
//! - A frozen backbone stays as it is: running statistics, whole images, nothing random, no gradient. Its features never change, so
//!   they are computed once.
//! - Test images choose nothing: no early stop, no best epoch, no setting.
//! - On one machine the same features give the same bits, on any number of threads.
//! - A number that is NaN, a label without a class, features of two different backbones: errors that say which and where.
//!
//! ```
//! use relata_probe::{Compute, Features, LinearProbe};
//!
//! // Two classes on either side of zero; any source of features will do.
//! let names = vec!["left".to_owned(), "right".to_owned()];
//! let train = Features::new(vec![-1.0, 0.3, 1.0, 0.2, -2.0, 0.1, 2.0, 0.4], 2, vec![0, 1, 0, 1], names.clone())?;
//! let test = Features::new(vec![-1.5, 0.2, 1.5, 0.3], 2, vec![0, 1], names)?;
//!
//! let probe = LinearProbe { lr: 0.1, ..LinearProbe::default() };
//! let score = probe.fit(&train, &Compute::new(1)?)?.score(&test)?;
//! assert_eq!(score.accuracy_pct, 100.0);
//! assert_eq!(score.confusion, [[1, 0], [0, 1]]);
//! # Ok::<(), relata_probe::Error>(())
//! ```
//!
//! The feature `images` (default) holds all that needs a backbone: `extract`, `embed`, `train_and_score`. Without it the crate scores
//! arrays and needs no candle. A new protocol is a file in `protocols/` and a row of its table; `protocols/mod.rs` says how.

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod features;
mod files;
mod score;

mod protocol;
mod protocols;

mod config;
mod evaluate;

#[cfg(feature = "images")]
mod images;

mod draw;
mod linear_layer;

mod error;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod test_clouds;

pub use config::ProbeConfig;
pub use error::{Error, ErrorKind, Result};
pub use evaluate::{check_seeds, evaluate, evaluate_seeds, over_seeds};
pub use features::{
    Features, Neighbour, alignment, dead_dimensions, effective_rank, effective_rank_bytes, feature_sample, health, nearest,
    uniformity,
};
pub use files::{FeatureFile, check_export_path, labelled_pair, write_features};
#[cfg(feature = "images")]
pub use images::{
    EpochDone, ExtractOptions, LabelledImages, StateFile, TrainingObserver, TrainingStart, embed, embed_two_views, extract,
    train_and_score,
};
pub use protocol::{FeatureProtocol, ProtocolInfo, ProtocolSettings, SettingsTables};
#[cfg(feature = "images")]
pub use protocol::{TrainingProtocol, TrainingRecipe};
pub use protocols::Protocol;
#[cfg(feature = "images")]
pub use protocols::finetune::Finetune;
pub use protocols::kmeans::KMeans;
pub use protocols::knn::Knn;
pub use protocols::linear::{LinearModel, LinearProbe};
pub use protocols::logistic::{LogisticModel, LogisticProbe};
pub use protocols::retrieval::{Gallery, Retrieval};
#[cfg(feature = "images")]
pub use protocols::supervised::Supervised;
pub use relata_ops::Compute;
pub use score::{Score, ScoredOn, SeedAccuracy};
