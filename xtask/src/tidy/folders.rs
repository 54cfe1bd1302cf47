//! How many files stand side by side.

use std::collections::BTreeMap;

use super::violation::Violation;
use super::workspace::File;

const MAX_FILES: usize = 12;

pub(super) fn check(files: &[File]) -> Vec<Violation> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    // A fuzz target is a program that its manifest names, one a file.
    for file in files.iter().filter(|file| file.is_rust() && !file.path.starts_with("fuzz/")) {
        *counts.entry(file.path.rsplit_once('/').map_or("", |(folder, _)| folder)).or_insert(0) += 1;
    }
    let full = counts.into_iter().filter(|(_, count)| *count > MAX_FILES);
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
        (0..count).map(|number| File::new(&format!("crates/x/src/a/{number}.rs"), "")).collect()
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
