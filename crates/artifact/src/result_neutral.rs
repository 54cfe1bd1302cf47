//! By what two runs may differ and still come to the same figures.

use toml::Table;

/// Settings that change no result, by their dotted keys; one that ends in `.*` is a whole section.
pub const CHANGES_NO_RESULT: [&str; 11] = [
    "threads",
    "device",
    "data.root",
    "data.index",
    "train.workers",
    "train.prefetch",
    "train.log_every",
    "train.checkpoint_every",
    "online.*",
    "probe.workers",
    "probe.extract_batch_size",
];

/// Whether a setting changes no result.
#[must_use]
pub fn changes_no_result(key: &str) -> bool {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(section) => key.starts_with(section),
        None => key == pattern,
    };
    CHANGES_NO_RESULT.iter().any(|pattern| fits(pattern))
}

/// Takes the settings that change no result out of a configuration: what is left is equal where the results are.
pub fn keep_what_counts(config: &mut Table) {
    for pattern in CHANGES_NO_RESULT {
        let key = pattern.strip_suffix(".*").unwrap_or(pattern);
        match key.split_once('.') {
            Some((section, name)) => {
                config.get_mut(section).and_then(toml::Value::as_table_mut).and_then(|section| section.remove(name));
            }
            None => {
                config.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_no_result_is_taken_out_and_nothing_else() {
        let text =
            "seed = 1\nthreads = 2\n[data]\nroot = \"a\"\npath = \"b\"\n[online]\nevery = 1\n[train]\nworkers = 3\nlr = 0.1\n";
        let mut config: Table = text.parse().unwrap();
        keep_what_counts(&mut config);
        assert_eq!(config, "seed = 1\n[data]\npath = \"b\"\n[train]\nlr = 0.1\n".parse().unwrap());
        for (key, none) in
            [("threads", true), ("online.k", true), ("train.workers", true), ("train.lr", false), ("data.path", false)]
        {
            assert_eq!(changes_no_result(key), none, "{key}");
        }
    }
}
