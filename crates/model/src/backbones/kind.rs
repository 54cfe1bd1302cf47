//! What a backbone with a name is.

use super::list::LayerList;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A backbone that has a name: an entry of [`super::BACKBONES`].
#[derive(Clone, Copy)]
pub struct BackboneKind {
    pub(super) name: &'static str,
    /// Whether [`Stem`] matters.
    pub(super) has_stem: bool,
    /// Its layers but for the last, the global average.
    pub(super) layers: fn(Stem) -> LayerList,
}

/// How resnet18 and resnet34 begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// 7 x 7 convolution with stride 2, then a 3 x 3 maximum with stride 2: for images of 96 px and more.
    #[default]
    Imagenet,
    /// 3 x 3 convolution with stride 1 and no pool: for images of 32 or 64 px.
    Cifar,
}

impl BackboneKind {
    /// The name in settings and weight files: `conv4`, `resnet32`, ...
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether [`Stem`] makes a difference.
    #[must_use]
    pub fn has_stem(self) -> bool {
        self.has_stem
    }
}

impl Stem {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Imagenet, Self::Cifar];

    /// The name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Imagenet => "imagenet",
            Self::Cifar => "cifar",
        }
    }
}

impl PartialEq for BackboneKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for BackboneKind {}

impl Hash for BackboneKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for BackboneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
