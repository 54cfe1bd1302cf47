//! What the relation head costs as the number of views grows: milliseconds of one training step's head on one thread, and
//! nanoseconds a row. `cargo run --release -p relata-ops --example pair_head_timing`

#![allow(clippy::print_stdout)]

use relata_ops::{Isa, PairHead, PairHeadGrads, PairHeadParams, PairLoss, RunningStats};
use std::time::Instant;

const IMAGES: usize = 64;
const HIDDEN: usize = 256;

fn best_ms(mut run: impl FnMut()) -> f64 {
    (0..15)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e3
        })
        .fold(f64::MAX, f64::min)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    println!("views   rows     train ms    ns/row     eval ms    ns/row   one thread, {IMAGES} images, width {HIDDEN}");
    for isa in Isa::available() {
        println!("{isa}");
        for views in [4, 8, 16, 32] {
            let len = views * IMAGES * HIDDEN;
            let feature = |seed: usize| (0..len).map(|i| ((i * 7919 + seed) % 1009) as f32 / 504.5 - 1.0).collect::<Vec<_>>();
            let (left, right) = (feature(1), feature(500));
            let (mut d_left, mut d_right) = (vec![0.0; len], vec![0.0; len]);
            let (ones, zeros) = (vec![1.0; HIDDEN], vec![0.0; HIDDEN]);
            let w2: Vec<f32> = (0..HIDDEN).map(|c| (c % 7) as f32 / 48.0 - 0.0625).collect();
            let params = PairHeadParams { bias: &zeros, bn_weight: &ones, bn_bias: &zeros, w2: &w2, b2: 0.0 };
            let [mut bias, mut bn_weight, mut bn_bias, mut d_w2] = [(); 4].map(|()| vec![0.0; HIDDEN]);
            let (mut b2, mut mean, mut var) = (0.0, zeros.clone(), ones.clone());
            let mut head = PairHead::new(isa, views, IMAGES, HIDDEN)?;
            let mut rows = 0;
            let train = pool.install(|| {
                best_ms(|| {
                    let grads = PairHeadGrads {
                        bias: &mut bias,
                        bn_weight: &mut bn_weight,
                        bn_bias: &mut bn_bias,
                        w2: &mut d_w2,
                        b2: &mut b2,
                    };
                    let running = RunningStats { mean: &mut mean, var: &mut var, momentum: 0.1 };
                    let outcome = head
                        .forward_backward(IMAGES, &left, &right, params, running, PairLoss::Bce, &mut d_left, &mut d_right, grads)
                        .expect("a batch that fits");
                    rows = outcome.rows;
                })
            });
            let eval = pool.install(|| {
                best_ms(|| {
                    head.forward_eval(IMAGES, &left, &right, params, &mean, &var, PairLoss::Bce).expect("a batch that fits");
                })
            });
            let ns = |ms: f64| ms * 1e6 / rows as f64;
            println!("{views:5} {rows:6} {train:12.2} {:9.1} {eval:11.2} {:9.1}", ns(train), ns(eval));
        }
    }
    Ok(())
}
