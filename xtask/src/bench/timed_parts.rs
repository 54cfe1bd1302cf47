//! The parts of the job that are timed, each in a process of its own: `cargo xtask bench-part`.

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use relata_augment::{LoaderConfig, Pipeline, Scratch, ViewKey, ViewLoader};
use relata_data::{Dataset, Image};
use relata_model::{
    Activations, Architecture, Backbone, BackboneKind, Buffers, Compute, ImageSize, Images, Layout, Mode, Network, Stem,
};
use relata_ops::Isa;
use relata_optim::Optimizer;
use relata_train::{BatchShape, HeadShape, IntoMethod, METHODS, Method, MethodConfig, Needs, TrainConfig, ViewBatch};
use serde::Serialize;
use serde_json::json;

use super::outcome::Outcome;

/// Steps before the clock starts: plans are compiled and buffers touched in them.
const WARM_UP: usize = 3;

/// The method that a part without a name of one is timed with: the paper's, whose steps PyTorch has beside it.
pub(super) const DEFAULT_METHOD: &str = "relational";

/// The other methods whose step is all of their work, each with the fewest views an image that it takes.
pub(super) fn other_methods() -> Vec<(&'static str, usize)> {
    let names = METHODS.iter().map(|entry| entry.name).filter(|name| *name != DEFAULT_METHOD);
    let methods =
        names.filter_map(|name| MethodConfig::named(name).ok().filter(|method| is_whole_in_a_step(method.spec().needs())));
    methods.map(|method| (method.entry().name, if method.spec().validate(1).is_ok() { 1 } else { 2 })).collect()
}

/// Whether nothing happens beside the steps: no target network, no pass over all images, and there are steps.
fn is_whole_in_a_step(needs: Needs) -> bool {
    needs.steps && !needs.target && !needs.features
}

/// Which part of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PartKind {
    /// Forward, the method's head and loss, backward and optimiser on a batch in memory.
    Step,
    /// K views an image, one thread.
    Augment,
    /// Both, the views from the loader.
    Pipeline,
}

impl PartKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Augment => "augment",
            Self::Pipeline => "pipeline",
        }
    }
}

/// One part with its sizes.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct Part {
    pub(super) kind: PartKind,
    #[arg(long, default_value = "conv4")]
    pub(super) backbone: String,
    /// As `method.kind` of a recipe.
    #[arg(long, default_value = DEFAULT_METHOD)]
    pub(super) method: String,
    /// K.
    #[arg(long, default_value_t = 4)]
    pub(super) views: usize,
    /// B.
    #[arg(long, default_value_t = 64)]
    pub(super) batch: usize,
    #[arg(long, default_value_t = 32)]
    pub(super) side: usize,
    #[arg(long, default_value_t = 10)]
    pub(super) steps: usize,
    #[arg(long, default_value_t = 0)]
    pub(super) threads: usize,
    #[arg(long)]
    pub(super) isa: Option<String>,
}

impl Part {
    pub(super) fn name(&self) -> String {
        let Self { kind, backbone, method, views, batch, side, threads, .. } = self;
        let threads = if *threads == 0 { String::new() } else { format!(", {threads} threads") };
        let method = if method == DEFAULT_METHOD { String::new() } else { format!(", {method}") };
        match kind {
            PartKind::Augment => format!("augment, one core, {side} px"),
            _ => format!("{}, {backbone}{method}, K = {views}, B = {batch}, {side} px{threads}", kind.name()),
        }
    }
}

/// The command line that runs `part` in a process of its own.
pub(super) fn command(part: &Part) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("xtask does not know where it is")?);
    command.args(["bench-part", part.kind.name(), "--backbone", &part.backbone, "--method", &part.method]);
    let Part { views, batch, side, steps, threads, .. } = *part;
    for (flag, value) in [("--views", views), ("--batch", batch), ("--side", side), ("--steps", steps), ("--threads", threads)] {
        command.arg(flag).arg(value.to_string());
    }
    if let Some(isa) = &part.isa {
        command.args(["--isa", isa]);
    }
    Ok(command)
}

/// `threads`, or as many as the machine has.
pub(super) fn threads(threads: usize) -> usize {
    if threads > 0 { threads } else { std::thread::available_parallelism().map_or(1, usize::from) }
}

