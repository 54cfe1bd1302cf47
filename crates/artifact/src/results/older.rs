//! Results of versions that did not write what was requested: read from their settings, data and split.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::difference::{DATASET, HELD_OUT, PATH, SEED, folder_name};
use super::probe_result::ProbeResult;
use super::settings::{own_setting, setting_text, value_at};

pub(super) const LABEL_FRACTION: &str = "probe.label_fraction";
/// The split of images that are held out.
pub(super) const VALIDATION: &str = "validation";

/// What the result was requested with, as far as it says.
pub(super) fn request_of_older(result: &ProbeResult, config: &Table) -> BTreeMap<String, String> {
    let mut request = BTreeMap::new();
    for (setting, value) in &result.settings {
        let key = key_of(setting, &result.protocol, config);
        // The rest of its settings are words: the optimiser, what was counted.
        if let Some(own) = own_setting(config, &result.protocol, &key) {
            let same = serde_json::to_value(own).is_ok_and(|own| own == *value);
            let text = value.as_str().map_or_else(|| value.to_string().replace(',', ", "), str::to_owned);
            request.insert(key, if same { setting_text(own) } else { text });
        }
    }
    if !result.settings.contains_key("label_fraction") && value_at(config, LABEL_FRACTION).is_some() {
        request.insert(LABEL_FRACTION.to_owned(), setting_text(&Value::Float(1.0)));
    }
    let text = |key| value_at(config, key).map(setting_text);
    // A result on images of a folder was called by the folder's own name.
    let own_names = text(DATASET).map(|dataset| [dataset, folder_name(&text(PATH).unwrap_or_default()).to_owned()]);
    if own_names.is_some_and(|own| !own.contains(&result.data)) && !result.data.is_empty() {
        request.insert(DATASET.to_owned(), result.data.clone());
    }
    let held_out = value_at(config, HELD_OUT).and_then(Value::as_integer).unwrap_or(0) > 0;
    match result.split.as_str() {
        VALIDATION if !held_out => request.insert(HELD_OUT.to_owned(), result.test_images.to_string()),
        "test" if held_out => request.insert(HELD_OUT.to_owned(), "0".to_owned()),
        _ => None,
    };
    request
}

/// The key of a configuration that a setting of a result follows from.
fn key_of(setting: &str, protocol: &str, config: &Table) -> String {
    let section = format!("probe.{protocol}");
    // Protocols without a section of their own had their settings in that of all.
    let section = if value_at(config, &section).is_some_and(Value::is_table) { &section } else { "probe" };
    match setting {
        "seed" | "seeds" | "label_seed" => SEED.to_owned(),
        "label_fraction" => LABEL_FRACTION.to_owned(),
        // `k` itself is what the number of images allowed.
        "k_asked_for" | "k_requested" => format!("{section}.k"),
        _ => format!("{section}.{setting}"),
    }
}
