//! The methods: a file each, and the table that registers them.
//!
//! **Adding a method.** A method is everything above the features. Write `methods/<name>.rs` with its settings, which implement
//! [`MethodSpec`] (what it is and needs) and [`MethodSettings`] (its name), and with what they build, which implements
//! [`Method`](crate::Method) (its step). Then add its line to the table below. Start from `simclr.rs` (contrastive, no state), `byol.rs`
//! (a target network) or `deepcluster.rs` (labels of its own). Settings, help, memory plan, checkpoints and report read it from there.

mod candle;
mod config;

pub use candle::CandleMethod;
pub use config::MethodConfig;

use crate::method::MethodEntry;

/// Declares the methods' files and registers them: `file: Settings`.
macro_rules! methods {
    ($($file:ident: $settings:ident,)*) => {
        $(mod $file;)*
        $(pub use $file::*;)*

        /// All methods, in the order that help and documentation name them in. The first is the default.
        pub static METHODS: &[MethodEntry] = &[$(MethodEntry::new::<$file::$settings>(),)*];
    };
}

methods! {
    relational: RelationalConfig,
    simclr: SimclrConfig,
    barlow: BarlowConfig,
    byol: ByolConfig,
    deepcluster: DeepClusterConfig,
    deepinfomax: DeepInfoMaxConfig,
    rotation: RotationConfig,
    supervised: SupervisedConfig,
    random: RandomConfig,
}
