//! What a relation head takes of memory, against what its plan says: counted over the whole process.

use relata_model::{Aggregation, Buffers, Compute, RelationHead, RelationHeadConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Of the plan; names and lists are not in it.
const SHARE: f64 = 0.02;

#[test]
fn a_relation_head_takes_what_its_plan_says() {
    for aggregation in Aggregation::ALL {
        for (layers, shifts) in [(1, 1), (1, 3), (2, 1), (3, 2)] {
            let config = RelationHeadConfig { aggregation, layers, shifts, ..RelationHeadConfig::default() };
            let compute = Compute::new(1).unwrap();
            let region = Region::new(ALLOCATOR);
            let head = RelationHead::new(config, 64, 6, 33, 1, compute.clone(), &mut Buffers::allocated()).unwrap();
            let taken = region.change().bytes_allocated as f64;
            // Values and gradients; the buffers of a vector that grows are counted each time, so at most twice.
            let parameters = 2 * size_of::<f32>() * head.parameters().len();
            let mut counted = Buffers::counted();
            let same = RelationHead::new(config, 64, 6, 33, 1, compute, &mut counted).unwrap();
            assert_eq!(same.parameters().len(), head.parameters().len());
            let planned = counted.bytes() as f64;
            let what = format!("{aggregation:?}, {layers} layers, {shifts} shifts: {taken} bytes, {planned} planned");
            assert!(taken >= (1.0 - SHARE) * planned, "{what}");
            assert!(taken <= (1.0 + SHARE) * planned + 2.0 * parameters as f64, "{what}");
        }
    }
}
