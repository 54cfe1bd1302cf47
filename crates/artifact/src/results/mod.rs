//! `probes/`: scores with their protocol and settings, and a sample of the features that were scored.

mod difference;
mod feature_sample;
mod older;
mod probe_result;
mod request;
mod settings;

pub use difference::Difference;
pub use feature_sample::FeatureSample;
pub use probe_result::{BackboneUse, FeatureHealth, ProbeResult, mean_and_deviation};
pub use settings::setting_text;
