//! A method of one's own: VICReg's head and loss are a candle expression of the features, and the trainer does the rest
//! (checkpoints, resuming, metrics). `docs/EXTENDING.md` goes through it.
//!
//! cargo run --release -- RUN_FOLDER

use candle_core::Tensor;
use relata_artifact::RunFolder;
use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::{Dataset, Shapes, ShapesOptions, Split};
use relata_model::{Backbone, Compute, ModelConfig, ParameterKind, Parameters};
use relata_probe::{ExtractOptions, LinearProbe, extract};
use relata_train::{BatchShape, CandleMethod, Setup, TrainConfig, Trainer};
use std::error::Error;
use std::sync::Arc;

/// Width of both layers of the head.
const OUTPUT: usize = 128;

/// VICReg (Bardes et al. 2022) of projections z `[K·B, OUTPUT]`: 25 · invariance + 25 · variance + covariance. Views of an image
/// alike, dimensions spread and not correlated. z comes of two linear layers with batch norm and ReLU between.
fn vicreg(features: &Tensor, head: &[Tensor], batch: BatchShape) -> candle_core::Result<Tensor> {
    let hidden = features.matmul(&head[0].t()?)?;
    let hidden = hidden.broadcast_sub(&hidden.mean_keepdim(0)?)?;
    let hidden = hidden.broadcast_div(&(hidden.sqr()?.mean_keepdim(0)? + 1e-5)?.sqrt()?)?.relu()?;
    let z = hidden.matmul(&head[1].t()?)?;
    let views = z.reshape((batch.views, batch.images, OUTPUT))?;
    let invariance = views.broadcast_sub(&views.mean_keepdim(0)?)?.sqr()?.mean_all()?;
    let centred = z.broadcast_sub(&z.mean_keepdim(0)?)?;
    let covariances = (centred.t()?.matmul(&centred)? / (batch.rows() as f64 - 1.0))?;
    let diagonal = (&covariances * Tensor::eye(OUTPUT, z.dtype(), z.device())?)?;
    let deviations = (diagonal.sum(0)? + 1e-4)?.sqrt()?;
    let variance = deviations.affine(-1.0, 1.0)?.relu()?.mean_all()?;
    let covariance = ((covariances - diagonal)?.sqr()?.sum_all()? / OUTPUT as f64)?;
    ((invariance + variance)? * 25.0)? + covariance
}

/// Accuracy of the linear probe on the backbone's features, in per cent.
fn linear_pct(backbone: &mut dyn Backbone, pipeline: &Pipeline, compute: &Compute) -> Result<f64, Box<dyn Error>> {
    let options = ExtractOptions::default();
    let mut features = |split| extract(backbone, shapes(split)?, pipeline, &options, &mut |_, _| {});
    Ok(LinearProbe::default().fit(&features(Split::Train)?, compute)?.score(&features(Split::Test)?)?.accuracy_pct)
}

fn shapes(split: Split) -> relata_probe::Result<Arc<dyn Dataset>> {
    Ok(Arc::new(Shapes::new(ShapesOptions { split, train_images: 4096, ..ShapesOptions::default() })?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("say where the run folder should be")?;
    let (compute, pipeline) = (Compute::new(0)?, Pipeline::relational(32)?);
    let mut backbone = ModelConfig::default().build(1, compute.clone())?;
    let random_pct = linear_pct(&mut *backbone, &pipeline, &compute)?;

    let mut head = Parameters::default();
    head.add("linear1.weight", &[OUTPUT, backbone.architecture().width], ParameterKind::LinearWeight);
    head.add("linear2.weight", &[OUTPUT, OUTPUT], ParameterKind::LinearWeight);
    head.initialise(1, 1);
    let loader = LoaderConfig { views: 4, batch_size: 64, seed: 1, ..LoaderConfig::default() };
    let mut trainer = Trainer::new(Setup {
        backbone,
        loader: ViewLoader::new(shapes(Split::Train)?, pipeline.clone(), loader)?,
        method: CandleMethod::new("vicreg", head, vicreg),
        config: TrainConfig { epochs: 8, lr: 2e-3, ..TrainConfig::default() },
        seed: 1,
        compute: compute.clone(),
        info: Default::default(),
    })?;
    let run = RunFolder::create(&out, false)?;
    run.write_config("[data]\ndataset = \"shapes\"\n[augment]\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n")?; // for probe
    trainer.run(&run, &mut ())?;

    let losses: Vec<f64> = run.metrics()?.iter().filter_map(|line| line.loss).collect();
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    let trained_pct = linear_pct(trainer.backbone(), &pipeline, &compute)?;
    println!(
        "loss {first:.2} at first, {last:.2} at last; linear probe {trained_pct:.1} %, random weights {random_pct:.1} %; in {out}"
    );
    if last < first && trained_pct >= random_pct + 4.0 { Ok(()) } else { Err("nothing was learned".into()) }
}
