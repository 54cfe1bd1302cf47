mod difficulty;
mod figure;
mod paint;
mod scene;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::difficulty::Difficulty;
use self::figure::Figure;
use self::scene::Scene;
use super::entry::{DatasetEntry, Location, OpenRequest, Statistics};
use super::setting::{OwnSetting, SettingKind};
use crate::digest::Fingerprint;
use crate::{Dataset, Error, Image, Result, Split};

/// Drawn, so that there is something to train on without a download.
pub(super) const ENTRY: DatasetEntry = DatasetEntry {
    name: "shapes",
    about: "embedded: ten figures in random colours, 10,000 + 2,000 images, 32 px",
    note: "In shapes only the outline shows the class; colour and background are drawn at random. An augmentation that leaves \
           colours recognisable lets a model tell images apart by colour alone: the loss falls, and the features still know \
           nothing of shape. Only where colour is made useless is the outline worth learning. So a low loss is no sign of good \
           features; the probe, compared with random weights, is.",
    side_px: 32,
    statistics: Statistics::CENTRED,
    location: Location::Embedded,
    hub: None,
    settings: &[DIFFICULTY, SEED],
    may_have_broken_images: false,
    open,
};

const DIFFICULTY: OwnSetting = OwnSetting {
    key: "difficulty",
    about: "how much is in the way of the figures",
    allowed: "plain or hard",
    kind: SettingKind::Choice(&[Difficulty::Plain.name(), Difficulty::Hard.name()]),
    picks_images: false,
};

const SEED: OwnSetting = OwnSetting {
    key: "shapes_seed",
    about: "another seed, other images",
    allowed: "0 to 18446744073709551615",
    kind: SettingKind::Number { default: 1, greatest: u64::MAX },
    picks_images: false,
};

fn open(request: &OpenRequest<'_>) -> Result<Arc<dyn Dataset>> {
    let word = request.settings.word(&DIFFICULTY);
    let difficulty = Difficulty::ALL.into_iter().find(|level| level.name() == word).unwrap_or_default();
    let seed = request.settings.number(&SEED);
    Ok(Arc::new(Shapes::new(ShapesOptions { split: request.split, difficulty, seed, ..ShapesOptions::default() })?))
}

/// Raised whenever the same options would draw other pixels.
const DRAWING: u64 = 1;

/// Where the test images' streams begin; those of the training images count from 0.
const TEST_STREAMS: u64 = 1 << 63;

/// What [`Shapes`] draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapesOptions {
    /// Which part.
    pub split: Split,
    /// How much is in the way.
    pub difficulty: Difficulty,
    /// Another seed, other images.
    pub seed: u64,
    /// Side of the square images, 8 to 1024 pixels.
    pub side_px: usize,
    /// Number of training images.
    pub train_images: usize,
    /// Number of test images.
    pub test_images: usize,
}

impl Default for ShapesOptions {
    /// 10,000 training and 2,000 test images of 32 px, plain: a Conv-4 learns them in minutes on two CPU cores.
    fn default() -> Self {
        Self {
            split: Split::Train,
            difficulty: Difficulty::Plain,
            seed: 1,
            side_px: 32,
            train_images: 10_000,
            test_images: 2_000,
        }
    }
}

/// The embedded data set: ten classes of figures. Each image is drawn on request, from (seed, split, index) alone.
///
/// The class is the shape, and the shape only: disc, square, triangle, star, plus, ring, crescent, burst, bar, two discs.
/// Colours, position, size, angle, stripes, noise and stray dots are drawn without regard to it. Figure and background always
/// differ in brightness, so that grey-scale images still show the figure; which of them is the brighter is left to chance.
/// Colours therefore distinguish images, but not classes: a lesson in what augmentation is for.
///
/// The classes take turns: the label is `index % 10`. The pixels do not depend on the machine: where they are decided,
/// only operations that IEEE 754 fixes to the bit are used (the far tails of the noise excepted, whose logarithm could in
/// principle move a value by one rounding).
///
/// ```
/// use relata_data::{Dataset, Shapes, ShapesOptions};
///
/// let shapes = Shapes::new(ShapesOptions::default())?;
/// assert_eq!((shapes.len(), shapes.label(13)), (10_000, Some(3)));
/// assert_eq!(shapes.class_names()[3], "star");
/// assert_eq!(shapes.image(13)?.width_px(), 32);
/// # Ok::<(), relata_data::Error>(())
/// ```
#[derive(Debug)]
pub struct Shapes {
    options: ShapesOptions,
    class_names: Vec<String>,
    fingerprint: String,
}

impl Shapes {
    /// Prepares the data set; nothing is drawn yet.
    ///
    /// # Errors
    /// [`Error::Setting`] where the side is outside 8 to 1024 px or a number of images is 0.
    pub fn new(options: ShapesOptions) -> Result<Self> {
        let setting = |key, value: usize, allowed| Error::Setting { key, value: value.to_string(), allowed };
        if !(8..=1024).contains(&options.side_px) {
            return Err(setting("side_px", options.side_px, "8 to 1024"));
        }
        if options.train_images == 0 {
            return Err(setting("train_images", 0, "at least 1"));
        }
        if options.test_images == 0 {
            return Err(setting("test_images", 0, "at least 1"));
        }
        let labelled = options.split != Split::Unlabelled;
        let class_names = if labelled { Figure::ALL.map(|figure| figure.name().to_owned()).into() } else { Vec::new() };
        let fingerprint = Fingerprint::new("shapes")
            .number(DRAWING)
            .part(options.split.name().as_bytes())
            .part(options.difficulty.to_string().as_bytes())
            .number(options.seed)
            .number(options.side_px as u64)
            .number(count(&options) as u64)
            .finish();
        Ok(Self { options, class_names, fingerprint })
    }
}

impl Dataset for Shapes {
    fn len(&self) -> usize {
        count(&self.options)
    }

    fn image(&self, index: usize) -> Result<Image> {
        if index >= self.len() {
            return Err(Error::IndexOutOfRange { index, len: self.len() });
        }
        let first = if self.options.split == Split::Test { TEST_STREAMS } else { 0 };
        let mut rng = scene::numbers(self.options.seed, first + index as u64);
        let scene = Scene::draw(&mut rng, self.options.difficulty);
        let side_px = self.options.side_px;
        let rgb = paint::paint(Figure::ALL[class(index)], &scene, side_px, &mut rng);
        Ok(Image::new(side_px, side_px, rgb).expect("the canvas has side_px x side_px pixels"))
    }

    fn label(&self, index: usize) -> Option<usize> {
        (self.options.split != Split::Unlabelled && index < self.len()).then_some(class(index))
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn source(&self, index: usize) -> String {
        let ShapesOptions { split, seed, .. } = self.options;
        // Unlabelled images are the training images once more.
        let split = if split == Split::Test { split } else { Split::Train };
        format!("shapes, {split} image {index} of seed {seed}")
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

fn count(options: &ShapesOptions) -> usize {
    if options.split == Split::Test { options.test_images } else { options.train_images }
}

fn class(index: usize) -> usize {
    index % Figure::ALL.len()
}
