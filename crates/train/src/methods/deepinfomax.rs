use crate::error::{check, check_others, check_width};
use crate::heads::classifier::check_rows;
use crate::heads::prior::Prior;
use crate::heads::split::{parts, parts_mut};
use crate::{BatchShape, Error, HeadShape, Method, MethodSettings, MethodSpec, MethodStep, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Uniform};
use relata_artifact::FigureFacts;
use relata_model::{Activation, Architecture, Buffers, Compute, ParameterKind, Parameters};
use relata_ops::{LocalBatch, LocalHead, LocalHeadGrads, LocalHeadParams, LocalHeadShape};
use serde::{Deserialize, Serialize};

/// Keeps its draws apart from those of the parameters (parts 0 and 1) and of `DeepCluster` (2), and from one another.
const PRIOR_PART: u64 = 3;
const POSITIONS_PART: u64 = 4;
/// The number of steps travels in checkpoints as two `f32`, each of which holds all whole numbers up to here.
const DIGIT: u64 = 1 << 24;

const DRAWS: &str = "draws";

/// `[method.deepinfomax]` of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepInfoMaxConfig {
    /// Weight of the local term, beta. Default 1, the reference's.
    pub local: f64,
    /// Weight of the prior term, gamma. Default 0.1, the reference's.
    pub prior: f64,
    /// Width of the local discriminator's two hidden layers. Default 256, the reference's.
    pub hidden: usize,
    /// Spatial positions of the map that a step looks at, drawn again for each step, the same in all its images; its time is proportional to them. Default 0: all, as
    /// the reference does.
    pub places: usize,
}

impl Default for DeepInfoMaxConfig {
    fn default() -> Self {
        Self { local: 1.0, prior: 0.1, hidden: 256, places: 0 }
    }
}

impl DeepInfoMaxConfig {
    fn local(&self, shape: HeadShape) -> LocalHeadShape {
        LocalHeadShape { channels: shape.first_map.channels, width: shape.width, hidden: self.hidden }
    }
}

impl MethodSettings for DeepInfoMaxConfig {
    const NAME: &'static str = "deepinfomax";
    const TITLE: &'static str = "Deep InfoMax";
    const ABOUT: &'static str = "say which positions of the first map are the features' own image's; taps the backbone";
}

impl MethodSpec for DeepInfoMaxConfig {
    fn validate(&self, _views: usize) -> Result<()> {
        for (key, weight) in [("method.deepinfomax.local", self.local), ("method.deepinfomax.prior", self.prior)] {
            check(weight >= 0.0 && weight.is_finite(), key, weight, "a number of 0 or more")?;
        }
        check_width("method.deepinfomax.hidden", self.hidden)
    }

    fn width_keys(&self) -> &'static [&'static str] {
        &["method.deepinfomax.hidden"]
    }

    fn figures(&self) -> Vec<FigureFacts> {
        [("local_acc", "Positions predicted correctly"), ("local_loss", "Local loss"), ("prior_loss", "Prior loss")]
            .map(|(name, title)| FigureFacts::single(name, title))
            .to_vec()
    }

    fn build(&self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(DeepInfoMax::new(self, shape, seed, compute, buffers)?))
    }
}

/// Deep InfoMax: features that tell which positions of the first map are their own image's (Hjelm et al., *Learning deep
/// representations by mutual information estimation and maximization*, ICLR 2019, arXiv 1808.06670), as the reference repository of
/// arXiv 2006.05849 runs it: local and prior term, no global one.
///
/// With M the backbone's first activation (a tap: conv4's before its pool), y the features, M' the maps of the next image of the batch in
/// place of each image's own, and T(m, y) three 1 x 1 convolutions, C + D → 256 → 256 → 1 with ReLUs, on `[m; y]` at every position:
/// `local · (mean softplus(−T(M, y)) + mean softplus(T(M', y)))`. With P a perceptron D → 512 → 128 → 1 and u uniform in [0, 1):
/// `prior · (mean softplus(−P(u)) + mean softplus(P(y)))`. The loss is their sum, for discriminators and backbone alike, as the
/// reference has it: in the paper the backbone goes against the prior's discriminator, there and here along with it.
///
/// Figures: `local_acc`, the share of positions, own and foreign, that are predicted correctly; the two terms, `local_loss` and `prior_loss`.
#[derive(Debug)]
pub struct DeepInfoMax {
    config: DeepInfoMaxConfig,
    width: usize,
    max_rows: usize,
    /// C.
    channels: usize,
    seed: u64,
    /// Steps so far: the number of the next draw.
    draws: u64,
    parameters: Parameters,
    local: LocalHead,
    compute: Compute,
    prior: Prior,
    /// `[N, D]`, u.
    uniform: Vec<f32>,
    d_features: Vec<f32>,
    /// `[N, H, W, C]`, made by the first step.
    d_map: Vec<f32>,
    rows: usize,
}

