//! Backbones by name. A new one of known layers is one constant in its family's file, and one entry of [`BACKBONES`].

mod conv4;
mod kind;
mod list;
mod mlp;
mod resnet;

pub use conv4::*;
pub use kind::{BackboneKind, Stem};
pub use resnet::*;

use crate::Architecture;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::LazyLock;

/// Every backbone that settings, weight files and `--help` know by name, in the order of the paper.
pub const BACKBONES: &[BackboneKind] = &[CONV4, RESNET8, RESNET32, RESNET56, RESNET18, RESNET34];

static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| BACKBONES.iter().map(|kind| kind.name()).collect());

impl BackboneKind {
    /// The names of [`BACKBONES`], in that order.
    #[must_use]
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// From the name; `None` where there is no such backbone.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        BACKBONES.iter().copied().find(|kind| kind.name() == name)
    }
}

impl Architecture {
    /// The list of layers of a backbone. `stem` matters where [`BackboneKind::has_stem`].
    #[must_use]
    pub fn new(kind: BackboneKind, stem: Stem) -> Self {
        let name = if kind.has_stem { format!("{} ({} stem)", kind.name, stem.name()) } else { kind.name.to_owned() };
        (kind.layers)(stem).into_architecture(name)
    }
}

impl Serialize for BackboneKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for BackboneKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::unknown_variant(&name, Self::names()))
    }
}

#[cfg(test)]
mod tests {
    use super::{BACKBONES, BackboneKind, Stem};
    use crate::Architecture;
    use std::collections::BTreeSet;

    #[test]
    fn every_backbone_has_a_name_of_its_own_and_layers_that_fit_together() {
        assert_eq!(BackboneKind::names().iter().collect::<BTreeSet<_>>().len(), BACKBONES.len());
        for &kind in BACKBONES {
            assert_eq!(BackboneKind::from_name(kind.name()), Some(kind));
            for stem in Stem::ALL {
                let architecture = Architecture::new(kind, stem);
                architecture.check().unwrap();
                assert_eq!(architecture.describe().contains(stem.name()), kind.has_stem());
            }
        }
    }

    #[test]
    fn a_backbone_is_read_and_written_by_its_name() {
        for &kind in BACKBONES {
            let text = serde_json::to_string(&kind).unwrap();
            assert_eq!(text, format!("{:?}", kind.name()));
            assert_eq!(serde_json::from_str::<BackboneKind>(&text).unwrap(), kind);
        }
        let error = serde_json::from_str::<BackboneKind>("\"resnet9\"").unwrap_err().to_string();
        assert!(BackboneKind::names().iter().all(|name| error.contains(name)), "{error}");
    }
}
