//! Minimises (a - 3)² + (b + 1)² with every optimiser: `cargo run --release -p relata-optim --example quadratic`

#![allow(clippy::print_stdout)]

use relata_optim::{OPTIMIZERS, OptimizerConfig, OptimizerSettings};

fn gradient(at: &[f32]) -> [f32; 2] {
    [2.0 * (at[0] - 3.0), 2.0 * (at[1] + 1.0)]
}

fn main() {
    let settings = OptimizerSettings { momentum: 0.5, ..OptimizerSettings::default() };
    for entry in OPTIMIZERS {
        let config = OptimizerConfig { settings, ..OptimizerConfig::new(entry, 0.1) };
        let (mut optimizer, mut at) = (config.build(2), vec![0.0, 0.0]);
        for step in 0..=100 {
            if step % 20 == 0 {
                println!("{}, step {step:3}: at {at:.3?}", entry.title);
            }
            let gradient = gradient(&at);
            optimizer.step(config.lr, &mut at, &gradient);
        }
    }
}
