use crate::heads::classifier::Classifier;
use crate::{BatchShape, Error, HeadShape, Method, MethodSettings, MethodSpec, MethodStep, Needs, Result, ViewBatch};
use rayon::prelude::*;
use relata_artifact::FigureFacts;
use relata_model::{Buffers, Compute, ImageSize, Parameters};
use serde::{Deserialize, Serialize};

/// Each view upright and turned by 90, 180 and 270 degrees.
const TURNS: usize = 4;
const CHANNELS: usize = 3;

const NEEDS: Needs = Needs { rows_per_view: TURNS, ..Needs::FEATURES_OF_A_BATCH };

/// Rotation prediction has no settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationConfig {}

impl MethodSettings for RotationConfig {
    const NAME: &'static str = "rotation";
    const TITLE: &'static str = "Rotation prediction";
    const ABOUT: &'static str = "tell four rotations of each view apart";
}

impl MethodSpec for RotationConfig {
    fn needs(&self) -> Needs {
        NEEDS
    }

    fn figures(&self) -> Vec<FigureFacts> {
        vec![FigureFacts::single("rotation_acc", "Rotations predicted correctly")]
    }

    fn build(&self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(Rotation::new(shape, seed, compute, buffers)))
    }
}

/// Rotation prediction: say by how many quarter turns a view was rotated, counter-clockwise (Gidaris, Singh & Komodakis,
/// *Unsupervised Representation Learning by Predicting Image Rotations*, ICLR 2018), as the reference repository of
/// arXiv 2006.05849 runs it: all four turns of a view in one batch, `Linear(D, 4)`, cross-entropy.
///
/// Row `turn · N + row` of what the backbone sees is view `row` of the batch, N = K·B.
#[derive(Debug)]
pub struct Rotation {
    classifier: Classifier,
    compute: Compute,
    turned: Vec<f32>,
}

impl Rotation {
    /// A method with a freshly drawn classifier.
    #[must_use]
    pub fn new(shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Self {
        let rows = TURNS * shape.views * shape.max_images;
        let classifier = Classifier::new(shape.width, TURNS, rows, seed, compute.clone(), buffers);
        Self { classifier, compute, turned: buffers.vec(rows * shape.size.len()) }
    }
}

impl Method for Rotation {
    fn head_name(&self) -> &'static str {
        "rotation"
    }

    fn needs(&self) -> Needs {
        NEEDS
    }

    fn prepare<'a>(&'a mut self, views: ViewBatch<'a>) -> Result<&'a [f32]> {
        let ImageSize { height: side, width, channels } = views.size;
        if side != width || channels != CHANNELS {
            let got = format!("{side} x {width} of {channels} channels");
            return Err(Error::Size { what: "views to be turned", expected: "square images of 3 channels".to_owned(), got });
        }
        let (row_len, rows) = (side * side * CHANNELS, views.shape.rows());
        if TURNS * rows * row_len > self.turned.len() || views.rows.len() != rows * row_len {
            let (expected, got) = (format!("{} floats at most", self.turned.len() / TURNS), (rows * row_len).to_string());
            return Err(Error::Size { what: "views to be turned", expected, got });
        }
        let turned = &mut self.turned[..TURNS * rows * row_len];
        self.compute.install(|| {
            turned.par_chunks_mut(row_len).enumerate().for_each(|(row, out)| {
                turn(&views.rows[row % rows * row_len..][..row_len], side, row / rows, out);
            });
        });
        Ok(turned)
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        let rows = batch.rows();
        let outcome = self.classifier.step(features, TURNS * rows, |row| row / rows)?;
        Ok(MethodStep { loss: outcome.loss, figures: vec![("rotation_acc", outcome.accuracy())] })
    }

    fn d_features(&self) -> &[f32] {
        self.classifier.d_features()
    }

    fn parameters(&self) -> &Parameters {
        self.classifier.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.classifier.parameters_mut()
    }
}

/// `torch.rot90(image, turns)` of a square image, NHWC: a quarter turn is `out[y, x] = image[x, side − 1 − y]`.
fn turn(image: &[f32], side: usize, turns: usize, out: &mut [f32]) {
    let last = side - 1;
    for (at, out) in out.chunks_exact_mut(CHANNELS).enumerate() {
        let (y, x) = (at / side, at % side);
        let (from_y, from_x) = match turns {
            0 => (y, x),
            1 => (x, last - y),
            2 => (last - y, last - x),
            _ => (last - x, y),
        };
        out.copy_from_slice(&image[(from_y * side + from_x) * CHANNELS..][..CHANNELS]);
    }
}
