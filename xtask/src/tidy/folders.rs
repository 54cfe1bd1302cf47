//! How many files stand side by side. Plugs do not count: their folder has a file for each, and its table names them.

use std::collections::BTreeMap;

use super::plugs;
use super::violation::Violation;
use super::workspace::File;

const MAX_FILES: usize = 12;

pub(super) fn check(files: &[File]) -> Vec<Violation> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    // A fuzz target is a program that its manifest names, one a file.
    for file in files.iter().filter(|file| file.is_rust() && !file.path.starts_with("fuzz/")) {
        *counts.entry(file.path.rsplit_once('/').map_or("", |(folder, _)| folder)).or_insert(0) += 1;
    }
    let full = counts.into_iter().filter(|(folder, count)| *count > MAX_FILES && !plugs::is_folder_of_plugs(folder));
    full.map(|(folder, count)| {
        let reason =
            format!("{count} source files side by side; what one looks for is found at a glance among at most {MAX_FILES}");
        Violation::new(folder, "folder", reason, "put those of one subject into a folder named after it")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::violation::rules;
    use super::*;

    fn folder(count: usize) -> Vec<File> {
        folder_at("crates/x/src/a", count)
    }

    fn folder_at(folder: &str, count: usize) -> Vec<File> {
        (0..count).map(|number| File::new(&format!("{folder}/{number}.rs"), "")).collect()
    }

    #[test]
    fn there_may_be_any_number_of_plugs() {
        assert!(check(&folder_at("crates/train/src/methods", 30)).is_empty());
        assert_eq!(rules(&check(&folder_at("crates/train/src/methods/a", 30))), ["folder"]);
    }

    #[test]
    fn a_folder_of_more_than_twelve_source_files_fails() {
        assert!(check(&folder(12)).is_empty());
        assert_eq!(rules(&check(&folder(13))), ["folder"]);
    }

    #[test]
    fn folders_below_and_files_of_other_kinds_do_not_count() {
        let mut files = folder(12);
        files.push(File::new("crates/x/src/a/b/13.rs", ""));
        files.push(File::new("crates/x/src/a/README.md", ""));
        assert!(check(&files).is_empty());
    }
}
