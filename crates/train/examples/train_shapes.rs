//! Trains Conv-4 on the embedded shapes by relational reasoning, and prints each epoch's pair accuracy.
//!
//! cargo run --release -p relata-train --example train_shapes -- runs/example

// An example talks to its user.
#![allow(clippy::print_stdout)]

use relata_artifact::RunFolder;
use relata_augment::{LoaderConfig, Pipeline, ViewLoader};
use relata_data::{Shapes, ShapesOptions};
use relata_model::{Compute, ModelConfig};
use relata_train::{Event, Flow, MethodConfig, Observer, Setup, TrainConfig, Trainer};
use std::sync::Arc;

struct Printer;

impl Observer for Printer {
    fn event(&mut self, event: &Event<'_>) -> Flow {
        if let Event::Epoch(epoch) = event
            && let Some(loss) = epoch.loss
        {
            let figures: Vec<String> = epoch.figures.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
            println!("epoch {} of {}: loss {loss:.4}, {}", epoch.epoch, epoch.epochs, figures.join(", "));
        }
        Flow::Continue
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::env::args().nth(1).ok_or("say where the run folder should be")?;
    let compute = Compute::new(0)?;
    let data = Arc::new(Shapes::new(ShapesOptions::default())?);
    let loader = LoaderConfig { views: 4, batch_size: 64, ..LoaderConfig::default() };
    let mut trainer = Trainer::new(Setup {
        backbone: ModelConfig::default().build(1, compute.clone())?,
        loader: ViewLoader::new(data, Pipeline::relational(32)?, loader)?,
        method: MethodConfig::default(),
        config: TrainConfig { epochs: 2, ..TrainConfig::default() },
        seed: 1,
        compute,
        info: Default::default(),
    })?;
    trainer.run(&RunFolder::create(&out, false)?, &mut Printer)?;
    println!("metrics and checkpoints: {out}");
    Ok(())
}
