//! Views of rows of numbers, by a function of one's own.

use crate::views::short;
use crate::{Error, LeftOut, Result, SourceShape, ViewBuffer, ViewSource};
use rand_chacha::ChaCha8Rng;
use relata_augment::{ViewKey, epoch_order};
use relata_model::ImageSize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// How [`RowViews`] makes its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowViewsConfig {
    /// B, the rows a batch. Default 64.
    pub batch_size: usize,
    /// K, the views a row. Default 4.
    pub views: usize,
    /// The run's seed. Default 0.
    pub seed: u64,
}

impl Default for RowViewsConfig {
    fn default() -> Self {
        Self { batch_size: 64, views: 4, seed: 0 }
    }
}

/// Random views of rows of F numbers each (records of a table, stretches of a time series), in an order of their own each epoch.
///
/// A view is as wide as its row. What it is, a function says: it gets the row, a generator of its own for each (seed, epoch, row,
/// view), and the view to write. It runs in the thread that trains. A last batch of a single row is dropped.
///
/// ```
/// use rand::RngExt;
/// use relata_train::{RowViews, RowViewsConfig};
///
/// let table = vec![0.1, 2.0, 0.4, 1.0, 0.3, 3.0]; // three rows of two numbers
/// let views = RowViews::new(table, 2, RowViewsConfig::default(), |row, rng, view| {
///     for (to, from) in view.iter_mut().zip(row) {
///         *to = from * rng.random_range(0.9..1.1); // every number scaled a little
///     }
/// })?;
/// # Ok::<(), relata_train::Error>(())
/// ```
#[derive(Clone)]
pub struct RowViews {
    values: Arc<[f32]>,
    width: usize,
    labels: Arc<[usize]>,
    classes: usize,
    config: RowViewsConfig,
    /// `None` for the rows as they are, in order.
    draw: Option<Arc<Draw>>,
    fingerprint: String,
    /// The order of an epoch.
    order: Vec<usize>,
    ordered: Option<u32>,
}

type Draw = dyn Fn(&[f32], &mut ChaCha8Rng, &mut [f32]) + Send + Sync;

impl RowViews {
    /// Views of the rows of `values [n, width]`, made by `draw(row, generator, view)`. Scale the columns before: all of a
    /// batch's numbers go into one linear layer.
    ///
    /// # Errors
    /// [`Error::Size`] where `values` are not two whole rows or more, [`Error::RowValue`] for a number that is NaN or infinite,
    /// [`Error::Setting`] for a batch of fewer than two rows or no views.
    pub fn new(
        values: Vec<f32>,
        width: usize,
        config: RowViewsConfig,
        draw: impl Fn(&[f32], &mut ChaCha8Rng, &mut [f32]) + Send + Sync + 'static,
    ) -> Result<Self> {
        let setting = |key, value: usize, allowed| Err(Error::Setting { key, value: value.to_string(), allowed });
        if config.batch_size < 2 {
            return setting(
                "batch_size",
                config.batch_size,
                "2 or more: a row alone in its batch has no other to be compared with",
            );
        }
        if config.views == 0 {
            return setting("views", 0, "1 or more");
        }
        if width == 0 || values.len() < 2 * width || !values.len().is_multiple_of(width) {
            let expected = format!("whole rows of {width} numbers, two of them or more");
            return Err(Error::Size { what: "rows", expected, got: format!("{} numbers", values.len()) });
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::RowValue { row: at / width, column: at % width, value: values[at] });
        }
        let (labels, draw): (Vec<usize>, Arc<Draw>) = (Vec::new(), Arc::new(draw));
        let mut views = Self {
            values: values.into(),
            width,
            labels: labels.into(),
            classes: 0,
            config,
            draw: Some(draw),
            fingerprint: String::new(),
            order: Vec::new(),
            ordered: None,
        };
        views.fingerprint = views.digest();
        Ok(views)
    }

    /// The same rows with a label each, in `0..classes`: for methods that want them.
    ///
    /// # Errors
    /// [`Error::Size`] where there is not one for each row, or one that is no class.
    pub fn with_labels(mut self, labels: Vec<usize>, classes: usize) -> Result<Self> {
        let wrong = |expected: String, got: String| Err(Error::Size { what: "labels", expected, got });
        if labels.len() != self.rows() {
            return wrong(format!("one for each of {} rows", self.rows()), labels.len().to_string());
        }
        if let Some(row) = labels.iter().position(|&label| label >= classes) {
            return wrong(
                format!("0 to {} for {classes} classes", classes.saturating_sub(1)),
                format!("{} for row {row}", labels[row]),
            );
        }
        (self.labels, self.classes) = (labels.into(), classes);
        self.fingerprint = self.digest();
        Ok(self)
    }

    fn rows(&self) -> usize {
        self.values.len() / self.width
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..][..self.width]
    }

    /// The last batch of an epoch has one row only, and training drops it.
    fn drops_tail(&self) -> bool {
        self.draw.is_some() && self.rows() % self.config.batch_size == 1
    }

    fn digest(&self) -> String {
        let RowViewsConfig { batch_size, views, seed } = self.config;
        let mut digest = Sha256::new();
        digest.update(b"rows");
        for number in [self.width as u64, self.rows() as u64, self.classes as u64, batch_size as u64, views as u64, seed] {
            digest.update(number.to_le_bytes());
        }
        let mut bytes = Vec::new();
        for row in self.values.chunks_exact(self.width) {
            bytes.clear();
            bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
            digest.update(&bytes);
        }
        self.labels.iter().for_each(|label| digest.update((*label as u64).to_le_bytes()));
        short(digest)
    }
}

