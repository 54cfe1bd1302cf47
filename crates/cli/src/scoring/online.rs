//! kNN while a run trains, on images of its training split alone, and whether the features collapse: signs of life, no score.

use std::sync::Arc;

use relata_artifact::{FigureFacts, ONLINE};
use relata_augment::Pipeline;
use relata_data::{Dataset, Subset};
use relata_model::{Backbone, Compute};
use relata_probe::{ExtractOptions, Knn, dead_dimensions, effective_rank, effective_rank_bytes, extract};

use crate::config::{ConfigError, OnlineConfig};
use crate::data::images::{self, Opened};
use crate::{Config, Result};

/// How it is called wherever it is shown, so that nobody takes it for a score on test images.
const TITLE: &str = "online kNN (train split)";
/// Its name in metrics.jsonl, behind `online_`, and those of the figures that need no label.
const KNN: &str = "knn_acc";
const EFFECTIVE_RANK: &str = "effective_rank";
const DEAD_DIMENSIONS: &str = "dead_dimensions_pct";
/// Share of the images that are scored; the others vote.
const SCORED: f64 = 0.2;

/// What was found between two epochs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// Of the scored images those whose class the others tell, in [0, 1].
    share: f64,
    /// Of the features of the images that vote, as `relata_probe::effective_rank` has it.
    effective_rank: f64,
    /// Of the same features, 0 to 100.
    dead_dimensions_pct: f64,
    /// D.
    dimensions: usize,
}

impl Measured {
    /// By their names in metrics.jsonl, behind `online_`.
    pub(crate) fn figures(&self) -> Vec<(&'static str, f64)> {
        vec![(KNN, self.share), (EFFECTIVE_RANK, self.effective_rank), (DEAD_DIMENSIONS, self.dead_dimensions_pct)]
    }

    /// `online kNN (train split) 41.2 %, effective rank 23.1 of 64`; dead dimensions where there are any.
    pub(crate) fn in_words(&self) -> String {
        let Self { share, effective_rank, dead_dimensions_pct, dimensions } = self;
        let mut words = format!("{TITLE} {:.1} %, effective rank {effective_rank:.1} of {dimensions}", 100.0 * share);
        if *dead_dimensions_pct > 0.0 {
            words.push_str(&format!(", {dead_dimensions_pct:.1} % of them dead"));
        }
        words
    }
}

/// How a run's page calls the figures, a chart each.
pub(crate) fn figures() -> Vec<FigureFacts> {
    let titles = [(KNN, TITLE), (EFFECTIVE_RANK, "online effective rank"), (DEAD_DIMENSIONS, "online dead dimensions")];
    titles.map(|(name, title)| FigureFacts::single(&format!("{ONLINE}{name}"), title)).into()
}

/// The images and how they are looked at.
pub(crate) struct OnlineKnn {
    every: u32,
    voting: Arc<dyn Dataset>,
    scored: Arc<dyn Dataset>,
    pipeline: Pipeline,
    options: ExtractOptions,
    knn: Knn,
    compute: Compute,
}

impl OnlineKnn {
    /// `None` where the configuration asks for none. The test split is not opened, and images that are held out to choose settings
    /// by are not among these.
    ///
    /// # Errors
    /// [`ConfigError::Range`] where the training images have no labels, or cannot be split.
    pub(crate) fn open(config: &Config, opened: &Opened, pipeline: &Pipeline, compute: &Compute) -> Result<Option<Self>> {
        let OnlineConfig { every, images, k, seed } = config.online;
        if every == 0 {
            return Ok(None);
        }
        let refused = |allowed| ConfigError::Range { key: "online.every".to_owned(), value: every.to_string(), allowed };
        let train = images::training_split(&config.data, opened)?;
        if (0..train.len()).any(|image| train.label(image).is_none()) {
            return Err(refused("0: the training images have no labels").into());
        }
        // What is held out leaves one image of each class at least.
        let spare = train.len().saturating_sub(train.class_names().len());
        let part = if images < spare { Arc::new(Subset::hold_out_images(train, images, seed)?.1) } else { train };
        let (voting, scored) = Subset::hold_out(part, SCORED, seed)
            .map_err(|_| refused("0: there are too few training images for some to vote and some to be scored"))?;
        let first = voting.label(0);
        if (1..voting.len()).all(|image| voting.label(image) == first) {
            return Err(refused("0: all training images are of one class").into());
        }
        Ok(Some(Self {
            every,
            voting: Arc::new(voting),
            scored: Arc::new(scored),
            pipeline: pipeline.without_randomness(),
            options: config.probe.extract_options(),
            knn: Knn { k, ..Knn::default() },
            compute: compute.clone(),
        }))
    }

    /// Whether it is measured after this epoch, the first being 1.
    pub(crate) fn is_due(&self, epoch: u32) -> bool {
        epoch.is_multiple_of(self.every)
    }

    /// Looks at the backbone as it is.
    pub(crate) fn measure(&self, backbone: &mut dyn Backbone) -> Result<Measured, relata_probe::Error> {
        let mut features =
            |images: &Arc<dyn Dataset>| extract(backbone, Arc::clone(images), &self.pipeline, &self.options, &mut |_, _| {});
        let (voting, scored) = (features(&self.voting)?, features(&self.scored)?);
        let share = self.knn.score(&voting, &scored, &self.compute)?.accuracy_pct / 100.0;
        let (effective_rank, dead) = self.compute.install(|| (effective_rank(&voting), dead_dimensions(&voting)));
        Ok(Measured { share, effective_rank, dead_dimensions_pct: 100.0 * dead, dimensions: voting.width() })
    }

    /// `every 2 epochs: 1000 training images by 4000 others`
    pub(crate) fn in_words(&self) -> String {
        let every = if self.every == 1 { "every epoch".to_owned() } else { format!("every {} epochs", self.every) };
        format!("{every}: {} training images by {} others", self.scored.len(), self.voting.len())
    }

    /// Images of the largest batch that the backbone gets.
    pub(crate) fn rows(&self) -> usize {
        self.options.batch_size.min(self.voting.len())
    }

    /// Bytes of images, features and neighbours at their most, the backbone's own apart; features are of `width`.
    pub(crate) fn bytes(&self, width: usize) -> usize {
        let (voting, scored) = (self.voting.len(), self.scored.len());
        let knn = self.knn.bytes(voting, scored, width, self.voting.class_names().len());
        let features = (voting + scored) * width * size_of::<f32>();
        // The images are gone when the neighbours are sought, and the neighbours when the effective rank is computed.
        features + knn.max(self.options.loader_bytes(self.pipeline.side_px())).max(effective_rank_bytes(width))
    }
}
