//! The methods: a file each, and a line each in [`METHODS`].
//!
//! **Adding a method.** A method is everything above the features. Write `methods/<name>.rs` with its settings, which implement
//! [`MethodSpec`](crate::MethodSpec) (what it is and needs) and [`MethodSettings`](crate::MethodSettings) (its name), and with what they
//! build, which implements [`Method`](crate::Method) (its step). Declare the file with `mod`, and add its settings to the table; both are
//! below. Start from `simclr.rs` (contrastive, no state), `byol.rs` (a target network) or `deepcluster.rs` (labels of its own).
//! Configuration, help, memory plan, checkpoints and report read what they need from there.

mod candle;
mod config;

mod barlow;
mod byol;
mod deepcluster;
mod deepinfomax;
mod random;
mod relational;
mod rotation;
mod simclr;
mod supervised;

pub use barlow::{Barlow, BarlowConfig};
pub use byol::{Byol, ByolConfig};
pub use candle::CandleMethod;
pub use config::MethodConfig;
pub use deepcluster::{DeepCluster, DeepClusterConfig};
pub use deepinfomax::{DeepInfoMax, DeepInfoMaxConfig};
pub use random::{Random, RandomConfig};
pub use relational::{LossKind, Relational, RelationalConfig};
pub use rotation::{Rotation, RotationConfig};
pub use simclr::{ContrastiveLoss, Simclr, SimclrConfig};
pub use supervised::{Supervised, SupervisedConfig};

use crate::method::MethodEntry;

/// All methods, in the order that help and documentation name them in. The first is the default.
pub static METHODS: &[MethodEntry] = &[
    MethodEntry::of::<RelationalConfig>(),
    MethodEntry::of::<SimclrConfig>(),
    MethodEntry::of::<BarlowConfig>(),
    MethodEntry::of::<ByolConfig>(),
    MethodEntry::of::<DeepClusterConfig>(),
    MethodEntry::of::<DeepInfoMaxConfig>(),
    MethodEntry::of::<RotationConfig>(),
    MethodEntry::of::<SupervisedConfig>(),
    MethodEntry::of::<RandomConfig>(),
];