impl ViewSource for RowViews {
    fn shape(&self) -> SourceShape {
        let RowViewsConfig { batch_size, views, .. } = self.config;
        SourceShape { images: self.rows(), classes: self.classes, batch_size, views, size: ImageSize::row(self.width) }
    }

    fn batches_per_epoch(&self) -> usize {
        self.rows().div_ceil(self.config.batch_size) - usize::from(self.drops_tail())
    }

    /// Of the rows, their labels, and K, B and seed; not of the function that makes the views.
    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn fill(&mut self, epoch: u32, from: usize, batch: &mut ViewBuffer) -> Result<bool> {
        if from >= self.batches_per_epoch() {
            if self.drops_tail() {
                let reason = "a batch of a single row has no other to be compared with".to_owned();
                batch.left_out.push(LeftOut { images: 1, reason });
            }
            return Ok(false);
        }
        let RowViewsConfig { batch_size, views, seed } = self.config;
        if self.ordered != Some(epoch) {
            let rows = self.rows();
            self.order = if self.draw.is_some() { epoch_order(seed, epoch, rows) } else { (0..rows).collect() };
            self.ordered = Some(epoch);
        }
        let first = from * batch_size;
        let chosen = &self.order[first..self.rows().min(first + batch_size)];
        batch.index = from;
        batch.images.clear();
        batch.images.extend_from_slice(chosen);
        batch.rows.resize(views * chosen.len() * self.width, 0.0);
        for (at, out) in batch.rows.chunks_exact_mut(self.width).enumerate() {
            let (view, row) = ((at / chosen.len()) as u32, chosen[at % chosen.len()]);
            match &self.draw {
                Some(draw) => {
                    let mut generator = ViewKey { seed, epoch, image: row as u64, view }.generator();
                    draw(self.row(row), &mut generator, out);
                }
                None => out.copy_from_slice(self.row(row)),
            }
        }
        Ok(true)
    }

    fn plain(&self) -> Result<Box<dyn ViewSource>> {
        let RowViewsConfig { batch_size, views, seed } = self.config;
        let config = RowViewsConfig { batch_size: batch_size * views, views: 1, seed };
        Ok(Box::new(Self { config, draw: None, order: Vec::new(), ordered: None, ..self.clone() }))
    }

    fn label(&self, row: usize) -> Option<usize> {
        self.labels.get(row).copied()
    }

    fn origin(&self, row: usize) -> String {
        format!("row {row}")
    }
}

impl fmt::Debug for RowViews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("RowViews");
        f.field("rows", &self.rows()).field("width", &self.width).field("config", &self.config).finish_non_exhaustive()
    }
}
