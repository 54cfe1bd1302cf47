//! Evaluation of a backbone: features of every image once, then scores that tell how good they are.
//!
//! What goes in: a [`relata_model::Backbone`] and labelled images ([`extract`]), or [`Features`] from anywhere. What comes
//! out: a [`Score`] (accuracy, class by class, confusion matrix) that carries its protocol and every setting of it.
//!
//! | protocol | what it does |
//! |---|---|
//! | [`LinearProbe`] | the paper's: one linear layer, Adam 1e-3, batches of 128, 100 epochs, the last epoch counts |
//! | [`LogisticProbe`] | logistic regression to its optimum by L-BFGS: what a linear layer can do, no step size involved |
//! | [`Knn`] | the 200 most similar training images vote with weight exp(cosine / 0.1); nothing is trained |
//! | [`KMeans`] | clusters of the training features; accuracy by the best one-to-one assignment, NMI, ARI |
//! | [`Retrieval`] | test images search the training images by cosine: recall at 1, 5, 10, mean average precision |
//! | [`Finetune`], [`Supervised`] | the whole net trained with labels, from the backbone's or from random weights: [`train_and_score`] |
//!
//! - The backbone stays as it is (but for the two that train it): running statistics, whole images, nothing random, no gradient.
//! - Features never change, so they are computed once: the same figures as a probe that runs the backbone in every epoch,
//!   a hundred times less work.
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
//! A backbone's score and its lower bound, the same backbone with random weights, as a record for the run folder:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use relata_augment::Pipeline;
//! # use relata_data::Dataset;
//! # use relata_model::{Backbone, Compute};
//! # use relata_probe::Result;
//! # fn run(
//! #     mut trained: Box<dyn Backbone>, mut random: Box<dyn Backbone>, pipeline: &Pipeline,
//! #     train: Arc<dyn Dataset>, test: Arc<dyn Dataset>, compute: &Compute,
//! # ) -> Result<()> {
//! use relata_probe::{ProbeConfig, Protocol, Scored, evaluate, extract};
//!
//! let config = ProbeConfig::default();
//! let mut score = |backbone: &mut dyn Backbone| {
//!     let mut features = |data: &Arc<dyn Dataset>| {
//!         extract(backbone, Arc::clone(data), pipeline, &config.extract_options(), &mut |_done, _total| {})
//!     };
//!     evaluate(Protocol::Linear, &config, &features(&train)?, &features(&test)?, compute)
//! };
//! let (score, bound) = (score(&mut *trained)?, score(&mut *random)?);
//! let scored = Scored { data: "shapes".into(), split: "test".into(), checkpoint: "last".into() };
//! let record = score.result(&scored, Some(&bound), 12.5)?;
//! # let _ = record;
//! # Ok(())
//! # }
//! ```

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
pub use files::{FeatureFile, check_export_path, labelled_pair, write_csv, write_features, write_npy, write_safetensors};
#[cfg(feature = "images")]
pub use images::{
    EpochDone, ExtractOptions, LabelledImages, StateFile, TrainingObserver, TrainingStart, embed, embed_two_views, extract,
    train_and_score,
};
pub use protocol::{FeatureProtocol, ProtocolInfo, ProtocolInput, ProtocolSettings, SettingsTables};
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
