use crate::{Architecture, BackboneKind, Error, Result, Stem};
use std::collections::BTreeMap;

const KIND: &str = "relata.backbone";
const STEM: &str = "relata.stem";
const SIDE: &str = "relata.side";
const MEAN: &str = "relata.mean";
const STD: &str = "relata.std";

/// What a weight file's metadata say about its backbone: enough to build it again and to feed it as it was trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackboneInfo {
    /// Which net; `relata.backbone`.
    pub kind: BackboneKind,
    /// How it begins; `relata.stem`.
    pub stem: Stem,
    /// Side of the images it was trained on, in pixels; `relata.side`.
    pub side: usize,
    /// What was taken from each channel of images in [0, 1]; `relata.mean`.
    pub mean: [f32; 3],
    /// What each channel was divided by then; `relata.std`.
    pub std: [f32; 3],
}

impl BackboneInfo {
    /// The net's list of layers.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        Architecture::new(self.kind, self.stem)
    }

    /// As metadata of a weight file; numbers are written so that the same bits come back.
    #[must_use]
    pub fn to_metadata(&self) -> BTreeMap<String, String> {
        let numbers = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
        let entries = [
            (KIND, self.kind.name().to_owned()),
            (STEM, self.stem.name().to_owned()),
            (SIDE, self.side.to_string()),
            (MEAN, numbers(self.mean)),
            (STD, numbers(self.std)),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// The error of metadata that do not speak of a backbone.
    pub(super) fn absent() -> Error {
        Error::Metadata { key: KIND, value: None, expected: "the name of a backbone" }
    }

    /// From metadata; `None` where they do not speak of a backbone.
    ///
    /// # Errors
    /// [`Error::Metadata`] for the first entry that is absent or not understood.
    pub fn from_metadata(metadata: &BTreeMap<String, String>) -> Result<Option<Self>> {
        if !metadata.contains_key(KIND) {
            return Ok(None);
        }
        let entry = |key: &'static str| metadata.get(key).map_or("", |value| value.as_str());
        let wrong = |key: &'static str, expected: &'static str| {
            let value = metadata.get(key).cloned();
            Error::Metadata { key, value, expected }
        };
        let numbers = |key: &'static str| {
            let values: Option<Vec<f32>> =
                entry(key).split(',').map(|value| value.trim().parse().ok().filter(|value: &f32| value.is_finite())).collect();
            values.and_then(|values| values.try_into().ok()).ok_or_else(|| wrong(key, "three numbers with commas between them"))
        };
        let stem = Stem::ALL.into_iter().find(|stem| stem.name() == entry(STEM));
        Ok(Some(Self {
            kind: BackboneKind::from_name(entry(KIND)).ok_or_else(|| wrong(KIND, "the name of a backbone"))?,
            stem: stem.ok_or_else(|| wrong(STEM, "imagenet or cifar"))?,
            side: entry(SIDE).parse().map_err(|_| wrong(SIDE, "a number of pixels"))?,
            mean: numbers(MEAN)?,
            std: numbers(STD)?,
        }))
    }
}
