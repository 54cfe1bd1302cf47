//! What the plugs of a run say of themselves, kept with the run so that a report needs to know none of them by name.

use serde::{Deserialize, Serialize};

/// The part of [`crate::Provenance`] that is written from the descriptions of method, data set and online measurement.
///
/// Runs of older versions have none of it: a reader then falls back on plain names, and claims nothing that it cannot know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunFacts {
    /// The method that trained the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodFacts>,
    /// The data set that it was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetFacts>,
    /// Figures that are measured on the backbone between epochs; their names in metrics.jsonl begin with [`crate::ONLINE`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub online: Vec<FigureFacts>,
}

impl RunFacts {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a reader of a run must know of its method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MethodFacts {
    /// Its name in a configuration.
    pub name: String,
    /// Its name in a sentence, as in "*Title* on a conv4 backbone".
    pub title: String,
    /// Whether it changes the backbone's initial weights.
    pub trains: bool,
    /// Whether its training sees the labels.
    pub labels: bool,
    /// Views of an image that a step trains on; `None` where the settings do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views: Option<u64>,
    /// What the method makes of the views, in whole sentences; stands below "What the training sees". May be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub views_note: String,
    /// The figures that it reports beside its loss, a chart each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<FigureFacts>,
}

impl Default for MethodFacts {
    fn default() -> Self {
        let (name, title, views_note) = Default::default();
        Self { name, title, trains: true, labels: false, views: None, views_note, figures: Vec::new() }
    }
}

/// What a reader of a run must know of its data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetFacts {
    /// Its name in a configuration.
    pub name: String,
    /// What the data set shows about training without labels, in whole sentences. May be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A chart of one or more figures that belong together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FigureFacts {
    /// The chart's title, as in "Pairs predicted correctly".
    pub title: String,
    /// What the numbers are.
    pub unit: FigureUnit,
    /// A value worth comparing with, and its meaning: `(0.5, "guessing")`, in the unit of the numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<(f64, String)>,
    /// The lines of the chart, the most important first.
    pub curves: Vec<CurveFacts>,
}

/// One line of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CurveFacts {
    /// The figure's name in metrics.jsonl.
    pub name: String,
    /// What it is called in a legend; may be empty where the chart has one line only.
    pub title: String,
}

/// What the numbers of a figure are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FigureUnit {
    /// Numbers as they are.
    #[default]
    Plain,
    /// Shares, 0 to 1, which are shown in percent.
    Share,
    /// Percent, 0 to 100.
    Percent,
}

impl FigureUnit {
    /// The unit by a figure's name, for figures that nobody describes: `…_acc` is a share, `…_pct` is percent.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        match name {
            name if name.ends_with("_acc") => Self::Share,
            name if name.ends_with("_pct") => Self::Percent,
            _ => Self::Plain,
        }
    }
}

impl FigureFacts {
    /// A chart of one figure, in the unit that its name says.
    #[must_use]
    pub fn single(name: &str, title: &str) -> Self {
        let curves = vec![CurveFacts { name: name.to_owned(), title: String::new() }];
        Self { title: title.to_owned(), unit: FigureUnit::of_name(name), reference: None, curves }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provenance;

    #[test]
    fn a_run_that_says_nothing_of_itself_is_read_and_written_as_before() {
        let older: Provenance = serde_json::from_str(r#"{"seed": 1, "jpeg_decoder": "libjpeg"}"#).unwrap();
        assert!(older.facts.is_empty() && older.extra.len() == 1);
        assert!(serde_json::to_value(&older).unwrap().get("facts").is_none());
    }

    #[test]
    fn a_method_trains_without_labels_unless_it_says_so() {
        let method: MethodFacts = serde_json::from_str(r#"{"name": "mine"}"#).unwrap();
        assert!(method.trains && !method.labels);
    }

    #[test]
    fn facts_survive_a_file() {
        let pairs = FigureFacts { reference: Some((0.5, "guessing".into())), ..FigureFacts::single("pair_acc", "Pairs") };
        let method = MethodFacts { name: "mine".into(), views: Some(4), figures: vec![pairs], ..MethodFacts::default() };
        let facts = RunFacts { method: Some(method), ..RunFacts::default() };
        let written = Provenance { facts, ..Provenance::default() };
        let read: Provenance = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
        assert_eq!(read, written);
        assert_eq!(read.facts.method.unwrap().figures[0].unit, FigureUnit::Share);
    }
}
