//! A method of one's own, written outside the crate: its head and its loss are candle expressions of the features, and the trainer
//! does the rest (checkpoints, resuming, metrics). `docs/EXTENDING.md` goes through it.
//!
//! cargo run --release -p relata-train --example own_method -- runs/own-method

// An example talks to its user.
#![allow(clippy::print_stdout)]

use candle_core::{Device, Tensor, Var};
use relata_artifact::RunFolder;
use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::{Shapes, ShapesOptions};
use relata_model::{Compute, ModelConfig, ParameterKind, Parameters, seam};
use relata_train::{BatchShape, Method, MethodStep, Result, Setup, TrainConfig, Trainer};
use std::sync::Arc;

/// VICReg (Bardes et al. 2022) with one linear layer: views of an image alike, dimensions spread and not correlated.
struct Vicreg {
    head: Parameters,
    d_features: Vec<f32>,
    width: usize,
}

const OUTPUT: usize = 32;

impl Vicreg {
    fn new(width: usize, seed: u64) -> Self {
        let mut head = Parameters::default();
        head.add("linear.weight", &[OUTPUT, width], ParameterKind::LinearWeight);
        head.initialise(seed, 1);
        Self { head, d_features: Vec::new(), width }
    }
}

/// 25 · invariance + 25 · variance + covariance of projections `[K·B, OUTPUT]`.
fn loss(z: &Tensor, batch: BatchShape) -> candle_core::Result<Tensor> {
    let views = z.reshape((batch.views, batch.images, OUTPUT))?;
    let invariance = views.broadcast_sub(&views.mean_keepdim(0)?)?.sqr()?.mean_all()?;
    let centred = z.broadcast_sub(&z.mean_keepdim(0)?)?;
    let covariances = (centred.t()?.matmul(&centred)? / (batch.rows() as f64 - 1.0))?;
    let diagonal = (&covariances * Tensor::eye(OUTPUT, z.dtype(), z.device())?)?;
    let deviations = (diagonal.sum(0)? + 1e-4)?.sqrt()?;
    let variance = deviations.affine(-1.0, 1.0)?.relu()?.mean_all()?;
    let covariance = ((covariances - diagonal)?.sqr()?.sum_all()? / OUTPUT as f64)?;
    (((invariance + variance)? * 25.0)? + covariance)?.affine(1.0, 0.0)
}

impl Method for Vicreg {
    fn head_name(&self) -> &'static str {
        "vicreg"
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        let (device, shape) = (Device::Cpu, (OUTPUT, self.width));
        let weight = Tensor::from_slice(&self.head.values, shape, &device).and_then(|weight| Var::from_tensor(&weight));
        let weight = weight.map_err(relata_model::Error::from)?;
        let (loss, d_features, d_head) =
            seam::loss_and_gradients(features, batch.rows(), self.width, &device, std::slice::from_ref(&weight), |features| {
                loss(&features.matmul(&weight.t()?)?, batch)
            })?;
        self.d_features = d_features;
        self.head.gradients.copy_from_slice(&d_head[0]);
        Ok(MethodStep { loss: f64::from(loss), figures: Vec::new() })
    }

    fn d_features(&self) -> &[f32] {
        &self.d_features
    }

    fn parameters(&self) -> &Parameters {
        &self.head
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.head
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::env::args().nth(1).ok_or("say where the run folder should be")?;
    let compute = Compute::new(0)?;
    let data = Arc::new(Shapes::new(ShapesOptions { train_images: 1024, ..ShapesOptions::default() })?);
    let loader = LoaderConfig { views: 2, batch_size: 64, ..LoaderConfig::default() };
    let mut trainer = Trainer::new(Setup {
        backbone: ModelConfig::default().build(1, compute.clone())?,
        loader: ViewLoader::new(data, Pipeline::relational(32)?, loader)?,
        method: Vicreg::new(64, 1),
        config: TrainConfig { epochs: 2, log_every: 4, ..TrainConfig::default() },
        seed: 1,
        compute,
        info: Default::default(),
    })?;
    let run = RunFolder::create(&out, false)?;
    trainer.run(&run, &mut ())?;
    let losses: Vec<f64> = run.metrics()?.iter().filter_map(|line| line.loss).collect();
    println!("loss {:.2} at first, {:.2} at last; metrics and checkpoints: {out}", losses[0], losses[losses.len() - 1]);
    Ok(())
}
