//! Backbones: freshly drawn, or from a run's checkpoint, with the pipeline that prepares images for them.

use relata_artifact::RunFolder;
use relata_augment::{Pipeline, PipelineConfig, ViewFormat};
use relata_model::{Backbone, BackboneInfo, Compute, WeightFile};

use crate::data::images;
use crate::{Config, Error, Result};

/// Where a checkpoint keeps the backbone.
const BACKBONE: &str = "backbone";

/// A backbone from a checkpoint.
pub(crate) struct Loaded {
    pub(crate) backbone: Box<dyn Backbone>,
    /// What it is and what images it wants.
    pub(crate) info: BackboneInfo,
    /// Prepares images as they were prepared in training.
    pub(crate) pipeline: Pipeline,
}

/// What is written beside the weights, so that a file of weights is enough to use them.
pub(crate) fn info(config: &Config) -> Result<BackboneInfo> {
    let ViewFormat { side_px: side, mean, std } = images::view_format(config)?;
    Ok(BackboneInfo { kind: config.model.backbone, stem: config.model.stem, side, mean, std })
}

/// Side and normalisation of the images that a backbone wants.
pub(crate) fn view_format(info: &BackboneInfo) -> ViewFormat {
    ViewFormat { side_px: info.side, mean: info.mean, std: info.std }
}

/// The backbone of a run's checkpoint.
///
/// # Errors
/// [`Error::NoCheckpoint`]; a checkpoint that is damaged or of another architecture, with the first differing tensor.
pub(crate) fn load(run: &RunFolder, config: &Config, checkpoint: &str, compute: Compute) -> Result<Loaded> {
    let file = read(run, checkpoint)?;
    let mut backbone = config.model.build(config.seed, compute)?;
    file.load_into(Some(BACKBONE), backbone.parameters_mut())?;
    let info = info_in(&file, config)?;
    let pipeline = Pipeline::new(&PipelineConfig::evaluation(), view_format(&info))?;
    Ok(Loaded { backbone, info, pipeline })
}

/// What the backbone of a run's checkpoint is and what images it wants.
///
/// # Errors
/// As [`load`].
pub(crate) fn info_of(run: &RunFolder, config: &Config, checkpoint: &str) -> Result<BackboneInfo> {
    info_in(&read(run, checkpoint)?, config)
}

fn read(run: &RunFolder, checkpoint: &str) -> Result<WeightFile> {
    let path = run.checkpoint_path(checkpoint)?;
    if !path.exists() {
        let (run, name, known) = (run.path().to_owned(), checkpoint.to_owned(), run.checkpoint_names()?);
        return Err(Error::NoCheckpoint { run, name, known });
    }
    Ok(WeightFile::read(&path)?)
}

/// The file knows best; weights from elsewhere have only their run's configuration.
fn info_in(file: &WeightFile, config: &Config) -> Result<BackboneInfo> {
    file.backbone_info()?.map_or_else(|| info(config), Ok)
}
