//! How fast one thread reads and writes memory.

use std::hint::black_box;

use super::clock::best_seconds;

/// Bytes a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryRates {
    pub(super) read: f64,
    pub(super) written: f64,
}

/// Floats that no cache of one thread's share holds: 64 MiB.
const FLOATS: usize = 16 << 20;

/// Of a sum and of a fill, each the best of several.
pub(super) fn rates() -> MemoryRates {
    let mut floats = vec![1.0_f32; FLOATS];
    let bytes = (4 * FLOATS) as f64;
    let read = bytes
        / best_seconds(|| {
            black_box(sum(&floats));
        });
    let written = bytes / best_seconds(|| floats.fill(black_box(2.0)));
    black_box(&floats);
    MemoryRates { read, written }
}

/// In sums enough that they wait for memory alone.
fn sum(floats: &[f32]) -> f32 {
    let mut sums = [0.0; 64];
    for part in floats.as_chunks::<64>().0 {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value;
        }
    }
    sums.iter().sum()
}
