//! One convolution layer forwards and backwards, as a training step runs it, and how many operations a second each pass makes.
//!
//! `cargo run --release -p relata-ops --example one_layer`

#![allow(clippy::print_stdout)]

use relata_ops::{Conv2d, ConvSpec, Isa, Layout};
use std::time::Instant;

const IMAGES: usize = 64;

fn gflops(flops: u64, mut pass: impl FnMut()) -> f64 {
    pass(); // what is used for the first time is slow
    let start = Instant::now();
    pass();
    flops as f64 / start.elapsed().as_secs_f64() / 1e9
}

fn main() -> relata_ops::Result<()> {
    // 3 x 3, 32 -> 32 channels, on images of 16 px that lie in a halo of one zero pixel; the output's halo is for the gradient.
    let spec = ConvSpec { channels_in: 32, channels_out: 32, kernel: 3, stride: 1, padding: 1 };
    let layer = Conv2d::new(Isa::best(), spec, Layout { height: 16, width: 16, channels: 32, halo: 1 }, 1)?;
    let weights: Vec<f32> = (0..spec.weight_len()).map(|at| (at % 17) as f32 / 17.0 - 0.5).collect();
    let (mut forward, mut backward) = (vec![0.0; layer.forward_packed_len()], vec![0.0; layer.backward_packed_len()]);
    layer.pack_forward(&weights, &mut forward);
    layer.pack_backward(&weights, &mut backward);

    let mut images = vec![0.5; IMAGES * layer.input().image_len()];
    layer.input().clear_halo(IMAGES, &mut images);
    let mut output = vec![0.0; IMAGES * layer.output().image_len()];
    let mut d_input = vec![0.0; IMAGES * layer.input().pixels() * spec.channels_in];
    let mut d_weights = vec![0.0; spec.weight_len()];
    let mut workspace = vec![0.0; layer.gradient_workspace_len(IMAGES)];

    let flops = IMAGES as u64 * spec.forward_flops(layer.output());
    println!(
        "{}, {} threads, {IMAGES} images, 32 -> 32 channels, 16 px, in GFLOP/s of the definition",
        Isa::best(),
        rayon::current_num_threads()
    );
    println!("forward         {:6.0}", gflops(flops, || layer.forward(IMAGES, &images, &forward, &mut output, None)));
    // The gradient of half the sum of squares is the output itself.
    println!("data gradient   {:6.0}", gflops(flops, || layer.data_gradient(IMAGES, &output, &backward, &mut d_input, false)));
    println!(
        "weight gradient {:6.0}",
        gflops(flops, || layer.weight_gradient(IMAGES, &images, &output, &mut workspace, &mut d_weights))
    );
    Ok(())
}
