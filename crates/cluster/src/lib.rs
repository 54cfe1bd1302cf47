//! Clusters of rows of features: k-means, PCA whitening before it, and one-to-one assignment after it.
//!
//! Rows are `[n, D]` in one slice of `f32`. Every result is a function of the arguments to the bit, whatever the number of
//! threads; work runs in the rayon pool of the caller.
//!
//! ```
//! use relata_cluster::{Isa, KMeans, Rows};
//!
//! let rows = [0.0, 0.1, 10.0, 10.1];
//! let settings = KMeans { clusters: 2, ..KMeans::default() };
//! let found = Rows::new(&rows, 1, Isa::best()).cluster(&settings).unwrap();
//! assert!(found.clusters[0] == found.clusters[1] && found.clusters[1] != found.clusters[2]);
//! ```

mod kmeans;

mod covariance;
mod l2_normalise;
mod whitening;

mod assignment;
mod changed_share;

pub use assignment::{contingency, optimal_assignment};
pub use changed_share::{changed_share, changed_share_bytes};
pub use covariance::{Covariance, covariance, covariance_bytes};
pub use kmeans::{Clustering, KMeans, Rows};
pub use l2_normalise::l2_normalised;
/// Which of the processor's instructions are used; `Isa::best()` is what to use.
pub use relata_ops::Isa;
pub use whitening::whiten;

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
