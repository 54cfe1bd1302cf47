//! What a result belongs to: whether it is the run's own, and what it differs in where it is not.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::json;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::ProbeResult;

/// The longest name of a result that says its differences; a longer one holds a digest of them.
const MAX_STEM: usize = 100;
/// Not of the configuration, and yet what a result belongs to: its checkpoint, and the step of that.
const CHECKPOINT: &str = "checkpoint";
const STEP: &str = "step";
/// The checkpoint that a run's own results are of.
const LAST: &str = "last";
const SEED: &str = "probe.seed";
const LABEL_FRACTION: &str = "probe.label_fraction";
const DATASET: &str = "data.dataset";
const PATH: &str = "data.path";
const LIMIT: &str = "data.limit";
const HELD_OUT: &str = "data.validation";
/// The split of images that are held out.
const VALIDATION: &str = "validation";

/// One setting of a result that is not the run's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// The setting's dotted key, `checkpoint`, or `step` for weights that were trained on since.
    pub key: String,
    /// What the result was asked for.
    pub value: String,
    /// What the run itself has.
    pub own: String,
}

/// A setting's value as text: TOML, but strings bare.
#[must_use]
pub fn setting_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl ProbeResult {
    /// The name of its file: protocol, then all that is not the run's own, as in `linear-cifar100-seeds=1+2+3`. Images that are held
    /// out are named always: `linear-validation`. The same name is the same request, whatever the step.
    #[must_use]
    pub fn stem(&self) -> String {
        let mut words = vec![self.protocol.clone()];
        if self.split == VALIDATION && self.differs.iter().all(|difference| difference.key != HELD_OUT) {
            words.push(VALIDATION.to_owned());
        }
        words.extend(self.differs.iter().filter(|difference| difference.key != STEP).map(Difference::word));
        let stem = words.join("-");
        if stem.len() <= MAX_STEM { stem } else { format!("{}-{}", self.protocol, digest(&stem, 16)) }
    }

    /// Whether it was asked for by these settings. What it does not tell, as that of an older version, counts as the same.
    #[must_use]
    pub fn was_asked_for_by(&self, request: &BTreeMap<String, String>) -> bool {
        self.request.iter().all(|(key, value)| request.get(key) == Some(value))
    }

    /// Finds out what it differs in from the result that `config` asks for, of weights after `last_step`.
    pub(crate) fn compare_with(&mut self, config: &Table, last_step: Option<u64>) {
        if self.request.is_empty() {
            self.request = request_of_older(self, config);
        }
        let is_other = |key: &str, own: &str| self.request.get(key).is_some_and(|value| value != own);
        // Of other images all are taken, whatever part of its own a run was trained on.
        let other_data = is_other(DATASET, &own_value(config, DATASET).unwrap_or_default()) || is_other(PATH, "");
        let mut differs: Vec<Difference> = Vec::new();
        for (key, value) in &self.request {
            let own = match key.as_str() {
                PATH => Some(String::new()),
                LIMIT if other_data => Some("0".to_owned()),
                _ => own_value(config, key),
            };
            // A setting that the configuration lacks is one of a newer version: nothing to compare with.
            if let Some(own) = own.filter(|own| own != value) {
                differs.push(Difference { key: key.clone(), value: value.clone(), own });
            }
        }
        let step = self.settings.get(STEP).and_then(serde_json::Value::as_u64);
        if !["", LAST].contains(&self.checkpoint.as_str()) {
            let of_data = differs.partition_point(|difference| difference.key.starts_with("data."));
            let (value, own) = (self.checkpoint.clone(), LAST.to_owned());
            differs.insert(of_data, Difference { key: CHECKPOINT.to_owned(), value, own });
        } else if let Some((step, last)) = step.zip(last_step).filter(|(step, last)| step != last) {
            differs.push(Difference { key: STEP.to_owned(), value: step.to_string(), own: last.to_string() });
        }
        self.differs = differs;
    }

    /// Whether it is of the run's last weights, by whatever settings.
    #[must_use]
    pub fn is_of_last_weights(&self) -> bool {
        self.differs.iter().all(|difference| ![CHECKPOINT, STEP].contains(&difference.key.as_str()))
    }
}

