//! Minimises (a - 3)² + (b + 1)² with Adam and with SGD: `cargo run --release -p relata-optim --example quadratic`

#![allow(clippy::print_stdout)]

use relata_optim::{Adam, AdamConfig, Sgd, SgdConfig};

fn gradient(at: &[f32]) -> [f32; 2] {
    [2.0 * (at[0] - 3.0), 2.0 * (at[1] + 1.0)]
}

fn main() {
    let mut adam = Adam::new(AdamConfig { lr: 0.1, ..AdamConfig::default() }, 2);
    let mut sgd = Sgd::new(SgdConfig { lr: 0.05, momentum: 0.5, ..SgdConfig::default() }, 2);
    let (mut by_adam, mut by_sgd) = (vec![0.0, 0.0], vec![0.0, 0.0]);
    for step in 0..=100 {
        if step % 20 == 0 {
            println!("step {step:3}: Adam at {by_adam:.3?}, SGD at {by_sgd:.3?}");
        }
        let (for_adam, for_sgd) = (gradient(&by_adam), gradient(&by_sgd));
        adam.step(&mut by_adam, &for_adam);
        sgd.step(&mut by_sgd, &for_sgd);
    }
}
