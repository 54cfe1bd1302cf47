//! Seconds of a piece of work, where its neighbours on the machine let it run.

use std::time::Instant;

/// Runs of which the best counts.
const RUNS: usize = 15;

/// The fewest seconds that `run` took in several runs.
pub(super) fn best_seconds(mut run: impl FnMut()) -> f64 {
    let once = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..RUNS).map(once).fold(f64::MAX, f64::min)
}
