//! What a training step allocates once its buffers are there: counted over the whole process, workers included.

use relata_model::backbones::{CONV4, RESNET8, RESNET18, RESNET32};
use relata_model::{
    Aggregation, Architecture, Backbone, Buffers, Compute, Images, Mode, Network, RelationHead, RelationHeadConfig, Stem,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A thread pool's queue takes a block of a kibibyte or two now and then; nothing else may.
const QUEUES_BYTES: usize = 4096;

#[test]
fn a_step_allocates_nothing_after_the_first() {
    let (views, images, side, steps) = (3, 20, 16, 8);
    let rows = views * images;
    let pixels: Vec<f32> = (0..rows * side * side * 3).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0).collect();
    for kind in [CONV4, RESNET8, RESNET32, RESNET18] {
        for (aggregation, layers) in [(Aggregation::Cat, 1), (Aggregation::Max, 1), (Aggregation::Cat, 2)] {
            let compute = Compute::new(2).unwrap();
            let architecture = Architecture::new(kind, Stem::Imagenet);
            let config = RelationHeadConfig { aggregation, layers, ..RelationHeadConfig::default() };
            let mut head =
                RelationHead::new(config, architecture.width, views, images, 1, compute.clone(), &mut Buffers::allocated())
                    .unwrap();
            let mut network = Network::new(architecture, 1, compute);
            let mut step = |images: usize| {
                let rows = views * images;
                let batch = Images::new(&pixels[..rows * side * side * 3], rows, side, side).unwrap();
                let features = network.forward(batch, Mode::Train).unwrap();
                head.step(images, features).unwrap();
                network.backward(head.d_features()).unwrap();
            };
            step(images);
            let region = Region::new(ALLOCATOR);
            (0..steps).for_each(|_| step(images));
            // A last, smaller batch, too.
            step(images - 3);
            let change = region.change();
            assert!(change.bytes_allocated <= QUEUES_BYTES, "{kind:?}, {aggregation:?}, {layers} layers: {change:?}");
        }
    }
}
