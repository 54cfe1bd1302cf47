//! Optimisers over flat parameters, with state that can be saved and taken up again to the bit, and what goes with them: decoupled
//! weight decay and learning-rate schedules.
//!
//! [`OPTIMIZERS`] is the table of all optimisers. Each is one file that implements [`Optimizer`], so a setting can name one:
//!
//! ```
//! use relata_optim::{OptimizerConfig, optimizer};
//!
//! let entry = optimizer("adam").expect("it is in the table");
//! let config = OptimizerConfig::new(entry, 1e-3);
//! let mut parameters = vec![1.0, -1.0];
//! let mut adam = config.build(parameters.len());
//! adam.step(config.lr, &mut parameters, &[0.5, 0.5]);
//! assert!((parameters[0] - 0.999).abs() < 1e-6);
//! ```

mod optimizer;
mod optimizers;

mod decay;
mod schedule;

pub use decay::decay;
pub use optimizer::{CloneOptimizer, Optimizer, OptimizerConfig, OptimizerEntry, OptimizerSettings};
pub use optimizers::{ADAM, ADAMW, OPTIMIZERS, SGD, optimizer};
pub use schedule::{Schedule, step_decay};

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
