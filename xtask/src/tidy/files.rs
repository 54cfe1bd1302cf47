//! Rules about a file as a whole: its length, its size, its name.

use super::violation::Violation;
use super::workspace::File;

const LINES_THAT_FAIL: usize = 800;
const LINES_THAT_WARN: usize = 500;
const FRONT_PAGE_LINES: usize = 150;
const MAX_BYTES: u64 = 1024 * 1024;

/// Names that say nothing about what is inside, and so gather everything.
pub(super) const FORBIDDEN_NAMES: &[&str] = &["utils", "common", "misc", "base", "helpers"];

pub(super) fn check(file: &File) -> Vec<Violation> {
    let mut violations = Vec::new();
    if file.bytes > MAX_BYTES {
        violations.push(Violation::new(
            &file.path,
            "file-size",
            format!("{} KiB, and every clone carries it for ever; the limit is 1024 KiB", file.bytes / 1024),
            "make it smaller (hashed weights, fewer samples), or have a script make it where it is needed",
        ));
    }
    if !file.is_rust() {
        return violations;
    }
    let lines = file.text.lines().count();
    if file.path.ends_with("src/lib.rs") && lines > FRONT_PAGE_LINES {
        violations.push(Violation::new(
            &file.path,
            "front-page",
            format!("{lines} lines; a front page has at most {FRONT_PAGE_LINES}: purpose, rules, one example, modules"),
            "move the logic to a module named after its subject",
        ));
    }
    if lines > LINES_THAT_WARN {
        let violation = Violation::new(
            &file.path,
            "file-length",
            format!(
                "{lines} lines; a file has one subject, rarely more than {LINES_THAT_WARN} lines, never over {LINES_THAT_FAIL}"
            ),
            "split it by subject; tests over 100 lines go to a sibling tests.rs",
        );
        violations.push(if lines > LINES_THAT_FAIL { violation } else { violation.warning() });
    }
    let forbidden = file.path.split('/').map(|part| part.trim_end_matches(".rs")).find(|part| FORBIDDEN_NAMES.contains(part));
    if let Some(name) = forbidden {
        violations.push(Violation::new(&file.path, "name", name_reason(name), "name it after the subject it holds"));
    }
    violations
}

pub(super) fn name_reason(name: &str) -> String {
    format!("`{name}` says nothing about what is inside, so everything ends up there")
}

#[cfg(test)]
mod tests {
    use super::super::violation::{Severity, rules};
    use super::*;

    fn lines(path: &str, count: usize) -> File {
        File::new(path, &"//\n".repeat(count))
    }

    #[test]
    fn a_long_file_is_warned_of_and_a_longer_one_fails() {
        assert!(check(&lines("a.rs", 500)).is_empty());
        for (count, severity) in [(501, Severity::Warning), (800, Severity::Warning), (801, Severity::Failure)] {
            let found = check(&lines("a.rs", count));
            assert_eq!((rules(&found), found[0].severity), (vec!["file-length"], severity), "{count} lines");
        }
    }

    #[test]
    fn only_rust_files_have_a_length() {
        assert!(check(&lines("docs/results/speed.md", 2000)).is_empty());
    }

    #[test]
    fn a_front_page_is_short() {
        assert!(check(&lines("crates/data/src/lib.rs", 150)).is_empty());
        assert_eq!(rules(&check(&lines("crates/data/src/lib.rs", 151))), ["front-page"]);
    }

    #[test]
    fn a_file_over_a_mebibyte_fails_whatever_it_holds() {
        let of = |bytes| File { path: "fixtures/net.safetensors".into(), bytes, text: String::new() };
        assert!(check(&of(1024 * 1024)).is_empty());
        assert_eq!(rules(&check(&of(1024 * 1024 + 1))), ["file-size"]);
    }

    #[test]
    fn names_that_say_nothing_fail_as_file_and_as_folder() {
        for path in ["crates/data/src/utils.rs", "crates/data/src/common/mod.rs", "crates/data/tests/helpers.rs"] {
            assert_eq!(rules(&check(&lines(path, 1))), ["name"], "{path}");
        }
        assert!(check(&lines("crates/data/src/base64.rs", 1)).is_empty());
    }
}
