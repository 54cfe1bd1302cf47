//! Which images, and how they are prepared: the configuration's words turned into data sets and pipelines.

use std::path::Path;
use std::sync::Arc;

use relata_augment::{Pipeline, ViewFormat};
use relata_data::{DataConfig, Dataset, Split, TrainingImages, entry};

use crate::config::ConfigError;
use crate::terminal::progress::{ArchiveProgress, OpeningProgress};
use crate::{Config, Error, Result};

/// Opens a split, after unpacking the data set's archive where only that is there.
///
/// # Errors
/// The data set's own, with the full key where a setting is to blame.
pub(crate) fn open_split(config: &DataConfig, split: Split) -> Result<Arc<dyn Dataset>> {
    unpack(config)?;
    let progress = OpeningProgress::new(&name(config));
    relata_data::open_watched(config, split, &|at| progress.at(at)).map_err(with_full_key)
}

/// Images to train on, with those held out of them where they are known already.
pub(crate) struct Opened {
    pub(crate) images: Arc<dyn Dataset>,
    validation: Option<Arc<dyn Dataset>>,
}

/// Images to fit a probe on, and images to score it on.
pub(crate) struct Labelled {
    pub(crate) train: Arc<dyn Dataset>,
    pub(crate) test: Arc<dyn Dataset>,
    /// What the latter are: `test` or `validation`.
    pub(crate) split: &'static str,
}

/// Opens the split that the configuration trains on.
///
/// # Errors
/// As [`open_split`].
pub(crate) fn open_for_training(config: &DataConfig) -> Result<Opened> {
    if config.split == Split::Train {
        let TrainingImages { train, validation } = with_validation(config)?;
        return Ok(Opened { images: train, validation });
    }
    Ok(Opened { images: open_split(config, config.split)?, validation: None })
}

/// The splits that probes work on; `None` where the images have no labels. `opened` is the split of the configuration, if
/// it is open already: to open a folder again may mean to read all of it again.
///
/// # Errors
/// As [`open_split`], a data set without a test split among them.
pub(crate) fn labelled(config: &DataConfig, opened: Option<&Opened>) -> Result<Option<Labelled>> {
    let TrainingImages { train, validation } = match opened.filter(|_| config.split == Split::Train) {
        Some(opened) => TrainingImages { train: Arc::clone(&opened.images), validation: opened.validation.clone() },
        None => with_validation(config)?,
    };
    if train.label(0).is_none() {
        return Ok(None);
    }
    let test = match validation {
        Some(validation) => validation,
        None => open_split(config, Split::Test)?,
    };
    Ok(Some(Labelled { train, test, split: scored_split(config) }))
}

/// Refuses scores on test images that the run itself was trained on.
///
/// # Errors
/// [`Error::TrainedOnTest`].
pub(crate) fn refuse_trained_on(trained: &DataConfig, scored: &DataConfig) -> Result<()> {
    let trained_on_scored = trained.split == Split::Test && scored_split(scored) == Split::Test.name();
    // The same images may have other labels.
    let published = |config: &DataConfig| entry(&config.dataset).ok().and_then(|entry| entry.archive()).map(|it| it.folder);
    let same = same_data(trained, scored) || published(trained).is_some_and(|folder| published(scored) == Some(folder));
    if trained_on_scored && same { Err(Error::TrainedOnTest { name: name(scored) }) } else { Ok(()) }
}

/// The images of the training split, without those held out of them; no other split is opened. `opened` is the split of the
/// configuration.
///
/// # Errors
/// As [`open_split`].
pub(crate) fn training_split(config: &DataConfig, opened: &Opened) -> Result<Arc<dyn Dataset>> {
    Ok(if config.split == Split::Train { Arc::clone(&opened.images) } else { with_validation(config)?.train })
}

/// What scores are computed on: `test`, or `validation` where images are held out to choose settings by.
pub(crate) fn scored_split(config: &DataConfig) -> &'static str {
    if config.validation > 0 { VALIDATION } else { Split::Test.name() }
}

/// The images of the split called `name`; `validation` is one where images are held out.
///
/// # Errors
/// As [`open_split`].
pub(crate) fn open_named(config: &DataConfig, name: &str) -> Result<Arc<dyn Dataset>> {
    if name != VALIDATION {
        return open_split(config, name.parse().map_err(relata_data::Error::from)?);
    }
    with_validation(config)?.validation.ok_or_else(|| {
        Error::Usage("there is no validation split: data.validation says how many training images are held out".to_owned())
    })
}

/// The name of the images that are held out of the training split.
pub(crate) const VALIDATION: &str = "validation";

fn with_validation(config: &DataConfig) -> Result<TrainingImages> {
    unpack(config)?;
    let progress = OpeningProgress::new(&name(config));
    relata_data::open_with_validation_watched(config, &|at| progress.at(at)).map_err(with_full_key)
}

/// Unpacks the data set's archive where only that is there.
///
/// # Errors
/// Those of the archive.
pub(crate) fn unpack(config: &DataConfig) -> Result<()> {
    if let Some(archive) = entry(&config.dataset)?.archive() {
        let progress = ArchiveProgress::new(archive.file);
        relata_data::unpack_if_needed(config, &|at| progress.at(at))?;
    }
    Ok(())
}

/// Side and normalisation of a run's views: the configuration's own, else the data set's.
pub(crate) fn view_format(config: &Config) -> Result<ViewFormat> {
    Ok(ViewFormat::from(entry(&config.data.dataset)?).with(&config.augment))
}

/// The pipeline that makes training's views.
pub(crate) fn pipeline(config: &Config) -> Result<Pipeline> {
    Ok(Pipeline::new(&config.augment, view_format(config)?)?)
}

/// The data set's name for records; a folder or a pack is called by its own name.
pub(crate) fn name(config: &DataConfig) -> String {
    let folder = Path::new(&config.path).file_name().filter(|_| has_path(config));
    folder.map_or_else(|| config.dataset.clone(), |name| name.to_string_lossy().into_owned())
}

/// Whether the images are those at `data.path`, and not a published data set below `data.root`.
pub(crate) fn has_path(config: &DataConfig) -> bool {
    entry(&config.dataset).is_ok_and(|entry| entry.reads_path())
}

/// Whether both mean the same images, whatever part of them: data set, and folder or pack where it is one.
pub(crate) fn same_data(one: &DataConfig, other: &DataConfig) -> bool {
    (&one.dataset, &one.path) == (&other.dataset, &other.path)
}

fn with_full_key(error: relata_data::Error) -> Error {
    match error {
        relata_data::Error::Setting { key, value, allowed } => {
            ConfigError::Range { key: format!("data.{key}"), value, allowed }.into()
        }
        other => other.into(),
    }
}
