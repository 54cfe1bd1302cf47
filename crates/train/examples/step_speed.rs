//! How fast one training step runs here: forward, relation head, backward and Adam on a batch that is already in memory.
//!
//! `cargo run --release -p relata-train --example step_speed -- BACKBONE VIEWS BATCH SIDE THREADS`

#![allow(clippy::print_stdout)]

use relata_model::{
    Architecture, Backbone, BackboneKind, Compute, Images, Mode, Network, RelationHead, RelationHeadConfig, Stem,
};
use relata_optim::{Adam, AdamConfig};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let name = arguments.first().map_or("conv4", String::as_str);
    let kind = BackboneKind::from_name(name).ok_or_else(|| format!("there is no backbone {name}"))?;
    let (views, images, side, threads) = (number(1, 4)?, number(2, 64)?, number(3, 32)?, number(4, 0)?);
    let compute = Compute::new(threads)?;
    let mut backbone = Network::new(Architecture::new(kind, Stem::Imagenet), 1, compute.clone());
    let width = backbone.architecture().width;
    let mut head = RelationHead::new(RelationHeadConfig::default(), width, views, images, 1, compute.clone())?;
    let rows = views * images;
    // Without a period: a processor that has learned the images by heart is faster than it will be on real ones.
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let batch: Vec<f32> = (0..rows * side * side * 3).map(|_| noise()).collect();
    let mut adams = [backbone.parameters().len(), head.parameters().len()].map(|len| Adam::new(AdamConfig::default(), len));
    let mut seconds = Vec::new();
    let mut parts = [0.0; 4];
    for round in 0..12 {
        let mut marks = vec![Instant::now()];
        let features = backbone.forward(Images::new(&batch, rows, side, side)?, Mode::Train)?;
        marks.push(Instant::now());
        head.step(images, features)?;
        marks.push(Instant::now());
        backbone.backward(head.d_features())?;
        marks.push(Instant::now());
        for (adam, parameters) in adams.iter_mut().zip([backbone.parameters_mut(), head.parameters_mut()]) {
            adam.step(&mut parameters.values, &parameters.gradients);
        }
        marks.push(Instant::now());
        if round >= 2 {
            seconds.push((marks[4] - marks[0]).as_secs_f64());
            parts.iter_mut().zip(marks.windows(2)).for_each(|(sum, mark)| *sum += (mark[1] - mark[0]).as_secs_f64());
        }
    }
    seconds.sort_by(f64::total_cmp);
    let (median, best) = (seconds[seconds.len() / 2], seconds[0]);
    println!(
        "{name}, K = {views}, B = {images}, {side} px, {} threads, {}: {:.0} views/s median, {:.0} best",
        compute.threads(),
        compute.isa(),
        rows as f64 / median,
        rows as f64 / best,
    );
    let total: f64 = parts.iter().sum();
    let share = parts.map(|part| 100.0 * part / total);
    println!("forward {:.0} %, relation head {:.0} %, backward {:.0} %, Adam {:.0} %", share[0], share[1], share[2], share[3]);
    println!("plan: {:.1} MB", backbone.plan_bytes() as f64 / 1e6);
    Ok(())
}