impl DeepInfoMax {
    /// A method with freshly drawn discriminators.
    ///
    /// # Errors
    /// Where the backbone has no first map, or its maps have fewer positions than `places`.
    pub fn new(config: &DeepInfoMaxConfig, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Self> {
        let fits = config.places <= shape.first_map.pixels();
        check(fits, "method.deepinfomax.places", config.places, "no more than the first map has")?;
        let (rows, local) = (shape.views * shape.max_images, config.local(shape));
        let mut parameters = Parameters::new(buffers);
        let LocalHeadShape { channels, width, hidden } = local;
        for (layer, (inputs, outputs)) in [(channels + width, hidden), (hidden, hidden), (hidden, 1)].into_iter().enumerate() {
            let name = format!("local.linear{}", layer + 1);
            parameters.add(format!("{name}.weight"), &[outputs, inputs], ParameterKind::LinearWeight);
            parameters.add(format!("{name}.bias"), &[outputs], ParameterKind::LinearBias { inputs });
        }
        let prior = Prior::new(width, rows, "prior.", &mut parameters, compute.clone(), buffers);
        parameters.initialise(seed, 1);
        Ok(Self {
            config: config.clone(),
            width,
            max_rows: rows,
            channels,
            seed,
            draws: 0,
            parameters,
            local: LocalHead::new(compute.isa(), local, rows, buffers).map_err(relata_model::Error::from)?,
            compute,
            prior,
            uniform: buffers.vec(rows * width),
            d_features: buffers.vec(rows * width),
            d_map: buffers.vec(rows * shape.first_map.pixels() * channels),
            rows: 0,
        })
    }

    fn stream(&self, part: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream((part << 32) + self.draws);
        rng
    }

    /// The positions that this step looks at, all equally likely; `None`: all.
    fn draw_positions(&self, pixels: usize) -> Option<Vec<usize>> {
        if self.config.places == 0 {
            return None;
        }
        let mut rng = self.stream(POSITIONS_PART);
        let mut positions: Vec<usize> = (0..pixels).collect();
        for at in 0..self.config.places {
            let other = Uniform::new(at, pixels).expect("a position is left").sample(&mut rng);
            positions.swap(at, other);
        }
        positions.truncate(self.config.places);
        Some(positions)
    }

    /// A step with uniform numbers `[N, D]` of one's own in the place of the method's draws.
    ///
    /// # Errors
    /// Where features, map or numbers are not the batch's, or it holds one image only, whose foreign map would be its own.
    pub fn step_against(
        &mut self,
        features: &[f32],
        map: Activation<'_>,
        batch: BatchShape,
        uniform: &[f32],
        positions: Option<&[usize]>,
    ) -> Result<MethodStep> {
        let (rows, width) = (batch.rows(), self.width);
        check_rows(features, rows, width, self.max_rows)?;
        check_rows(uniform, rows, width, self.max_rows)?;
        if map.layout.channels != self.channels || map.data.len() != rows * map.layout.image_len() {
            let expected = format!("{rows} maps of {} channels", self.channels);
            return Err(Error::Taps { expected, got: format!("{} floats of {:?}", map.data.len(), map.layout) });
        }
        check_others(batch)?;
        self.rows = rows;
        // Within each view: the maps of image b stand beside the features of the image before it.
        let before = |row: usize| row - row % batch.images + (row % batch.images + batch.images - 1) % batch.images;
        let foreign: Vec<usize> = (0..rows).map(before).collect();
        self.d_map.resize(rows * map.layout.pixels() * self.channels, 0.0);
        let d_features = &mut self.d_features[..rows * width];
        let local_batch = LocalBatch { map: map.data, layout: map.layout, features, foreign: &foreign, positions };
        let hidden = self.config.hidden;
        let lengths = LocalHeadShape { channels: self.channels, width, hidden }.parameter_lengths();
        let (values, gradients) = self.parameters.values_and_gradients_mut();
        // The prior's lie behind them.
        let [w1, b1, w2, b2, w3, b3] = parts(values, lengths);
        let [d_w1, d_b1, d_w2, d_b2, d_w3, d_b3] = parts_mut(gradients, lengths);
        let grads = LocalHeadGrads {
            w1: d_w1,
            b1: d_b1,
            w2: d_w2,
            b2: d_b2,
            w3: d_w3,
            b3: d_b3,
            map: &mut self.d_map,
            features: d_features,
        };
        let (local, weight) = (&mut self.local, self.config.local as f32);
        let outcome = self.compute.install(|| local.step(local_batch, weight, LocalHeadParams { w1, b1, w2, b2, w3, b3 }, grads));
        let outcome = outcome.map_err(relata_model::Error::from)?;
        let prior = self.prior.step(&mut self.parameters, features, uniform, self.config.prior, d_features);
        let figures = vec![("local_acc", outcome.accuracy()), ("local_loss", outcome.loss), ("prior_loss", prior)];
        Ok(MethodStep { loss: outcome.loss + prior, figures })
    }
}

impl Method for DeepInfoMax {
    fn head_name(&self) -> &'static str {
        "deepinfomax"
    }

