//! Settings of a run's configuration, by their dotted keys.

use toml::{Table, Value};

const PROBE: &str = "probe.";

/// A setting's value as text: TOML, but strings bare.
#[must_use]
pub fn setting_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn value_at<'a>(config: &'a Table, key: &str) -> Option<&'a Value> {
    let (sections, name) = key.rsplit_once('.')?;
    sections.split('.').try_fold(config, |table, section| table.get(section)?.as_table())?.get(name)
}

/// The run's own value of a setting. A protocol's settings stand in `[probe]` or in a section of their own, by the version that wrote
/// the configuration; a key of either finds both.
pub(super) fn own_setting<'a>(config: &'a Table, protocol: &str, key: &str) -> Option<&'a Value> {
    let elsewhere = || {
        let name = key.strip_prefix(PROBE)?;
        let own_name = name.strip_prefix(protocol).and_then(|name| name.strip_prefix('.'));
        let key = own_name.map_or_else(|| format!("{PROBE}{protocol}.{name}"), |name| format!("{PROBE}{name}"));
        value_at(config, &key)
    };
    value_at(config, key).or_else(elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocols_setting_is_found_where_either_version_wrote_it() {
        let (older, newer) = ("[probe]\nepochs = 100\n", "[probe.linear]\nepochs = 100\n");
        for config in [older, newer].map(|text| text.parse::<Table>().unwrap()) {
            for key in ["probe.epochs", "probe.linear.epochs"] {
                assert_eq!(own_setting(&config, "linear", key).and_then(Value::as_integer), Some(100), "{key}");
            }
            assert_eq!(own_setting(&config, "linear", "probe.lr"), None);
        }
        assert_eq!(own_setting(&newer.parse().unwrap(), "knn", "probe.epochs"), None, "another protocol's");
    }
}
