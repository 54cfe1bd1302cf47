//! The optimisers: a file each, and a line each in [`OPTIMIZERS`].
//!
//! **Adding one.** Write `optimizers/<name>.rs`: a struct that implements [`crate::Optimizer`], and its [`OptimizerEntry`]. Then add its `mod`
//! line and its line in the table, both below. `sgd.rs` is the shortest to start from; `adam.rs` counts its steps.

mod adam;
mod adamw;
mod sgd;

pub use adam::ADAM;
pub use adamw::ADAMW;
pub use sgd::SGD;

use crate::optimizer::OptimizerEntry;

/// Every optimiser.
#[rustfmt::skip] // a line each
pub const OPTIMIZERS: &[&OptimizerEntry] = &[
    &adam::ADAM,
    &adamw::ADAMW,
    &sgd::SGD,
];

/// The optimiser of that name.
#[must_use]
pub fn optimizer(name: &str) -> Option<&'static OptimizerEntry> {
    OPTIMIZERS.iter().copied().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::{ADAM, OPTIMIZERS, SGD, optimizer};
    use crate::{OptimizerConfig, OptimizerSettings};

    const GRADIENTS: [[f32; 3]; 4] = [[0.5, -1.0, 2.0], [0.25, 1.0, -3.0], [-0.5, 0.125, 1.0], [1.0, 2.0, 0.5]];

    #[test]
    fn every_name_is_found_and_stands_once() {
        for entry in OPTIMIZERS {
            assert_eq!(optimizer(entry.name), Some(*entry));
            assert_eq!(OPTIMIZERS.iter().filter(|other| other.name == entry.name).count(), 1, "{}", entry.name);
            assert!(entry.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{}", entry.name);
        }
        assert_eq!(optimizer("momentum"), None);
    }

    #[test]
    fn every_optimiser_names_its_state_as_its_entry_does_and_moves_against_the_gradient() {
        for entry in OPTIMIZERS {
            let mut optimizer = OptimizerConfig::new(entry, 0.1).build(3);
            let mut values = [1.0, 1.0, 1.0];
            optimizer.step(0.1, &mut values, &[1.0, -2.0, 0.0]);
            assert!(values[0] < 1.0 && values[1] > 1.0 && values[2] == 1.0, "{}: {values:?}", entry.name);
            let names: Vec<&str> = optimizer.state().into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, entry.state, "{}", entry.name);
            assert!(optimizer.state().iter().all(|(_, data)| data.len() == 3), "{}", entry.name);
        }
    }

    #[test]
    fn a_restored_optimiser_goes_on_with_the_same_bits() {
        for entry in OPTIMIZERS {
            let config = OptimizerConfig::new(entry, 0.01);
            let (mut whole, mut values) = (config.build(3), [0.3; 3]);
            GRADIENTS.iter().for_each(|gradient| whole.step(config.lr, &mut values, gradient));
            let (mut first, mut resumed) = (config.build(3), [0.3; 3]);
            GRADIENTS[..2].iter().for_each(|gradient| first.step(config.lr, &mut resumed, gradient));
            let mut second = config.build(3);
            let state: Vec<&[f32]> = first.state().into_iter().map(|(_, data)| data).collect();
            assert!(second.restore(first.steps(), &state), "{}", entry.name);
            let mut copy = second.clone();
            GRADIENTS[2..].iter().for_each(|gradient| second.step(config.lr, &mut resumed, gradient));
            assert_eq!(values, resumed, "{}", entry.name);
            GRADIENTS[2..].iter().for_each(|gradient| copy.step(config.lr, &mut [0.0; 3], gradient));
            assert_eq!(copy.state(), second.state(), "{}", entry.name);
        }
    }

    #[test]
    fn a_state_of_another_kind_or_length_changes_nothing() {
        for entry in OPTIMIZERS {
            let mut optimizer = OptimizerConfig::new(entry, 0.1).build(3);
            optimizer.step(0.1, &mut [0.0; 3], &[1.0, 2.0, 3.0]);
            let before: Vec<Vec<f32>> = optimizer.state().into_iter().map(|(_, data)| data.to_vec()).collect();
            let mut short: Vec<&[f32]> = vec![&[0.0; 3]; entry.state.len()];
            assert!(!optimizer.restore(9, &short[1..]), "{}: a part is missing", entry.name);
            short[entry.state.len() - 1] = &[0.0; 2];
            assert!(!optimizer.restore(9, &short), "{}: a part is too short", entry.name);
            assert!(optimizer.state().into_iter().zip(&before).all(|((_, data), before)| data == before), "{}", entry.name);
        }
    }

    #[test]
    fn settings_reach_the_optimisers_that_have_them() {
        let step = |config: OptimizerConfig| {
            let (mut optimizer, mut value) = (config.build(1), [1.0]);
            (0..2).for_each(|_| optimizer.step(0.5, &mut value, &[1.0]));
            value[0]
        };
        // 1 − 0.5 · 1, then a velocity of 0.5 · 1 + 1.
        let half = OptimizerSettings { momentum: 0.5, ..OptimizerSettings::default() };
        assert_eq!(step(OptimizerConfig { settings: half, ..OptimizerConfig::new(&SGD, 0.5) }), -0.25);
        let other = OptimizerSettings { eps: 1.0, ..OptimizerSettings::default() };
        let adam = OptimizerConfig::new(&ADAM, 0.5);
        assert_ne!(step(OptimizerConfig { settings: other, ..adam }), step(adam));
    }
}
