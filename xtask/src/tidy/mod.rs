//! `cargo xtask tidy`: the rules of docs/STYLE.md and docs/ARCHITECTURE.md that a machine can hold.
//!
//! What goes in: the workspace as plain data ([`Workspace`]). What comes out: [`Violation`]s, each with its file, line,
//! rule, and what to do. A rule is a function of a part of that data, so that each can be shown to fail.

mod arrows;
mod circles;
mod crates;
mod files;
mod folders;
mod functions;
mod source;
mod workspace;

use std::fmt;
use std::path::Path;

use anyhow::Result;

use workspace::Workspace;

/// Checks the working tree and prints what is wrong; true where nothing has to be mended.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let workspace = Workspace::load(root)?;
    let violations = violations_of(&workspace);
    for violation in &violations {
        println!("{violation}");
    }
    let failures = violations.iter().filter(|violation| violation.severity == Severity::Failure).count();
    println!(
        "tidy: {} files and {} crates looked at, {failures} to mend, {} warnings",
        workspace.files.len(),
        workspace.rooms.len(),
        violations.len() - failures
    );
    Ok(failures == 0)
}

fn violations_of(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = arrows::check(&workspace.rooms);
    violations.extend(crates::check(&workspace.rooms, &workspace.files));
    violations.extend(circles::check(&workspace.files).into_iter().map(Violation::warning));
    violations.extend(folders::check(&workspace.files).into_iter().map(Violation::warning));
    for file in &workspace.files {
        violations.extend(files::check(file));
        violations.extend(functions::check(file).into_iter().map(Violation::warning));
        violations.extend(source::check(file));
    }
    violations.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    violations
}

/// Whether a broken rule stops `ci`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Failure,
    Warning,
}

/// One broken rule at one place.
#[derive(Debug)]
struct Violation {
    severity: Severity,
    /// Below the workspace's root, with `/`.
    file: String,
    /// From 1; none where the whole file is meant.
    line: Option<usize>,
    rule: &'static str,
    /// What is wrong, and why the rule is there.
    reason: String,
    /// What to do about it.
    remedy: String,
}

impl Violation {
    fn new(file: &str, rule: &'static str, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (reason, remedy) = (reason.into(), remedy.into());
        Self { severity: Severity::Failure, file: file.to_owned(), line: None, rule, reason, remedy }
    }

    fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Failure => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{}]: {}", self.rule, self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, "\n    {}\n    to do: {}", self.reason, self.remedy)
    }
}

/// The rules that `violations` break, in order: what tests compare.
#[cfg(test)]
fn rules(violations: &[Violation]) -> Vec<&'static str> {
    violations.iter().map(|violation| violation.rule).collect()
}

#[cfg(test)]
mod tests {
    use super::workspace::{File, Room};
    use super::*;

    #[test]
    fn every_kind_of_rule_is_asked() {
        let workspace = Workspace {
            rooms: vec![Room {
                name: "relata-data".into(),
                dependencies: vec![("relata-train".into(), false)],
                ..Room::default()
            }],
            files: vec![File::new("crates/data/src/utils.rs", "fn f() { todo!() }")],
        };
        let mut found = rules(&violations_of(&workspace));
        found.sort_unstable();
        assert_eq!(found, ["arrow", "crate-example", "crate-readme", "name", "unfinished"]);
    }

    #[test]
    fn a_violation_says_where_which_rule_why_and_what_to_do() {
        let violation = Violation::new("a/b.rs", "rule", "it is so because", "do this").at(7);
        assert_eq!(violation.to_string(), "error[rule]: a/b.rs:7\n    it is so because\n    to do: do this");
        assert!(violation.warning().to_string().starts_with("warning[rule]"));
    }
}
