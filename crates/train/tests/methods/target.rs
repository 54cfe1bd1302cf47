//! A method with a target network.

use crate::{assert_gradients_agree, folder, steps};
use relata_artifact::Checkpoint;
use relata_model::Executor;
use relata_train::ByolConfig;
use std::path::Path;

/// BYOL after epochs of one step each.
fn byol_after(epochs: u32, place: &Path, momentum: f64, lr: f64, executor: Executor) -> Checkpoint {
    let method = ByolConfig { momentum, ..ByolConfig::default() }.into();
    steps(epochs, &folder(place, &format!("{executor:?}-{momentum}-{lr}")), method, lr, executor)
}

#[test]
fn a_target_follows_the_parameters_by_its_momentum() {
    let place = tempfile::tempdir().unwrap();
    let at = |momentum| byol_after(1, place.path(), momentum, 1e-3, Executor::Fused);
    // At 1 the target stays what it was: the initial weights.
    let (initial, checkpoint) = (at(1.0), at(0.75));
    let (mut parameters, mut statistics) = (0, 0);
    for target in checkpoint.tensors.iter().filter(|t| t.name.starts_with("target.")) {
        let own = checkpoint.tensor(target.name.strip_prefix("target.").unwrap()).unwrap();
        if target.name.contains("running") {
            // Target and network saw the same batch with the same weights; the predictor of a target is never asked.
            assert!(target.data == own.data || target.name.contains("predictor"), "{}", target.name);
            statistics += 1;
            continue;
        }
        let start = initial.tensor(&target.name).unwrap();
        for ((t, p), s) in target.data.iter().zip(&own.data).zip(&start.data) {
            let expected = 0.75 * f64::from(*s) + 0.25 * f64::from(*p);
            assert_eq!(*t, expected as f32, "{}: {s} to {p}", target.name);
        }
        parameters += usize::from(target.data != start.data);
    }
    // Conv-4's four convolutions and norms, and six of each head; the biases before a norm do not move.
    assert_eq!((parameters, statistics), (4 * 3 + 2 * 6 - 3, 2 * (4 + 2)));
}

#[test]
fn a_target_looks_with_its_own_weights() {
    let place = tempfile::tempdir().unwrap();
    // A target that keeps its initial weights sees the same, whatever becomes of the network; of which 1e-30 makes nothing.
    let [learns, stays] = [1e-3, 1e-30].map(|lr| byol_after(3, place.path(), 1.0, lr, Executor::Fused));
    let statistics = |of: &Checkpoint, part: &str| -> Vec<f32> {
        let running = of.tensors.iter().filter(|t| t.name.starts_with(part) && t.name.contains("running"));
        running.flat_map(|t| t.data.clone()).collect()
    };
    for part in ["backbone", "byol.projector"] {
        let of_target = statistics(&stays, &format!("target.{part}"));
        assert!(!of_target.is_empty());
        assert_eq!(of_target, statistics(&learns, &format!("target.{part}")));
        assert_eq!(of_target, statistics(&stays, part));
        assert_ne!(of_target, statistics(&learns, part));
    }
}

#[test]
fn a_target_works_with_either_executor() {
    let place = tempfile::tempdir().unwrap();
    let [fused, candle] = [Executor::Fused, Executor::Candle].map(|executor| byol_after(1, place.path(), 0.5, 1e-3, executor));
    assert_gradients_agree(&fused, &candle, "byol");
}