    fn taps(&self, architecture: &Architecture) -> Vec<String> {
        // The backbone's first.
        architecture.activations().take(1).map(str::to_owned).collect()
    }

    fn step(&mut self, _features: &[f32], batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        let expected = format!("{} maps of {} channels", batch.rows(), self.channels);
        Err(Error::Taps { expected, got: "features alone".to_owned() })
    }

    fn step_with_taps(
        &mut self,
        features: &[f32],
        taps: &[Activation<'_>],
        batch: BatchShape,
        labels: &[usize],
    ) -> Result<MethodStep> {
        let &[map] = taps else { return self.step(features, batch, labels) };
        let mut uniform = std::mem::take(&mut self.uniform);
        let numbers = uniform.len().min(batch.rows() * self.width);
        let range = Uniform::new(0.0_f32, 1.0).expect("a finite interval");
        let mut rng = self.stream(PRIOR_PART);
        uniform[..numbers].iter_mut().for_each(|u| *u = range.sample(&mut rng));
        let positions = self.draw_positions(map.layout.pixels());
        let step = self.step_against(features, map, batch, &uniform[..numbers], positions.as_deref());
        self.uniform = uniform;
        self.draws += 1;
        step
    }

    fn d_features(&self) -> &[f32] {
        &self.d_features[..self.rows * self.width]
    }

    fn d_taps(&self) -> Vec<&[f32]> {
        vec![&self.d_map]
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn state(&self) -> Vec<(&'static str, Vec<f32>)> {
        vec![(DRAWS, vec![(self.draws % DIGIT) as f32, (self.draws / DIGIT) as f32])]
    }

    fn restore(&mut self, state: &dyn Fn(&'static str) -> Result<Vec<f32>, String>) -> Result<(), String> {
        let saved = state(DRAWS)?;
        let is_digit = |value: &f32| value.fract() == 0.0 && (0.0..DIGIT as f32).contains(value);
        match saved[..] {
            [low, high] if is_digit(&low) && is_digit(&high) => self.draws = low as u64 + DIGIT * high as u64,
            _ => return Err(format!("{DRAWS} is {saved:?}, expected two whole numbers below {DIGIT}")),
        }
        Ok(())
    }
}
