//! What a covariance allocates: counted over the whole process, workers included.

use relata_cluster::{covariance, covariance_bytes};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_covariance_takes_two_matrices_and_not_one_for_each_piece_of_the_rows() {
    let (rows, width) = (64, 512);
    let values: Vec<f32> = (0..rows * width).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0).collect();
    // The thread pool's own, once.
    let _ = covariance(&values[..width], width);
    let region = Region::new(ALLOCATOR);
    let found = covariance(&values, width);
    let (matrix, allocated) = (width * width * size_of::<f64>(), region.change().bytes_allocated);
    assert!(found.lower.len() == width * width && covariance_bytes(width) == 2 * matrix);
    assert!(allocated < covariance_bytes(width) + matrix / 8, "{allocated} bytes");
}
