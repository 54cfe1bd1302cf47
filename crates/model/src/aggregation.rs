use serde::{Deserialize, Serialize};

/// How the features of two views become one pair (section 3 of the paper).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregation {
    /// `[a; c]`, width 2D: the paper's best.
    #[default]
    Cat,
    /// `a + c`.
    Sum,
    /// `(a + c) / 2`.
    Mean,
    /// The larger of each component.
    Max,
}

impl Aggregation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cat, Self::Sum, Self::Mean, Self::Max];

    /// The name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cat => "cat",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Max => "max",
        }
    }

    /// Width of a pair of features of width `features`: what the relation head's first layer reads.
    #[must_use]
    pub fn width(self, features: usize) -> usize {
        match self {
            Self::Cat => 2 * features,
            Self::Sum | Self::Mean | Self::Max => features,
        }
    }
}
