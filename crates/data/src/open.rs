use std::collections::HashSet;
use std::sync::Arc;

use crate::archive::is_there;
use crate::sets::OpenRequest;
use crate::{Broken, DataConfig, Dataset, OnBadImage, Progress, Result, Split, Subset, entry, verify};

/// What happens while a data set is opened, which may take minutes for a large folder. Reported from any thread.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Opening<'a> {
    /// Some images of a folder are listed. How many there are is known at the end.
    Listed {
        /// Images listed so far.
        images: usize,
    },
    /// With [`OnBadImage::Skip`], some images were read, to find those that cannot be. The last number comes exactly once.
    Read {
        /// Images read so far.
        images: usize,
        /// Images of the split.
        of: usize,
    },
    /// An image that cannot be read, and is left out.
    LeftOut(&'a Broken),
}

/// Receives each [`Opening`].
pub type Watch<'a> = dyn Fn(Opening<'_>) + Sync + 'a;

/// Opens the split `split` of the data set that `config` describes.
///
/// With `config.validation`, the images held out are neither in the training split nor, where it holds them, in the unlabelled
/// one; [`open_with_validation`] gives them. `config.limit` applies to what is left, where `split` is `config.split`. With [`OnBadImage::Skip`], every image that lies in a file of its
/// own is read once here; those that cannot be read are left out, with a warning through `tracing` each. Where the data set's
/// folder is not there but its archive is, that is unpacked first: see [`unpack_if_needed`].
///
/// # Errors
/// [`crate::Error::UnknownDataset`], [`crate::Error::HoldOut`], or the data set's own.
///
/// ```
/// use relata_data::{DataConfig, Split, open};
///
/// let config = DataConfig { limit: 100, ..DataConfig::default() };
/// assert_eq!(open(&config, Split::Train)?.len(), 100);
/// assert_eq!(open(&config, Split::Test)?.len(), 2000);
/// # Ok::<(), relata_data::Error>(())
/// ```
pub fn open(config: &DataConfig, split: Split) -> Result<Arc<dyn Dataset>> {
    open_watched(config, split, &|_| ())
}

/// As [`open`], reporting to `watch` how far it is and which images it leaves out.
///
/// # Errors
/// As [`open`].
///
/// ```no_run
/// use relata_data::{DataConfig, Opening, Split, open_watched};
///
/// let config = DataConfig { dataset: "folder".into(), path: "photos".into(), ..DataConfig::default() };
/// let images = open_watched(&config, Split::Train, &|at| {
///     if let Opening::Listed { images } = at {
///         eprintln!("{images} images so far");
///     }
/// })?;
/// # Ok::<(), relata_data::Error>(())
/// ```
pub fn open_watched(config: &DataConfig, split: Split, watch: &Watch<'_>) -> Result<Arc<dyn Dataset>> {
    let dataset = match split {
        Split::Train if config.validation > 0 => return Ok(open_with_validation_watched(config, watch)?.train),
        Split::Unlabelled if config.validation > 0 => without(open_whole(config, split, watch)?, &*held_out(config, watch)?.1)?,
        _ => open_whole(config, split, watch)?,
    };
    Ok(limited(config, split, dataset))
}

/// What [`open_with_validation`] opens.
pub struct TrainingImages {
    /// Images to learn from, with their labels.
    pub train: Arc<dyn Dataset>,
    /// Images held out of them to choose settings by.
    pub validation: Option<Arc<dyn Dataset>>,
}

/// The training split, and the `config.validation` images that are held out of it; none where that is 0.
///
/// # Errors
/// As [`open`].
///
/// ```
/// use relata_data::{DataConfig, open_with_validation};
///
/// let config = DataConfig { validation: 1000, ..DataConfig::default() };
/// let images = open_with_validation(&config)?;
/// assert_eq!((images.train.len(), images.validation.map(|images| images.len())), (9000, Some(1000)));
/// # Ok::<(), relata_data::Error>(())
/// ```
pub fn open_with_validation(config: &DataConfig) -> Result<TrainingImages> {
    open_with_validation_watched(config, &|_| ())
}

