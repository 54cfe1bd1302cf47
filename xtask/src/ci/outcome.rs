//! What the tests' own output says: how many passed, and how many said that they were skipped.

use std::fmt;

/// Sums over all test binaries.
///
/// A test that lacks its data prints a line `SKIPPED <test>: <why>` and returns, which the harness counts as passed;
/// so `passed` is what the harness counted less those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TestOutcome {
    counted_as_passed: usize,
    ignored: usize,
    /// The text after `SKIPPED `, in order of arrival.
    pub(super) skipped: Vec<String>,
}

impl TestOutcome {
    /// Reads one line of output.
    pub(super) fn read(&mut self, line: &str) {
        if let Some(skipped) = line.strip_prefix("SKIPPED ") {
            self.skipped.push(skipped.to_owned());
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.counted_as_passed += count(result, "passed");
            self.ignored += count(result, "ignored");
        }
    }

    pub(super) fn join(mut self, other: Self) -> Self {
        self.counted_as_passed += other.counted_as_passed;
        self.ignored += other.ignored;
        self.skipped.extend(other.skipped);
        self
    }
}

impl fmt::Display for TestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.skipped.len();
        write!(f, "{} passed, {skipped} skipped, {} ignored", self.counted_as_passed.saturating_sub(skipped), self.ignored)
    }
}

/// The number before `word` in `ok. 12 passed; 0 failed; 1 ignored; ...`.
fn count(result: &str, word: &str) -> usize {
    let fields = result.split(['.', ';']).map(str::trim);
    let mut numbers = fields.filter_map(|field| field.strip_suffix(word)?.trim().parse().ok());
    numbers.next().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> TestOutcome {
        let mut outcome = TestOutcome::default();
        text.lines().for_each(|line| outcome.read(line));
        outcome
    }

    #[test]
    fn results_of_all_binaries_are_added() {
        let outcome = read(
            "running 2 tests\ntest a ... ok\n\
             test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.41s\n\
             test result: ok. 30 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.00s\n",
        );
        assert_eq!(outcome.to_string(), "42 passed, 0 skipped, 3 ignored");
    }

    #[test]
    fn a_skipped_test_is_not_a_passed_one() {
        let results = read("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s");
        let skips = read("SKIPPED cifar10::real: RELATA_DATASETS is not set\nnothing was SKIPPED here\n");
        let outcome = results.join(skips);
        assert_eq!(outcome.to_string(), "2 passed, 1 skipped, 0 ignored");
        assert_eq!(outcome.skipped, ["cifar10::real: RELATA_DATASETS is not set"]);
    }
}