impl Difference {
    /// As a part of a file's name.
    fn word(&self) -> String {
        let Self { key, value, .. } = self;
        let seeds = value.strip_prefix('[').and_then(|list| list.strip_suffix(']')).filter(|_| key == SEED);
        let text = match (key.as_str(), seeds) {
            (DATASET | CHECKPOINT, _) => value.clone(),
            // Two folders may have one name.
            (PATH, _) => format!("{}-{}", folder_name(value), digest(value, 8)),
            (HELD_OUT, _) if value == "0" => "test".to_owned(),
            (_, Some(seeds)) => format!("seeds={}", seeds.replace(", ", "+")),
            _ => format!("{}={value}", key.rsplit('.').next().unwrap_or(key)),
        };
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_.=+".contains(c);
        if text.chars().all(safe) {
            return text;
        }
        let plain = text.replace(|c| !safe(c), "-");
        if key == PATH { plain } else { format!("{plain}-{}", digest(value, 8)) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.value)?;
        if self.own.is_empty() { Ok(()) } else { write!(f, " (the run's own: {})", self.own) }
    }
}

fn own_value(config: &Table, key: &str) -> Option<String> {
    value_at(config, key).map(setting_text)
}

fn value_at<'a>(config: &'a Table, key: &str) -> Option<&'a Value> {
    let (sections, name) = key.rsplit_once('.')?;
    sections.split('.').try_fold(config, |table, section| table.get(section)?.as_table())?.get(name)
}

/// What a result that holds no request was asked for, as far as its settings, data and split tell.
fn request_of_older(result: &ProbeResult, config: &Table) -> BTreeMap<String, String> {
    let section = match result.protocol.as_str() {
        "linear" | "knn" => "probe".to_owned(),
        protocol => format!("probe.{protocol}"),
    };
    let mut request = BTreeMap::new();
    for (setting, value) in &result.settings {
        let key = match setting.as_str() {
            "seed" | "seeds" | "label_seed" => SEED.to_owned(),
            "label_fraction" => LABEL_FRACTION.to_owned(),
            // k is what the images allowed.
            "k_asked_for" => "probe.k".to_owned(),
            _ => format!("{section}.{setting}"),
        };
        // The rest of its settings are words: the optimiser, what was counted.
        if let Some(own) = value_at(config, &key) {
            let same = serde_json::to_value(own).is_ok_and(|own| own == *value);
            let text = value.as_str().map_or_else(|| value.to_string().replace(',', ", "), str::to_owned);
            request.insert(key, if same { setting_text(own) } else { text });
        }
    }
    if !result.settings.contains_key("label_fraction") && value_at(config, LABEL_FRACTION).is_some() {
        request.insert(LABEL_FRACTION.to_owned(), setting_text(&Value::Float(1.0)));
    }
    // Folders and packs were called by their own names.
    let path = own_value(config, PATH).unwrap_or_default();
    let own_name = own_value(config, DATASET).map(|dataset| match dataset.as_str() {
        "folder" | "pack" => folder_name(&path).to_owned(),
        _ => dataset,
    });
    if own_name.is_some_and(|own| own != result.data) && !result.data.is_empty() {
        request.insert(DATASET.to_owned(), result.data.clone());
    }
    let held_out = value_at(config, HELD_OUT).and_then(Value::as_integer).unwrap_or(0) > 0;
    match result.split.as_str() {
        VALIDATION if !held_out => request.insert(HELD_OUT.to_owned(), json!(result.test_images).to_string()),
        "test" if held_out => request.insert(HELD_OUT.to_owned(), "0".to_owned()),
        _ => None,
    };
    request
}

fn folder_name(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default()
}

/// The first digits of a text's sha-256.
fn digest(text: &str, digits: usize) -> String {
    let bytes = Sha256::digest(text.as_bytes());
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).take(digits).map(char::from).collect()
}

#[cfg(test)]
mod tests;