/// As [`open_with_validation`], reporting to `watch` as [`open_watched`] does.
///
/// # Errors
/// As [`open`].
pub fn open_with_validation_watched(config: &DataConfig, watch: &Watch<'_>) -> Result<TrainingImages> {
    if config.validation == 0 {
        return Ok(TrainingImages { train: open_watched(config, Split::Train, watch)?, validation: None });
    }
    let (kept, held) = held_out(config, watch)?;
    Ok(TrainingImages { train: limited(config, Split::Train, Arc::new(kept)), validation: Some(held) })
}

/// Unpacks the data set's archive if that lies in the root and the folder does not; says whether it did.
///
/// [`open`] does the same without reporting its progress. Without the feature `archives` this does nothing, and
/// the data set will say that its folder is missing.
///
/// # Errors
/// As [`entry`] and `unpack`.
pub fn unpack_if_needed(config: &DataConfig, progress: &dyn Fn(Progress)) -> Result<bool> {
    let Some(archive) = entry(&config.dataset)?.archive() else { return Ok(false) };
    if is_there(&config.root.join(archive.folder)) || !config.root.join(archive.file).is_file() {
        return Ok(false);
    }
    #[cfg(feature = "archives")]
    {
        crate::unpack(&archive, &config.root, &crate::UnpackLimits::default(), progress)?;
        Ok(true)
    }
    #[cfg(not(feature = "archives"))]
    {
        let _ = progress;
        Ok(false)
    }
}

/// The training images without and with those held out.
fn held_out(config: &DataConfig, watch: &Watch<'_>) -> Result<(Subset, Arc<Subset>)> {
    let whole = open_whole(config, Split::Train, watch)?;
    let (kept, held) = Subset::hold_out_images(whole, config.validation, config.validation_seed)?;
    Ok((kept, Arc::new(held)))
}

/// `dataset` without those images that come from where one of `others` does.
fn without(dataset: Arc<dyn Dataset>, others: &dyn Dataset) -> Result<Arc<dyn Dataset>> {
    let sources: HashSet<String> = (0..others.len()).map(|index| others.source(index)).collect();
    let kept = (0..dataset.len()).filter(|&index| !sources.contains(&dataset.source(index))).collect();
    Ok(Arc::new(Subset::of(dataset, kept)?))
}

/// A split as it is on disk.
fn open_whole(config: &DataConfig, split: Split, watch: &Watch<'_>) -> Result<Arc<dyn Dataset>> {
    let entry = entry(&config.dataset)?;
    unpack_if_needed(config, &|_| ())?;
    let listed = |images| watch(Opening::Listed { images });
    let DataConfig { root, path, own, .. } = config;
    let dataset = (entry.open)(&OpenRequest { root, path, split, settings: own, listed: &listed })?;
    if entry.may_have_broken_images && config.on_bad_image == OnBadImage::Skip {
        without_broken(dataset, watch)
    } else {
        Ok(dataset)
    }
}

fn limited(config: &DataConfig, split: Split, dataset: Arc<dyn Dataset>) -> Arc<dyn Dataset> {
    if config.limit > 0 && split == config.split { Arc::new(Subset::first(dataset, config.limit)) } else { dataset }
}

/// Leaves out what cannot be read; at least one image must be left.
fn without_broken(dataset: Arc<dyn Dataset>, watch: &Watch<'_>) -> Result<Arc<dyn Dataset>> {
    let mut broken = verify(&*dataset, |images, of| watch(Opening::Read { images, of })).broken;
    if broken.is_empty() {
        return Ok(dataset);
    }
    if broken.len() == dataset.len() {
        return Err(broken.swap_remove(0).reason);
    }
    for image in &broken {
        tracing::warn!("skipped: {image}");
        watch(Opening::LeftOut(image));
    }
    let bad: Vec<usize> = broken.iter().map(|image| image.index).collect();
    let good = (0..dataset.len()).filter(|index| bad.binary_search(index).is_err()).collect();
    Ok(Arc::new(Subset::of(dataset, good)?))
}
