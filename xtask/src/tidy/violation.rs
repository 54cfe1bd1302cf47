//! What a rule finds.

use std::fmt;

/// Whether a broken rule stops `ci`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Failure,
    Warning,
}

/// One broken rule at one place.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) severity: Severity,
    /// Below the workspace's root, with `/`.
    pub(super) file: String,
    /// From 1; none where the whole file is meant.
    pub(super) line: Option<usize>,
    pub(super) rule: &'static str,
    /// What is wrong, and why the rule is there.
    pub(super) reason: String,
    /// What to do about it.
    pub(super) remedy: String,
}

impl Violation {
    pub(super) fn new(file: &str, rule: &'static str, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (reason, remedy) = (reason.into(), remedy.into());
        Self { severity: Severity::Failure, file: file.to_owned(), line: None, rule, reason, remedy }
    }

    pub(super) fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    pub(super) fn warning(self) -> Self {
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
pub(super) fn rules(violations: &[Violation]) -> Vec<&'static str> {
    violations.iter().map(|violation| violation.rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_says_where_which_rule_why_and_what_to_do() {
        let violation = Violation::new("a/b.rs", "rule", "it is so because", "do this").at(7);
        assert_eq!(violation.to_string(), "error[rule]: a/b.rs:7\n    it is so because\n    to do: do this");
        assert!(violation.warning().to_string().starts_with("warning[rule]"));
    }
}
