//! How fast the convolutions of the small nets run here: GFLOP/s of forward, data gradient and weight gradient on one
//! thread. `cargo run --release -p relata-ops --example conv_speed`

#![allow(clippy::print_stdout)]

use relata_ops::{Conv2d, ConvSpec, Isa, Layout};
use std::time::Instant;

fn best_seconds(mut run: impl FnMut()) -> f64 {
    (0..7)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::MAX, f64::min)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layers = [
        (32, 3, 8, 3, 1),
        (16, 8, 16, 3, 1),
        (8, 16, 32, 3, 1),
        (4, 32, 64, 3, 1),
        (32, 16, 16, 3, 1),
        (32, 16, 32, 3, 2),
        (16, 32, 32, 3, 1),
        (8, 64, 64, 3, 1),
        (24, 64, 64, 3, 1),
        (12, 128, 128, 3, 1),
        (6, 256, 256, 3, 1),
        (3, 512, 512, 3, 1),
    ];
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    println!("side  channels     forward  d_input  d_weight   GFLOP/s, one thread");
    for isa in Isa::available() {
        println!("{isa}");
        for (side, channels_in, channels_out, kernel, stride) in layers {
            let spec = ConvSpec { channels_in, channels_out, kernel, stride, padding: kernel / 2 };
            let layer = Conv2d::new(isa, spec, Layout { height: side, width: side, channels: channels_in, halo: 1 }, 1)?;
            let flops = spec.forward_flops(layer.output());
            let n = (400_000_000 / flops).clamp(1, 256) as usize;
            let input = vec![0.5; n * layer.input().image_len()];
            let mut output = vec![0.0; n * layer.output().image_len()];
            let weights = vec![0.1; spec.weight_len()];
            let (mut forward, mut backward) = (vec![0.0; layer.forward_packed_len()], vec![0.0; layer.backward_packed_len()]);
            layer.pack_forward(&weights, &mut forward);
            layer.pack_backward(&weights, &mut backward);
            let mut d_input = vec![0.0; n * side * side * channels_in];
            let mut workspace = vec![0.0; layer.gradient_workspace_len(n)];
            let mut d_weights = weights.clone();
            let rate = |seconds: f64| flops as f64 * n as f64 / seconds / 1e9;
            let (f, d, w) = pool.install(|| {
                (
                    best_seconds(|| layer.forward(n, &input, &forward, &mut output, None)),
                    best_seconds(|| layer.data_gradient(n, &output, &backward, &mut d_input, false)),
                    best_seconds(|| layer.weight_gradient(n, &input, &output, &mut workspace, &mut d_weights)),
                )
            });
            println!("{side:4}  {channels_in:3} -> {channels_out:3}  {:8.1} {:8.1} {:8.1}", rate(f), rate(d), rate(w));
        }
    }
    Ok(())
}
