//! What a timed part came to.

use serde::{Deserialize, Serialize};

/// What one process found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// By the median step; of a pipeline, by all its steps together.
    pub(super) views_per_s: f64,
    /// By the fastest step.
    pub(super) best_views_per_s: f64,
    /// Peak of resident memory; none where the system does not tell.
    pub(super) peak_mb: Option<f64>,
    /// Share of a pipeline's time that its steps waited for views.
    #[serde(default)]
    pub(super) waited_pct: Option<f64>,
    /// Share of the step's time that the relation head took.
    #[serde(default)]
    pub(super) head_pct: Option<f64>,
}
