//! What the tests of every crate share: closeness, gradient checks, repeatable numbers and tiny data sets on disk.
//!
//! For tests only, so everything here panics where it fails and says why. It depends on no other crate of the
//! workspace, so that each of them may use it:
//!
//! ```
//! use relata_testkit::{Tolerance, assert_close, central_difference, hash_uniforms};
//!
//! let x = hash_uniforms("point", 5);
//! let sum_of_squares = |x: &[f64]| x.iter().map(|v| v * v).sum::<f64>();
//! let gradient: Vec<f64> = x.iter().map(|v| 2.0 * v).collect();
//! assert_close(&gradient, &central_difference(sum_of_squares, &x, 1e-5), Tolerance { abs: 1e-9, rel: 1e-7 });
//! ```

mod close;
pub mod datasets;
mod gradient;
mod numbers;
mod real_data;

pub use close::{Tolerance, assert_close, relative_norm_error};
pub use gradient::{assert_gradient, central_difference};
pub use numbers::{hash_uniform, hash_uniforms};
pub use real_data::real_data;
