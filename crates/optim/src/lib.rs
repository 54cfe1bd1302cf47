//! Optimisers over flat parameters, with state that can be saved and taken up again to the bit.
//!
//! ```
//! use relata_optim::{Adam, AdamConfig};
//!
//! let mut parameters = vec![1.0, -1.0];
//! let mut adam = Adam::new(AdamConfig::default(), parameters.len());
//! adam.step(&mut parameters, &[0.5, 0.5]);
//! assert!((parameters[0] - 0.999).abs() < 1e-6);
//! ```

mod adam;
mod decay;
mod optimizer;
mod schedule;
mod sgd;

pub use adam::{Adam, AdamConfig};
pub use decay::decay;
pub use optimizer::{Optimizer, OptimizerConfig};
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};