/// The instruction set of that name, or the best.
pub(super) fn isa(name: Option<&str>) -> Result<Isa> {
    let Some(name) = name else { return Ok(Isa::best()) };
    let available = Isa::available();
    let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
    let found = available.iter().find(|isa| isa.name() == name);
    found.copied().with_context(|| format!("no instruction set {name} here: there are {}", names.join(", ")))
}

/// Runs one part and prints its outcome, one line of JSON.
pub(crate) fn run(part: &Part) -> Result<()> {
    let mut outcome = match part.kind {
        PartKind::Augment => augment(part)?,
        PartKind::Step => step(part)?,
        PartKind::Pipeline => pipeline(part)?,
    };
    outcome.peak_mb = peak_mb();
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// Classes of the random images.
const CLASSES: usize = 10;

/// A net, what is above it, and their optimisers: the trainer's step without its loader.
struct Job {
    backbone: Network,
    method: Box<dyn Method>,
    optimizers: [Box<dyn Optimizer>; 2],
    labels: Vec<usize>,
}

impl Job {
    fn new(part: &Part) -> Result<Self> {
        let kind = BackboneKind::from_name(&part.backbone).with_context(|| format!("no backbone {}", part.backbone))?;
        let compute = Compute::with_isa(part.threads, isa(part.isa.as_deref())?)?;
        let mut backbone = Network::new(Architecture::new(kind, Stem::Imagenet), 1, compute.clone());
        let method: MethodConfig = serde_json::from_value(json!({ "kind": part.method }))?;
        let (width, images) = (backbone.architecture().width, 50_000);
        let size = ImageSize::square_rgb(part.side);
        let first_map = backbone.architecture().first_map(size);
        let first_map = first_map.map_or(Layout::dense(0, 0, 0), |(_, map)| map);
        let shape = HeadShape { width, views: part.views, max_images: part.batch, images, classes: CLASSES, size, first_map };
        let method = method.into_method(shape, 1, compute, &mut Buffers::allocated())?;
        if !is_whole_in_a_step(method.needs()) {
            bail!("a step of {} is not all of its work: time its training", part.method);
        }
        backbone.set_taps(&method.taps(backbone.architecture()))?;
        let parameters = [backbone.parameters().len(), method.parameters().len()];
        let optimizers = parameters.map(|len| method.optimizer(&TrainConfig::default()).build(len));
        let labels = (0..part.batch).map(|image| image % CLASSES).collect();
        Ok(Self { backbone, method, optimizers, labels })
    }

    /// Rows that the backbone sees of a batch.
    fn rows(&self, part: &Part) -> usize {
        part.views * part.batch * self.method.needs().rows_per_view
    }

    /// One step; returns the seconds that the method took of it.
    fn step(&mut self, views: &[f32], part: &Part) -> Result<f64> {
        let shape = BatchShape { images: part.batch, views: part.views };
        let (rows, size) = (self.rows(part), ImageSize::square_rgb(part.side));
        let start = Instant::now();
        let images = Images::of_size(self.method.prepare(ViewBatch { rows: views, shape, size })?, rows, size)?;
        let prepared_s = start.elapsed().as_secs_f64();
        let Activations { features, taps } = self.backbone.forward_with_taps(images, Mode::Train)?;
        let start = Instant::now();
        self.method.step_with_taps(features, &taps, shape, &self.labels)?;
        let method_s = prepared_s + start.elapsed().as_secs_f64();
        self.backbone.backward_with_taps(self.method.d_features(), &self.method.d_taps())?;
        let lr = TrainConfig::default().lr;
        for (optimizer, parameters) in
            self.optimizers.iter_mut().zip([self.backbone.parameters_mut(), self.method.parameters_mut()])
        {
            let (values, gradients) = parameters.values_and_gradients_mut();
            optimizer.step(lr, values, gradients);
        }
        Ok(method_s)
    }
}

fn step(part: &Part) -> Result<Outcome> {
    let mut job = Job::new(part)?;
    let batch: Vec<f32> = bytes(part, 0, part.views * part.batch).iter().map(|b| f32::from(*b) / 64.0 - 2.0).collect();
    let mut head_s = 0.0;
    let seconds = time(part.steps, |counts| {
        let of_head = job.step(&batch, part)?;
        head_s += if counts { of_head } else { 0.0 };
        Ok(())
    })?;
    let total: f64 = seconds.iter().sum();
    let rows = job.rows(part);
    Ok(Outcome { head_pct: Some(100.0 * head_s / total), ..outcome(rows, &seconds, median(&seconds)) })
}

fn augment(part: &Part) -> Result<Outcome> {
    let pipeline = Pipeline::relational(part.side)?;
    let images: Vec<Image> =
        (0..part.batch).map(|index| RandomBytes::of(part, part.batch).image(index)).collect::<Result<_, _>>()?;
    let (mut out, mut scratch) = (vec![0.0; pipeline.view_len()], Scratch::default());
    let mut epoch = 0;
    let seconds = time(part.steps, |_| {
        epoch += 1;
        for (index, image) in images.iter().enumerate() {
            for view in 0..part.views {
                let key = ViewKey { seed: 1, epoch, image: index as u64, view: view as u32 };
                pipeline.view_into(image, key, &mut out, &mut scratch);
                std::hint::black_box(&mut out);
            }
        }
        Ok(())
    })?;
    Ok(outcome(part.views * part.batch, &seconds, median(&seconds)))
}

fn pipeline(part: &Part) -> Result<Outcome> {
    let mut job = Job::new(part)?;
    let images = part.batch * (part.steps + WARM_UP);
    // As many workers as the trainer takes: one for every two compute threads.
    let workers = threads(part.threads).div_ceil(2);
    let config = LoaderConfig { batch_size: part.batch, views: part.views, workers, prefetch: 4, ..LoaderConfig::default() };
    let loader = ViewLoader::new(Arc::new(RandomBytes::of(part, images)), Pipeline::relational(part.side)?, config)?;
    let mut epoch = loader.epoch(0);
    let mut waited_s = 0.0;
    let seconds = time(part.steps, |counts| {
        let start = Instant::now();
        let batch = epoch.next().context("the epoch ended early")??;
        waited_s += if counts { start.elapsed().as_secs_f64() } else { 0.0 };
        job.step(&batch.rows, part)?;
        Ok(())
    })?;
    // Steps come in bursts, as the loader has batches ready: the rate is that of all of them together.
    let total: f64 = seconds.iter().sum();
    Ok(Outcome { waited_pct: Some(100.0 * waited_s / total), ..outcome(job.rows(part), &seconds, total / seconds.len() as f64) })
}

/// Seconds of each of `steps` runs, behind the warm-up; `run` gets whether it counts.
fn time(steps: usize, mut run: impl FnMut(bool) -> Result<()>) -> Result<Vec<f64>> {
    let mut seconds = Vec::new();
    for number in 0..steps.max(1) + WARM_UP {
        let start = Instant::now();
        run(number >= WARM_UP)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(seconds.split_off(WARM_UP))
}

fn outcome(views: usize, seconds: &[f64], typical_s: f64) -> Outcome {
    let views = views as f64;
    let best_s = seconds.iter().copied().fold(f64::MAX, f64::min);
    Outcome { views_per_s: views / typical_s, best_views_per_s: views / best_s, peak_mb: None, waited_pct: None, head_pct: None }
}

/// The middle one; of an even number, the mean of the two in the middle.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// This process's peak of resident memory, where the system tells it.
fn peak_mb() -> Option<f64> {
    relata_cli::peak_bytes().map(|bytes| bytes as f64 / (1024.0 * 1024.0))
}

/// Random bytes as images: the content does not change the cost.
struct RandomBytes {
    images: usize,
    side: usize,
}

impl RandomBytes {
    fn of(part: &Part, images: usize) -> Self {
        Self { images, side: part.side }
    }
}

impl Dataset for RandomBytes {
    fn len(&self) -> usize {
        self.images
    }

    fn image(&self, index: usize) -> relata_data::Result<Image> {
        let bytes = noise(index as u64, self.side * self.side * 3);
        Ok(Image::new(self.side, self.side, bytes).expect("as many bytes as the sides ask for"))
    }

    fn label(&self, _: usize) -> Option<usize> {
        None
    }

    fn class_names(&self) -> &[String] {
        &[]
    }

    fn source(&self, index: usize) -> String {
        format!("random image {index}")
    }

    fn fingerprint(&self) -> &str {
        "random bytes"
    }
}

fn bytes(part: &Part, seed: u64, rows: usize) -> Vec<u8> {
    noise(seed, rows * part.side * part.side * 3)
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}
