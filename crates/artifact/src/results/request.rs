//! Whether a result is the run's own, and what it differs in where it is not.

use std::collections::BTreeMap;

use toml::Table;

use super::difference::Difference;
use super::difference::{CHECKPOINT, DATASET, HELD_OUT, PATH, STEP, digest};
use super::older::{VALIDATION, request_of_older};
use super::probe_result::ProbeResult;
use super::settings::{own_setting, setting_text, value_at};

/// The longest name of a result that says its differences; a longer one holds a digest of them.
const MAX_STEM: usize = 100;
/// The checkpoint that a run's own results are of.
const LAST: &str = "last";
const LIMIT: &str = "data.limit";

impl ProbeResult {
    /// The name of its file: protocol, then all that is not the run's own, as in `linear-cifar100-seeds=1+2+3`. Images that are held
    /// out are named always: `linear-validation`. The same name is the same request, whatever the step.
    #[must_use]
    pub fn stem(&self) -> String {
        let mut parts = vec![self.protocol.clone()];
        if self.split == VALIDATION && self.differs.iter().all(|difference| difference.key != HELD_OUT) {
            parts.push(VALIDATION.to_owned());
        }
        parts.extend(self.differs.iter().filter(|difference| difference.key != STEP).map(Difference::file_name_part));
        let stem = parts.join("-");
        if stem.len() <= MAX_STEM { stem } else { format!("{}-{}", self.protocol, digest(&stem, 16)) }
    }

    /// Whether it was requested with these settings. Settings that an older version did not write count as the same.
    #[must_use]
    pub fn was_requested_with(&self, request: &BTreeMap<String, String>) -> bool {
        self.request.iter().all(|(key, value)| request.get(key) == Some(value))
    }

    /// Whether it is of the run's last weights, by whatever settings.
    #[must_use]
    pub fn is_of_last_weights(&self) -> bool {
        self.differs.iter().all(|difference| ![CHECKPOINT, STEP].contains(&difference.key.as_str()))
    }

    /// Whether it is of the data set that the run was trained on, by whatever settings.
    #[must_use]
    pub fn is_of_own_data(&self) -> bool {
        self.differs.iter().all(|difference| ![DATASET, PATH].contains(&difference.key.as_str()))
    }

    /// Finds out what it differs in from the result that `config` requests, of weights after `last_step`.
    pub(crate) fn compare_with(&mut self, config: &Table, last_step: Option<u64>) {
        if self.request.is_empty() {
            self.request = request_of_older(self, config);
        }
        let own_value = |key: &str| own_setting(config, &self.protocol, key).map(setting_text);
        let is_other = |key: &str, own: &str| self.request.get(key).is_some_and(|value| value != own);
        // Of other images all are taken, whatever part of its own a run was trained on.
        let other_data =
            is_other(DATASET, &value_at(config, DATASET).map(setting_text).unwrap_or_default()) || is_other(PATH, "");
        let mut differs: Vec<Difference> = Vec::new();
        for (key, value) in &self.request {
            let own = match key.as_str() {
                PATH => Some(String::new()),
                LIMIT if other_data => Some("0".to_owned()),
                _ => own_value(key),
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
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
