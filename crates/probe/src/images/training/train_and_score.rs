use std::sync::Arc;

use relata_augment::Pipeline;
use relata_data::{Dataset, Subset};
use relata_model::Backbone;
use relata_ops::Compute;
use serde_json::Value;

use super::observer::TrainingObserver;
use super::training_loop::{SavedAs, TrainingInput, TrainingLoop};
use super::unfinished::StateFile;
use crate::draw::stratified_rows;
use crate::features::{labels_to_score, same_classes};
use crate::images::extract::{extract, labels};
use crate::linear_layer::LinearLayer;
use crate::protocol::RunProtocol;
use crate::protocols::Protocol;
use crate::score::predictions_of_logits;
use crate::{Error, ProbeConfig, Result, Score};

/// Images of a protocol that trains the backbone, and how they are prepared.
#[derive(Clone)]
pub struct LabelledImages {
    /// Images to train on.
    pub train: Arc<dyn Dataset>,
    /// Images to score on.
    pub test: Arc<dyn Dataset>,
    /// Prepares training images: [`ProbeConfig::augmentation`] with the backbone's side and normalisation.
    pub augmentation: Pipeline,
}

/// Trains `backbone` and a new linear layer by a protocol that is [`Protocol::trains_backbone`], on
/// [`ProbeConfig::label_fraction`] of the training images, and scores both on the test images. `seed` of the configuration is that
/// of the linear layer, of the order of the images, of their views and of the labels drawn.
///
/// `observer` hears of every epoch and may stop it after a step. With `state`, the training is saved after every epoch and where it is
/// stopped, and a training that is there is continued, to the bit, if it is one of the same request: protocol, settings, images,
/// augmentation and first weights. The file stays, that of a training which is done too, until its owner has all that a score needs and
/// removes it.
///
/// # Errors
/// Before anything is trained [`Error::FrozenProtocol`] for a protocol that takes features, [`Error::Setting`], [`Error::Unlabelled`],
/// [`Error::OneClass`], [`Error::ClassCountDiffers`], [`Error::ClassNameDiffers`], [`Error::Unfinished`]; then [`Error::Stopped`],
/// [`Error::Diverged`], [`Error::NoPrediction`]; as [`crate::extract`].
pub fn train_and_score(
    protocol: Protocol,
    config: &ProbeConfig,
    backbone: &mut dyn Backbone,
    images: &LabelledImages,
    compute: &Compute,
    state: Option<StateFile<'_>>,
    observer: &mut dyn TrainingObserver,
) -> Result<Score> {
    let RunProtocol::Training { recipe, .. } = protocol.run() else {
        return Err(Error::FrozenProtocol { protocol: protocol.name() });
    };
    protocol.validate(&config.settings)?;
    let recipe = recipe(&config.settings);
    let mut settings = recipe.all_settings(config.seed);
    settings.insert("augmentation".to_owned(), images.augmentation.config().in_words().into());
    if config.label_fraction < 1.0 {
        settings.insert("label_fraction".to_owned(), config.label_fraction.into());
        settings.insert("label_seed".to_owned(), config.seed.into());
    }
    // Now, for the test images are not looked at before all is trained.
    same_classes(images.train.class_names(), images.test.class_names())?;
    labels(&*images.test)?;
    let train = fraction_of(&images.train, config)?;
    let request = || {
        let (settings, prepared) = (Value::Object(settings.clone()), &images.augmentation);
        format!("{protocol} {settings}; images {}, prepared by {prepared:?}", train.fingerprint())
    };
    let saved_as = state.map(|file| SavedAs { file, request: request() });
    let input = TrainingInput {
        protocol: protocol.name(),
        recipe: &recipe,
        seed: config.seed,
        backbone: &mut *backbone,
        train: &train,
        augmentation: &images.augmentation,
        workers: config.workers,
        compute,
    };
    let head = TrainingLoop::new(input, saved_as)?.run(observer)?;

    let options = config.extract_options();
    let test = extract(backbone, Arc::clone(&images.test), &images.augmentation, &options, &mut |_, _| {})?;
    let (width, classes) = (test.width(), train.class_names().len());
    let labels = labels_to_score(width, train.class_names(), &test)?;
    let mut logits = vec![0.0; test.rows() * classes];
    let layer = LinearLayer { isa: compute.isa(), width, classes };
    compute.install(|| layer.forward(&head, test.values(), &mut logits));
    let predictions = predictions_of_logits(&logits, labels, classes)?;
    Ok(Score::of_predictions(*protocol.info(), settings, train.len(), train.class_names(), labels, &predictions))
}

fn fraction_of(train: &Arc<dyn Dataset>, config: &ProbeConfig) -> Result<Arc<dyn Dataset>> {
    if config.label_fraction == 1.0 {
        return Ok(Arc::clone(train));
    }
    let rows = stratified_rows(&labels(&**train)?, config.label_fraction, config.seed)?;
    Ok(Arc::new(Subset::of(Arc::clone(train), rows)?))
}
