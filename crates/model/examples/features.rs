//! A backbone as a function from images to features, its weights on their way through a file that PyTorch reads too.
//!
//! `cargo run --release -p relata-model --example features [WEIGHTS]`: safetensors, `.pth` or `.tar` of a Conv-4; without
//! it, freshly drawn weights.
#![allow(clippy::print_stdout)]

use relata_model::backbones::CONV4;
use relata_model::{
    Architecture, Backbone, BackboneInfo, CandleNetwork, Images, Mode, Stem, WeightFile, safetensors_bytes, seam,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let info = BackboneInfo { kind: CONV4, stem: Stem::Cifar, side: 32, mean: [0.5; 3], std: [0.25; 3] };
    let architecture = info.architecture();
    let mut parameters = architecture.parameters();
    match std::env::args().nth(1) {
        Some(path) => WeightFile::read(path)?.load_into(None, &mut parameters)?,
        None => parameters.initialise(1, 0),
    }

    // Two images, NHWC, normalised: here a ramp and its mirror image.
    let side = info.side;
    let ramp = (0..side * side).flat_map(|pixel| [pixel % side, pixel / side, 0]);
    let mirrored = (0..side * side).flat_map(|pixel| [side - 1 - pixel % side, pixel / side, 0]);
    let pixels: Vec<f32> = ramp.chain(mirrored).map(|value| (value as f32 / side as f32 - 0.5) / 0.25).collect();
    let images = Images::new(&pixels, 2, side, side)?;

    let device = candle_core::Device::Cpu;
    let mut backbone = CandleNetwork::new(Architecture::new(CONV4, Stem::Cifar), parameters, &device)?;
    let features = backbone.forward(images, Mode::Eval)?;
    println!("features of the first image: {:.3?} ...", &features[..6]);

    // One training step's gradients under a loss of one's own: bring the two images together.
    let width = architecture.width;
    let features = backbone.forward(images, Mode::Train)?.to_vec();
    let (loss, d_features) =
        seam::loss_and_gradient(&features, 2, width, &device, |f| (f.get(0)? - f.get(1)?)?.sqr()?.sum_all())?;
    backbone.backward(&d_features)?;
    let norm = backbone.parameters().gradients().iter().map(|g| g * g).sum::<f32>().sqrt();
    println!("loss {loss:.4}, norm of its gradient over {} parameters {norm:.4}", backbone.parameters().len());

    let bytes = safetensors_bytes(&backbone.parameters().torch_tensors(), &info.to_metadata());
    println!("as safetensors under torchvision's names: {} bytes", bytes.len());
    Ok(())
}
