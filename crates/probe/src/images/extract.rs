use std::sync::Arc;

use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::{Dataset, Subset};
use relata_model::{Backbone, Images, Mode};

use super::options::ExtractOptions;
use crate::features::first_not_finite;
use crate::{Error, Features, Result};

/// The features of every image of a labelled data set, in its order: running statistics, whole images, nothing random.
///
/// `pipeline` may be the one that the backbone was trained with; only its side and normalisation are taken. `progress`
/// hears the images done and their total after every batch.
///
/// A backbone's score and its lower bound, the same backbone with random weights, as a record for the run folder:
///
/// ```no_run
/// # use std::sync::Arc;
/// # use relata_augment::Pipeline;
/// # use relata_data::Dataset;
/// # use relata_model::Backbone;
/// # use relata_probe::{Compute, Result};
/// # fn run(
/// #     mut trained: Box<dyn Backbone>, mut random: Box<dyn Backbone>, pipeline: &Pipeline,
/// #     train: Arc<dyn Dataset>, test: Arc<dyn Dataset>, compute: &Compute,
/// # ) -> Result<()> {
/// use relata_probe::{LinearProbe, ProbeConfig, Protocol, ScoredOn, evaluate, extract};
///
/// let config = ProbeConfig::default();
/// let mut score = |backbone: &mut dyn Backbone| {
///     let mut features = |data: &Arc<dyn Dataset>| {
///         extract(backbone, Arc::clone(data), pipeline, &config.extract_options(), &mut |_done, _total| {})
///     };
///     evaluate(Protocol::of::<LinearProbe>(), &config, &features(&train)?, &features(&test)?, compute)
/// };
/// let (score, bound) = (score(&mut *trained)?, score(&mut *random)?);
/// let scored_on = ScoredOn { data: "shapes".into(), split: "test".into(), checkpoint: "last".into() };
/// let record = score.result(&scored_on, Some(&bound), 12.5)?;
/// # let _ = record;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Unlabelled`], before any work, where an image has no label; [`Error::NotFinite`] with the image;
/// [`Error::Images`] where one cannot be read; [`Error::Model`] where the backbone refuses.
pub fn extract(
    backbone: &mut dyn Backbone,
    dataset: Arc<dyn Dataset>,
    pipeline: &Pipeline,
    options: &ExtractOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Features> {
    let labels = labels(&*dataset)?;
    let class_names = dataset.class_names().to_vec();
    let (values, sources) = forward_all(backbone, dataset, pipeline, options, progress)?;
    let features = Features::new(values, backbone.architecture().width, labels, class_names)?;
    with_sources(features, sources)
}

/// As [`extract`], also for images without labels: what `embed` exports. Labels are kept where every image has one.
///
/// # Errors
/// As [`extract`], but for [`Error::Unlabelled`].
pub fn embed(
    backbone: &mut dyn Backbone,
    dataset: Arc<dyn Dataset>,
    pipeline: &Pipeline,
    options: &ExtractOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Features> {
    if labels(&*dataset).is_ok() {
        return extract(backbone, dataset, pipeline, options, progress);
    }
    let (values, sources) = forward_all(backbone, dataset, pipeline, options, progress)?;
    with_sources(Features::unlabelled(values, backbone.architecture().width)?, sources)
}

/// Features of two random views of each of at most `most` images, evenly spread over the data set: what [`crate::alignment`]
/// compares. Views are those of `pipeline` with `seed`; labels are not kept.
///
/// # Errors
/// As [`embed`].
pub fn embed_two_views(
    backbone: &mut dyn Backbone,
    dataset: &Arc<dyn Dataset>,
    pipeline: &Pipeline,
    seed: u64,
    most: usize,
    options: &ExtractOptions,
) -> Result<(Features, Features)> {
    let count = dataset.len().min(most);
    let indices = (0..count).map(|i| i * dataset.len() / count).collect();
    let subset: Arc<dyn Dataset> = Arc::new(Subset::of(Arc::clone(dataset), indices)?);
    // Twice as many rows as images: half the images, the same memory.
    let evaluation = LoaderConfig::evaluation(options.batch_size.div_ceil(2));
    let loader =
        ViewLoader::new(subset, pipeline.clone(), LoaderConfig { views: 2, seed, workers: options.workers, ..evaluation })?;
    let width = backbone.architecture().width;
    let mut views = [Vec::with_capacity(count * width), Vec::with_capacity(count * width)];
    for batch in loader.epoch(0) {
        let batch = batch?;
        let input = Images::new(&batch.rows, 2 * batch.size(), batch.side_px, batch.side_px)?;
        let features = backbone.forward(input, Mode::Eval)?;
        views.iter_mut().zip(features.chunks_exact(batch.size() * width)).for_each(|(view, rows)| view.extend_from_slice(rows));
    }
    let [first, second] = views;
    Ok((Features::unlabelled(first, width)?, Features::unlabelled(second, width)?))
}

fn with_sources(features: Features, sources: Option<Vec<String>>) -> Result<Features> {
    match sources {
        Some(sources) => features.with_sources(sources),
        None => Ok(features),
    }
}

pub(crate) fn labels(dataset: &dyn Dataset) -> Result<Vec<usize>> {
    let label = |image| dataset.label(image).ok_or_else(|| Error::Unlabelled { what: dataset.source(image) });
    (0..dataset.len()).map(label).collect()
}

/// Features of every image, and where the images come from if that is requested.
fn forward_all(
    backbone: &mut dyn Backbone,
    dataset: Arc<dyn Dataset>,
    pipeline: &Pipeline,
    options: &ExtractOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Vec<f32>, Option<Vec<String>>)> {
    let loader = ViewLoader::new(Arc::clone(&dataset), pipeline.without_randomness(), options.loader())?;
    let (images, width) = (dataset.len(), backbone.architecture().width);
    let mut values = Vec::with_capacity(images * width);
    progress(0, images);
    for batch in loader.epoch(0) {
        let batch = batch?;
        let input = Images::new(&batch.rows, batch.size(), batch.side_px, batch.side_px)?;
        let features = backbone.forward(input, Mode::Eval)?;
        // Here rather than at the end, so that broken weights are known after one batch.
        if let Some((row, column, value)) = first_not_finite(features, width) {
            let image = batch.images[row];
            return Err(Error::NotFinite { row: image, column, value, origin: Some(dataset.source(image)) });
        }
        values.extend_from_slice(features);
        progress(values.len() / width, images);
    }
    let sources = options.sources.then(|| (0..images).map(|image| dataset.source(image)).collect());
    Ok((values, sources))
}
